package local

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/gobuild"
	"krt.dev/kn-krt/pkg/local"
	"krt.dev/kn-krt/pkg/runner/clip"
)

// Reasons of a node that is not ready.
const (
	reasonBuilding   = "Building"
	reasonNotReady   = "NotReady"
	reasonExited     = "Exited"
	reasonNotStarted = "NotStarted"
)

// maxCause bounds a cause, in bytes: the 20 lines of a traceback that are a part of it, of which the
// last one says the most. Output of a compiler is in the log.
const maxCause = 8 << 10

// whenSaved is what to do about code that does not run.
const whenSaved = "If it exits again, correct its code: it is started again when the file is saved."

// run applies an event of the run, and reports whether it changed what is shown.
func (s *state) run(e local.Event) bool {
	switch e.Type {
	case local.EventStarting:
		s.bundle, s.serving, s.began, s.phase = e.Bundle, e.Serving, time.Now(), phaseStarting
	case local.EventReady:
		s.serving, s.phase = e.Serving, phaseRunning
	case local.EventReloading:
		s.phase, s.cause, s.next = phaseReloading, "", ""
	case local.EventReloaded:
		s.reloaded(e)
	case local.EventReloadFailed:
		s.phase = phaseRunning
		previous := "the previous code keeps running"
		if len(e.Nodes) > 0 {
			previous = "the previous code of " + strings.Join(e.Nodes, ", ") + " does not run either: it exits. The reason"
		}
		s.cause = clip.Text("The last change was not loaded, and "+previous+": "+e.Error.Error(), maxCause)
		s.next = "Correct the file: it is loaded again when it is saved."
	case local.EventStopping:
		s.phase = phaseStopping
	case local.EventStopped:
		s.stopped(e.Error)
	default:
		return false
	}
	return s.bundle != nil
}

// reloaded applies a reload, which may have failed for some nodes: that was reported before.
func (s *state) reloaded(e local.Event) {
	if e.Bundle != nil {
		s.bundle = e.Bundle
	}
	s.phase = phaseRunning
	for name := range s.nodes {
		if _, found := s.bundle.Manifest.Node(name); !found {
			delete(s.nodes, name)
		}
	}
}

// node applies an event of a node, whose last line of output is given, and reports whether it
// changed what is shown.
func (s *state) node(e local.Event, last string) bool {
	o := s.of(e.Node)
	switch e.Type {
	case local.EventBuilding:
		if o.state == source.Starting { // else the previous code runs
			o.reason = reasonBuilding
		}
	case local.EventWaiting:
		if o.state == source.Starting {
			o.reason, o.cause = reasonNotReady, fmt.Sprintf("Node %s is not ready yet after %s.", e.Node, e.Took.Round(time.Second))
		}
	case local.EventNodeReady:
		*o = node{state: source.Ready, restarts: o.restarts}
	case local.EventNodeExited:
		o.fail(reasonExited, exited(e, last)+" It is started again.", whenSaved)
		o.restarts++
	default:
		return false
	}
	return s.bundle != nil
}

// exited is how the process of a node ended, in a sentence.
func exited(e local.Event, last string) string {
	text := fmt.Sprintf("The process of node %s ended (%v)", e.Node, e.Error)
	if last != "" {
		text += "; its last line was: " + last
	}
	return clip.Text(text, maxCause) + "."
}

func (o *node) fail(reason, cause, next string) {
	o.state, o.reason, o.cause, o.next = source.Failed, reason, cause, next
}

// stopped applies the end of the run, which may be an error.
func (s *state) stopped(err error) {
	for _, o := range s.nodes {
		if o.state != source.Failed {
			*o = node{state: source.Stopped, restarts: o.restarts}
		}
	}
	if s.phase = phaseStopped; err == nil || errors.Is(err, context.Canceled) { // before it was ready
		return
	}
	s.phase, s.cause, s.next = phaseFailed, clip.Text("The run has ended: "+err.Error(), maxCause), "Correct it, and start the run again."
	for _, err := range parts(err) {
		var (
			start *local.StartError
			build *gobuild.Error
		)
		switch {
		case errors.As(err, &start):
			s.of(start.Node).fail(reasonNotStarted, clip.Text(err.Error(), maxCause), "")
		case errors.As(err, &build):
			s.of(build.Node).fail(reasonNotStarted, clip.Text(err.Error(), maxCause), "")
		}
	}
}

// parts are the errors that were joined to err.
func parts(err error) (all []error) {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	for _, inner := range joined.Unwrap() {
		all = append(all, parts(inner)...)
	}
	return all
}
