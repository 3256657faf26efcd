package web

import (
	"fmt"
	"net/http"

	"krt.dev/kn-krt/pkg/runner/clip"
)

// NoWorkflow refuses an event for a workflow that the version does not have; workflows names those that it has.
func NoWorkflow(version, name, workflows string) *EventError {
	return &EventError{Status: http.StatusNotFound,
		Text: fmt.Sprintf("version %q has no workflow %q; it has %s", version, clip.Text(name, 64), workflows)}
}

// NoSuchType refuses an event of a type that names neither a workflow nor an rpc.
func NoSuchType(version, name, workflows string) *EventError {
	return &EventError{Status: http.StatusNotFound,
		Text: fmt.Sprintf("type %q is neither a workflow nor an rpc of version %q; "+
			"POST /workflows/<name> or set the extension krtworkflow to one of %s", clip.Text(name, 128), version, workflows)}
}

// NotForEvents refuses an event for a streaming rpc: the response to an event is one event, and nobody reads
// what comes after it.
func NotForEvents(workflow, path string) *EventError {
	return &EventError{Status: http.StatusNotAcceptable, Text: fmt.Sprintf("workflow %q responds with a stream of messages, "+
		"and the response to an event is one event: send the message without the event, as JSON, by POST %s or /workflows/%s, "+
		"with Accept: text/event-stream or application/json", workflow, path, workflow)}
}

// NotAnEvent refuses what is sent to the path of a workflow, whose rpc has another path, and is not an event.
func NotAnEvent(workflow, path string) *EventError {
	return badEvent("the request is not a CloudEvent, which /workflows/%s takes: POST plain JSON to %s, or send an event: with the "+
		"headers ce-specversion: 1.0, ce-id, ce-source and ce-type, or with Content-Type: %s", workflow, path, structuredType)
}
