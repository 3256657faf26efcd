package schema

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// What is accepted is what every decoder of Protocol Buffers takes: they count the
// messages of the encoded form, those of map entries too.
func TestJSONIsAsDeepAsDecodersTake(t *testing.T) {
	for levels := 1; levels < 60; levels++ {
		text := []byte(strings.Repeat(`{"b}}\"}":"}", "a":`, levels) + `"}{"` + strings.Repeat(`}`, levels))
		m := &structpb.Struct{}
		require.NoError(t, protojson.Unmarshal(text, m))
		encoded, err := proto.Marshal(m)
		require.NoError(t, err)
		decodes := proto.UnmarshalOptions{RecursionLimit: MaxNesting}.Unmarshal(encoded, &structpb.Struct{})
		require.Equal(t, decodes == nil, CheckDepth(text, m.ProtoReflect()) == nil, "%d levels: %v", levels, decodes)
	}
}
