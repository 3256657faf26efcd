package web

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

	"krt.dev/kn-krt/pkg/entrypoint/memory"
	"krt.dev/kn-krt/pkg/runner/clip"
	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/pkg/schema"
)

// JSON reads and writes the messages of a version's contract.
type JSON struct {
	types  *dynamicpb.Types
	budget *memory.Budget
	limit  int // bytes of a message
}

// NewJSON returns the JSON of a contract with the given types. What decoding takes
// is counted in budget. A message that is read has at most limit bytes in protobuf.
func NewJSON(types *dynamicpb.Types, budget *memory.Budget, limit int) *JSON {
	return &JSON{types, budget, limit}
}

// response is the form of responses: a value of zero is shown, because a price or a
// probability of 0 is a result too.
func (j *JSON) response() protojson.MarshalOptions {
	return protojson.MarshalOptions{Resolver: j.types, EmitDefaultValues: true}
}

// codec returns the codec for a transcoder.
func (j *JSON) codec(types vanguard.TypeResolver) vanguard.Codec {
	return strictJSON{&vanguard.JSONCodec{
		MarshalOptions:   j.response(),
		UnmarshalOptions: protojson.UnmarshalOptions{Resolver: types},
	}, j}
}

// protoCodec is protobuf, of which a malformed message is an error.
type protoCodec struct {
	*vanguard.ProtoCodec
	options proto.UnmarshalOptions
}

// newProtoCodec returns the codec for a transcoder.
func newProtoCodec(types vanguard.TypeResolver) vanguard.Codec {
	return protoCodec{vanguard.NewProtoCodec(types), proto.UnmarshalOptions{Resolver: types}}
}

// Unmarshal implements vanguard.Codec. Only responses of nodes are decoded.
func (c protoCodec) Unmarshal(data []byte, m proto.Message) error {
	if err := event.Decode(c.options, data, m); err != nil {
		return connect.NewError(connect.CodeInternal, fmt.Errorf("the response cannot be written as JSON: %w", err))
	}
	return nil
}

// strictJSON is JSON in which a misspelt field is the client's error, not a value
// that is silently lost.
type strictJSON struct {
	*vanguard.JSONCodec
	json *JSON
}

// Unmarshal implements vanguard.Codec.
func (c strictJSON) Unmarshal(data []byte, m proto.Message) error {
	if err := c.json.unmarshal(data, m); err != nil {
		return notJSON(err, m)
	}
	return nil
}

// notJSON refuses a call whose body could not be read as m because of err.
func notJSON(err error, m proto.Message) *connect.Error {
	if large := new(sizeError); errors.As(err, &large) {
		return ConnectError(sizeFailure(large.text))
	}
	why := connect.CodeInvalidArgument
	if errors.Is(err, errHeavy) {
		why = connect.CodeResourceExhausted
	}
	return connect.NewError(why, fmt.Errorf("the body is not a %s in JSON: %w", m.ProtoReflect().Descriptor().FullName(), err))
}

// MarshalAppend implements vanguard.Codec. An error is reported on annotated paths
// as a google.rpc.Status, whose details are of types that no contract need know. A response
// is emptied: the transcoder keeps it for as long as the client takes to read its text.
func (c strictJSON) MarshalAppend(to []byte, m proto.Message) ([]byte, error) {
	s, ok := m.(*spb.Status)
	if !ok {
		defer proto.Reset(m)
		return c.JSONCodec.MarshalAppend(to, m)
	}
	return append(to, statusJSON(c.json.types, s)...), nil
}

// statusJSON is s in JSON, without the details whose types are not known.
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

// unmarshal reads a message. The error is errHeavy if there is no memory for it, and a sizeError if it is too large.
func (j *JSON) unmarshal(text []byte, m proto.Message) error {
	if strings.HasPrefix(string(text[:min(len(text), len(byteOrderMark))]), byteOrderMark) {
		return errors.New("it begins with a byte order mark (U+FEFF), which JSON does not allow; send UTF-8 without it")
	}
	decoded, err := decode(j.budget, text, m.ProtoReflect().Descriptor())
	if err != nil {
		return err
	}
	defer decoded()
	if err := (protojson.UnmarshalOptions{Resolver: j.types}).Unmarshal(text, m); err != nil {
		return errors.New(clip.Text(schema.JSONError(text, err), maxRefusal)) // it quotes whole values
	}
	if err := schema.CheckDepth(text, m.ProtoReflect()); err != nil || len(text) <= j.limit/mostGrowth {
		return err
	}
	if n := proto.Size(m); n > j.limit {
		return &sizeError{fmt.Sprintf("the message has %d bytes in protobuf, the limit is %d%s", n, j.limit, event.LimitNamed)}
	}
	return nil
}

// mostGrowth is how many times as large as its JSON a message may be in protobuf, and more: a list of numbers 0 that are
// google.protobuf.Value grows five times.
const mostGrowth = 8
