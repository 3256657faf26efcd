package web

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/cloudevents/sdk-go/v2/binding"
	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"krt.dev/kn-krt/pkg/runner/event"
)

// Result is the response to a request whose client fetches it later.
type Result struct {
	// ID is the request's, CausationID that of the event that the client sent; it may be empty.
	ID, CausationID string
	// Source is that of the version's events, Output the type of the message in Data.
	Source string
	Output protoreflect.MessageDescriptor
	Data   []byte
}

// Write responds with the result in the form that the client accepts: protobuf, a CloudEvent in
// structured mode, or else JSON.
func (x Result) Write(w http.ResponseWriter, accept string, json *JSON) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	switch {
	case strings.Contains(accept, structuredType):
		in := &Event{&cloudevents.Event{Context: cloudevents.EventContextV1{}.AsV1()}, binding.EncodingStructured}
		in.SetID(x.ID)
		if x.CausationID != "" {
			in.SetID(x.CausationID)
		}
		in.SetSource(x.Source)
		in.Respond(w, json, x.Source, x.Output, x.Data)
		return
	case strings.Contains(accept, "protobuf"):
		w.Header().Set("Content-Type", event.ContentType)
		_, _ = w.Write(x.Data)
		return
	}
	message := dynamicpb.NewMessage(x.Output)
	err := event.Decode(proto.UnmarshalOptions{Resolver: json.types}, x.Data, message)
	var text []byte
	if err == nil {
		text, err = json.response().Marshal(message)
	}
	if err != nil {
		WriteFailure(w, &spb.Status{Code: int32(code.Code_INTERNAL), Message: fmt.Sprintf("the result cannot be written as JSON: %v", err)})
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(text, '\n'))
}
