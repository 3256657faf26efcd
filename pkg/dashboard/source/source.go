// Package source is what the dashboard shows, and where it gets it: versions with the states of
// their nodes and workflows, in the words of KRT V1. A cluster and a run on this machine are
// sources; the pages know neither.
package source

import (
	"cmp"
	"context"
	"fmt"
	"time"
)

// Source is where the pages get what they show, and do what their buttons say, with the rights
// of one user. Its methods may be called from many goroutines at a time. An error's text is shown
// to the user as it is; it never contains a value of a config variable.
type Source interface {
	// Versions returns the versions that the user may see, in the order of namespace and name.
	Versions(ctx context.Context) ([]Version, error)
	// Version returns one of them; if there is none the error is a [*NotFoundError].
	Version(ctx context.Context, ref Ref) (*Version, error)
	// Watch calls changed after the version, or with a zero Ref any version, has changed, and
	// once at its beginning. Several changes may be one call; the calls do not overlap. It
	// returns when ctx is done, or with an error when it can no longer tell.
	Watch(ctx context.Context, ref Ref, changed func()) error
	Actors
	Configs
	Histories
	Meters
	Predictors
	RequestKeepers
	LogReaders
	Authors
	Callers
	Measurers
	Dividers
	Inspectors
}

// Ref names a version.
type Ref struct{ Namespace, Name string }

// NotFoundError is returned for a version that does not exist, or that the user may not see.
type NotFoundError struct{ Ref Ref }

// Error names the version.
func (e *NotFoundError) Error() string {
	return "there is no version " + e.Ref.Name + " in namespace " + e.Ref.Namespace
}

// State is that of a version, a workflow or a node.
type State string

// States. Asleep is a node without pods that starts with the next request: nothing is wrong.
const (
	Stopped  State = "stopped"
	Starting State = "starting"
	Ready    State = "ready"
	Asleep   State = "asleep"
	Failed   State = "failed"
	Stopping State = "stopping"
)

// UnknownPods is the number of pods of a node whose pods the user may not see.
const UnknownPods = -1

// NoPods is the number of pods of a node that is a process of a run on this machine.
const NoPods = -2

// Version is a version and what has become of it.
type Version struct {
	Ref
	// Description is the manifest's.
	Description string
	// State is the version's, and Phase its word for people, such as "Published". A version that
	// is published may have failed since.
	State State
	Phase string
	// Published says that clients of the runtime reach this version, and Since when it was
	// published.
	Published bool
	Since     time.Time
	// Share is what the version gets of the requests while the namespace has a canary; nil if there is
	// none, or it gets nothing.
	Share *Share
	// Created is when the version was made; Comment what its user last said about it.
	Created time.Time
	Comment string
	// Delivery is how events travel: "Direct" or "Sequence".
	Delivery string
	// Address is host:port for gRPC, Web a URL for browsers; empty while there is none.
	Address, Web string
	// Cause says in a sentence why the version is not ready, and Next what to do about it, a
	// command as a rule; empty if there is nothing to say.
	Cause, Next string
	// Entrypoint is what serves its clients.
	Entrypoint Entrypoint
	// Nodes and Workflows are in the order of the manifest.
	Nodes     []Node
	Workflows []Workflow
}

// Entrypoint is the server of a version.
type Entrypoint struct {
	State State
	// Reason is the condition's word, Cause its sentence, Next what to do; empty if ready.
	Reason, Cause, Next string
}

// Node is a node of a version.
type Node struct {
	Name  string
	State State
	// Reason is the condition's word, Cause its sentence, Next what to do; empty if ready.
	Reason, Cause, Next string
	// Pods is how many there are, [UnknownPods] if the user may not see them, or [NoPods].
	Pods int
	// GPU says that the node needs one, and GPUs which or how many, as [GPUs] says it, if the node does.
	GPU  bool
	GPUs string
	// Image is what runs, Revision the Knative Revision; empty on this machine.
	Image, Revision string
	// Source is the file of the node's handler in the bundle, if it is known.
	Source string
	// Restarts is how often the containers of the node's pods have been started again.
	Restarts int
}

// Workflow is a workflow of a version: a line from the entrypoint through its nodes.
type Workflow struct {
	Name string
	// Method is the rpc as package.Service/Rpc.
	Method string
	// Nodes are the names of its nodes, in order.
	Nodes []string
	// State is Starting if one of its nodes is starting, Failed if one has failed.
	State         State
	Reason, Cause string
}

// GPUs is what a node says of the GPUs that it needs: "2 × nvidia.com/gpu"; empty for one of the usual kind.
func GPUs(resource string, count int) string {
	switch {
	case count > 1:
		return fmt.Sprintf("%d × %s", count, cmp.Or(resource, "GPU"))
	case resource != "":
		return resource
	}
	return ""
}
