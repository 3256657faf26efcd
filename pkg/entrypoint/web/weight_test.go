package web

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/structpb"

	"krt.dev/kn-krt/pkg/entrypoint/memory"
)

func TestDecodingJSONIsBounded(t *testing.T) {
	values, messages := (&structpb.Struct{}).ProtoReflect().Descriptor(), (&descriptorpb.FileDescriptorProto{}).ProtoReflect().Descriptor()
	list := func(one string, some int) string { return `{"a":[` + strings.Repeat(one+",", some) + one + `]}` }
	for name, c := range map[string]struct {
		kind  protoreflect.MessageDescriptor
		text  string
		taken bool
	}{
		"many values":                       {values, list("1", 2_000_000), false},
		"many empty lists":                  {values, list("[]", 1_000_000), false},
		"many messages":                     {messages, list("{}", 1_000_000), false},
		"values of a usual size":            {values, list("0.123456789012", 100_000), true},
		"a long list of numbers":            {messages, list("0.12345678", 380_000), true},
		"text with commas is not a list":    {values, `{"a":"` + strings.Repeat(",", 4<<20) + `"}`, true},
		"a quote in a text does not end it": {values, `{"a":"` + strings.Repeat(`\",`, 1<<20) + `"}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			const limit = 256 << 20
			b := memory.New(limit, new(atomic.Int64), 16)
			decoded, err := decode(b, []byte(c.text), c.kind)
			if !c.taken {
				require.ErrorIs(t, err, errDense)
			} else {
				require.NoError(t, err)
				require.False(t, b.Decode(limit/2), "it is counted")
				left := limit/2 - jsonWeight([]byte(c.text), c.kind)
				require.True(t, b.Decode(left), "by others")
				_, busy := decode(b, []byte(c.text), c.kind)
				require.ErrorIs(t, busy, errHeavy, "there is room for it later")
				b.Decoded(left)
				decoded()
			}
			require.True(t, b.Decode(limit/2), "it is given back")
			require.Zero(t, b.Used())
		})
	}
}
