package schema_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"krt.dev/kn-krt/pkg/schema"
)

func TestDescriptors(t *testing.T) {
	s, err := schema.CompileAll(t.Context(), fstest.MapFS{
		"public.proto": {Data: []byte(`syntax = "proto3";
package a;
import "google/api/annotations.proto";
import "google/protobuf/timestamp.proto";
// A comment.
message Request { google.protobuf.Timestamp at = 1; string secret = 2 [debug_redact = true]; }
service S { rpc Do(Request) returns (Request) { option (google.api.http) = {get: "/do"}; } }
`)},
		"nodes/between.proto": {Data: []byte(`syntax = "proto3"; package b; import "public.proto"; message Between { a.Request request = 1; }`)},
	}, schema.Options{Entry: "public.proto"})
	require.NoError(t, err)
	data := s.Descriptors()
	require.NotContains(t, string(data), "A comment.")
	require.Less(t, len(data), 1024, "built-in files are left out")

	files, err := schema.ReadDescriptors(data)
	require.NoError(t, err)
	between, err := files.FindDescriptorByName("b.Between")
	require.NoError(t, err)
	request := between.(protoreflect.MessageDescriptor).Fields().ByName("request").Message()
	require.Equal(t, protoreflect.FullName("google.protobuf.Timestamp"), request.Fields().ByName("at").Message().FullName())
	require.False(t, request.Fields().ByName("at").Message().IsPlaceholder())
	require.True(t, request.Fields().ByName("secret").Options().(*descriptorpb.FieldOptions).GetDebugRedact())
}

func TestDescriptorsThatAreTooLarge(t *testing.T) {
	var text strings.Builder
	text.WriteString("syntax = \"proto3\";\n")
	for i := range 2000 {
		fmt.Fprintf(&text, "message %s%d {}\n", strings.Repeat("M", 200), i)
	}
	s, err := schema.Compile(t.Context(), fstest.MapFS{"a.proto": {Data: []byte(text.String())}}, "a.proto", schema.Options{MaxBytes: 1 << 20})
	require.NoError(t, err)
	require.Nil(t, s.Descriptors())
	_, err = schema.ReadDescriptors(make([]byte, schema.MaxDescriptors+1))
	require.EqualError(t, err, "the descriptors have 262145 bytes, the limit is 262144")
}

func FuzzReadDescriptors(f *testing.F) {
	s, err := schema.Compile(f.Context(), fstest.MapFS{"a.proto": {Data: []byte(`syntax = "proto3"; message A { A a = 1; }`)}}, "a.proto",
		schema.Options{})
	require.NoError(f, err)
	f.Add(s.Descriptors())
	f.Add([]byte("x"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, _ = schema.ReadDescriptors(data)
	})
}
