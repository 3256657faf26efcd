package local

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"syscall"

	"krt.dev/kn-krt/pkg/cli/bundle"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/gobuild"
	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/krt/configvalue"
	"krt.dev/kn-krt/pkg/local"
)

// explain adds a hint to err.
func (o *runOptions) explain(err error) error {
	var (
		problems krt.Problems
		missing  *configvalue.MissingError
		port     *local.PortError
		state    *local.StateDirError
		start    *local.StartError
	)
	switch {
	case errors.Is(err, context.Canceled):
		return term.WithCode(term.ExitInterrupted, errors.New("interrupted before the version was ready"))
	case errors.Is(err, local.ErrKilled):
		return term.WithCode(term.ExitInterrupted, err)
	case errors.As(err, &problems):
		return bundle.RequireValid(problems, o.streams, o.path)
	case errors.As(err, &missing):
		return explainMissing(err, missing)
	case errors.As(err, &port):
		return explainPort(port)
	case errors.As(err, &state):
		return term.WithHint(state, "Name an empty folder, or one that does not exist, with --state-dir.")
	case errors.Is(err, gobuild.ErrNoGo):
		return term.WithHint(err, "Install Go (https://go.dev/dl), or build the node elsewhere and name the program as its src: bin/NODE.")
	case errors.Is(err, local.ErrRunning):
		return term.WithHint(err, "Stop the other run, or give this one another folder with --state-dir DIR.")
	case errors.As(err, &start) && startHint(start) != "":
		return term.WithHint(err, "%s", startHint(start))
	}
	if errors.Is(err, syscall.ENOSPC) {
		return term.WithHint(err, "Free room there, or name other folders: --state-dir for what is kept, the variable TMPDIR for the rest.")
	}
	return bundle.ExplainFile(err)
}

// explainPort adds what to do about a port that cannot be had.
func explainPort(err *local.PortError) error {
	if errors.Is(err, syscall.EADDRNOTAVAIL) {
		return term.WithHint(err, "Name an address of this machine with --listen, or leave it out for 127.0.0.1.")
	}
	return term.WithHint(err, "Choose another port with --%s-port N, or any free one with --%s-port 0.", err.Port, err.Port)
}

// startHint is what to do about a node that did not start; "" if only its output tells.
func startHint(e *local.StartError) string {
	if errors.Is(e, local.ErrNotReady) {
		return "Its init has not returned: see what it waits for, or give it longer with --start-timeout 15m."
	}
	if module := missingModule(e); module != "" {
		return fmt.Sprintf("A local run uses the packages of your Python: install the one that has the module %q there, "+
			"or name another Python with KRT_PYTHON=PATH.", module)
	}
	return ""
}

// noModule is how Python reports a module that it does not have.
var noModule = regexp.MustCompile(`^ModuleNotFoundError: No module named '([\w.]{1,100})'`)

// missingModule returns the module that the code of a Python node imports and its Python does
// not have; "" if that is not why the node did not start.
func missingModule(e *local.StartError) string {
	for _, line := range e.Output {
		if found := noModule.FindStringSubmatch(line); found != nil {
			return found[1]
		}
	}
	return ""
}

// explainMissing adds to err how config gets the values that it lacks.
func explainMissing(err error, missing *configvalue.MissingError) error {
	files := ""
	if len(missing.Files) > 0 {
		files = fmt.Sprintf("the content of a file with --set-from-file %s=PATH", missing.Files[0])
	}
	switch {
	case len(missing.Variables) == 0:
		return term.WithHint(err, "Give %s.", files)
	case files != "":
		files = "; " + files
	}
	return term.WithHint(err, "Give values with --set %s=VALUE, in a file with --env-file, or in the environment%s.",
		missing.Variables[0], files)
}
