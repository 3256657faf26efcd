package kre

import (
	"encoding/json"
	"errors"
	"fmt"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"

	"krt.dev/kn-krt/pkg/runner"
	"krt.dev/kn-krt/pkg/runner/dict"
	"krt.dev/kn-krt/pkg/runner/event"
)

// jsonHandler is a handler of kre-go up to 1.8: it takes JSON, and its result is JSON
// for the next node, or after the last one the rpc's output.
type jsonHandler struct {
	handle func(*HandlerContext, []byte) (any, error)
	find   func(name string) protoreflect.MessageDescriptor
}

// current is h as a handler of the runner.
func (h jsonHandler) current(ctx *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
	text, err := dict.Decode(string(data.MessageName()), data.GetValue(), h.find, dict.Growth*runner.MaxMessageBytes(ctx))
	switch {
	case errors.Is(err, dict.ErrTooLarge):
		return nil, runner.Failed(code.Code_RESOURCE_EXHAUSTED, event.ReasonTooLarge, err)
	case err != nil:
		return nil, fmt.Errorf("cannot read the message as JSON for the handler: %w", err)
	}
	result, err := h.handle(newContext(ctx), text)
	if err != nil {
		return nil, err
	}
	if text, err = json.Marshal(result); err != nil {
		return nil, fmt.Errorf("cannot write the handler's result as JSON: %w", err)
	}
	name, encoded, err := dict.Encode(text)
	if err != nil {
		return nil, fmt.Errorf("cannot send the handler's result: %w", err)
	}
	// The encoded fields as they are: those of a Go map would lose their order.
	var out proto.Message = &structpb.Struct{}
	if name == dict.ValueName {
		out = &structpb.Value{}
	}
	out.ProtoReflect().SetUnknown(encoded)
	return out, nil
}

// finder returns a function that finds the messages of an encoded FileDescriptorSet. In
// one that cannot be read it finds none.
func finder(set string) func(name string) protoreflect.MessageDescriptor {
	files := &protoregistry.Files{}
	described := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal([]byte(set), described); err == nil {
		if made, err := protodesc.NewFiles(described); err == nil {
			files = made
		}
	}
	return func(name string) protoreflect.MessageDescriptor {
		found, err := files.FindDescriptorByName(protoreflect.FullName(name))
		if err != nil {
			return nil
		}
		message, _ := found.(protoreflect.MessageDescriptor)
		return message
	}
}
