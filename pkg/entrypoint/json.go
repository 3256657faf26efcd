package entrypoint

import (
	"errors"
	"fmt"
	"strings"

	"connectrpc.com/connect"
	"connectrpc.com/vanguard"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"
)

// answerJSON is the form of answers in JSON: a value of zero is shown, for a
// price or a probability of 0 is an answer too.
func answerJSON(types vanguard.TypeResolver) protojson.MarshalOptions {
	return protojson.MarshalOptions{Resolver: types, EmitDefaultValues: true}
}

// strictJSON is JSON in which a misspelt field is the caller's error, not a
// value quietly lost.
type strictJSON struct {
	*vanguard.JSONCodec
	table *table
}

// Unmarshal implements vanguard.Codec.
func (c strictJSON) Unmarshal(data []byte, m proto.Message) error {
	if err := c.table.unmarshalJSON(data, m); err != nil {
		why := connect.CodeInvalidArgument
		if errors.Is(err, errHeavy) {
			why = connect.CodeResourceExhausted
		}
		return connect.NewError(why, fmt.Errorf("the body is not a %s in JSON: %w", m.ProtoReflect().Descriptor().FullName(), err))
	}
	return nil
}

// MarshalAppend implements vanguard.Codec. An error is told on annotated paths as
// a google.rpc.Status, whose details are of types that no contract need know.
func (c strictJSON) MarshalAppend(to []byte, m proto.Message) ([]byte, error) {
	s, ok := m.(*spb.Status)
	if !ok {
		return c.JSONCodec.MarshalAppend(to, m)
	}
	return append(to, statusJSON(c.table.types, s)...), nil
}

// statusJSON is s in JSON, without those details whose types nobody knows.
func statusJSON(types *dynamicpb.Types, s *spb.Status) []byte {
	known := &spb.Status{Code: s.GetCode(), Message: strings.ToValidUTF8(s.GetMessage(), "\uFFFD")}
	for _, d := range s.GetDetails() {
		if _, err := (protojson.MarshalOptions{Resolver: detailTypes{types}}).Marshal(d); err == nil {
			known.Details = append(known.Details, d)
		}
	}
	text, _ := protojson.MarshalOptions{Resolver: detailTypes{types}}.Marshal(known) // each part of it has been tried
	return text
}

// detailTypes are the types of a contract, and for those that it does not have
// the ones that are linked in.
type detailTypes struct{ *dynamicpb.Types }

// FindMessageByURL implements protoregistry.MessageTypeResolver.
func (t detailTypes) FindMessageByURL(url string) (protoreflect.MessageType, error) {
	if found, err := t.Types.FindMessageByURL(url); err == nil {
		return found, nil
	}
	return protoregistry.GlobalTypes.FindMessageByURL(url)
}

// unmarshalJSON reads a message in JSON. The error is errHeavy if there is no memory for it.
func (t *table) unmarshalJSON(text []byte, m proto.Message) error {
	if strings.HasPrefix(string(text[:min(len(text), len(byteOrderMark))]), byteOrderMark) {
		return errors.New("it begins with a byte order mark (U+FEFF), which JSON does not allow; send UTF-8 without it")
	}
	end, err := t.decodings.begin(text, m.ProtoReflect().Descriptor())
	if err != nil {
		return err
	}
	defer end()
	if err := (protojson.UnmarshalOptions{Resolver: t.types}).Unmarshal(text, m); err != nil {
		return err
	}
	return checkDepth(text, m.ProtoReflect())
}
