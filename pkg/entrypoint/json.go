package entrypoint

import (
	"errors"
	"fmt"
	"strings"

	"connectrpc.com/connect"
	"connectrpc.com/vanguard"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
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
	types *dynamicpb.Types
}

// Unmarshal implements vanguard.Codec.
func (c strictJSON) Unmarshal(data []byte, m proto.Message) error {
	if err := unmarshalJSON(c.types, data, m); err != nil {
		return connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("the body is not a %s in JSON: %w", m.ProtoReflect().Descriptor().FullName(), err))
	}
	return nil
}

// unmarshalJSON reads a message in JSON.
func unmarshalJSON(types *dynamicpb.Types, text []byte, m proto.Message) error {
	if strings.HasPrefix(string(text[:min(len(text), len(byteOrderMark))]), byteOrderMark) {
		return errors.New("it begins with a byte order mark (U+FEFF), which JSON does not allow; send UTF-8 without it")
	}
	if err := (protojson.UnmarshalOptions{Resolver: types}).Unmarshal(text, m); err != nil {
		return err
	}
	return checkDepth(text, m.ProtoReflect())
}
