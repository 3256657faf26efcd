package local

import (
	"time"

	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/krt"
)

// Reporter receives what happens in a run. Its methods are called from many
// goroutines at a time, and a slow one slows the nodes' output down.
type Reporter interface {
	// Line is one line that a component wrote: node is its name, or "entrypoint";
	// stream is "stdout" or "stderr". Log lines of runners and of the entrypoint are JSON
	// objects; package logline reads them.
	Line(node, stream, line string)
	// Event is something that happened.
	Event(e Event)
}

// EventType is the kind of an event.
type EventType string

// What happens in a run.
const (
	EventWarning      EventType = "warning"       // Text: something to know
	EventState        EventType = "state"         // StateDir: the run's folder
	EventStarting     EventType = "starting"      // Nodes of Bundle are about to be built and started; see Serving
	EventBuilding     EventType = "building"      // Node is being compiled
	EventWaiting      EventType = "waiting"       // Node is not ready yet after Took
	EventNodeReady    EventType = "node-ready"    // Node takes requests, Took after its start
	EventNodeExited   EventType = "node-exited"   // Node exited (Error); it is started again after Delay
	EventReady        EventType = "ready"         // the version accepts requests: see Serving
	EventRequest      EventType = "request"       // Request has its response, or the work behind that has ended
	EventReloading    EventType = "reloading"     // Text: what changed; Nodes are started again
	EventReloaded     EventType = "reloaded"      // Nodes run the new code of Bundle, Took after the change
	EventReloadFailed EventType = "reload-failed" // Error; what ran before still runs. Nodes do not: they have exited
	EventStopping     EventType = "stopping"      // no more requests are taken
	EventStopped      EventType = "stopped"       // nothing is left; Error, if any, is what Run returns
)

// Event is something that happened in a run; which fields are set is documented at
// its type.
type Event struct {
	Type     EventType
	Node     string
	Nodes    []string
	Language string // "python" or "go"
	Text     string
	StateDir string
	Took     time.Duration
	Delay    time.Duration
	Error    error
	// Bundle is what runs. It is not changed: after a reload it is another one.
	Bundle  *krt.Bundle
	Serving *Serving
	Request *record.Record
}

// Serving describes how to call a running version.
type Serving struct {
	Version string
	// GRPC, Web and Reply are host:port.
	GRPC, Web, Reply string
	// Dashboard is the URL of the dashboard; "" if there is none.
	Dashboard string
	// Inspection is where the last requests can be read, host:port; "" if nowhere.
	Inspection string
	// Store is the Unix socket of the store.
	Store string
	// Traces is the URL of the collector that gets the traces; "" if none are recorded.
	Traces    string
	Workflows []ServingWorkflow
}

// ServingWorkflow is a workflow and an example of a call.
type ServingWorkflow struct {
	Name string
	// Method is "pkg.Service/Method".
	Method string
	// Streams is whether it returns a stream of responses.
	Streams bool
	// Example is a JSON request with a value in each field.
	Example string
}
