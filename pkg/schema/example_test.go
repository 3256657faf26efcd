package schema_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"krt.dev/kn-krt/pkg/schema"
)

func TestExample(t *testing.T) {
	proto := `syntax = "proto3";
package test;
import "google/protobuf/any.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
message Empty {}
message Plain { string room_type = 1; int64 beds = 2; double price = 3; bool tv = 4; bytes image = 5; optional uint32 size = 6; }
enum Color { UNKNOWN = 0; RED = 1; }
enum Single { ONLY = 0; }
message Choice { Color color = 1; Single single = 2; oneof kind { string a = 3; int32 b = 4; } google.protobuf.Any any = 5; }
message Collections { repeated string names = 1; map<int32, Plain> rooms = 2; map<string, bool> flags = 3; }
message Known { google.protobuf.Timestamp at = 1; google.protobuf.Int64Value count = 2; repeated google.protobuf.StringValue texts = 3; }
message Tree { string name = 1; repeated Tree children = 2; map<string, Tree> named = 3; }
service Entrypoint { rpc A(Empty) returns (Empty); }
`
	s, err := schema.Compile(context.Background(), fstest.MapFS{"a.proto": {Data: []byte(proto)}}, "a.proto", schema.Options{})
	require.NoError(t, err)
	for name, want := range map[string]string{
		"Empty":  `{}`,
		"Plain":  `{"roomType": "text", "beds": 1, "price": 1.5, "tv": true, "image": "Ynl0ZXM=", "size": 1}`,
		"Choice": `{"color": "RED", "single": "ONLY", "a": "text"}`,
		"Collections": `{"names": ["text"], "rooms": {"1": {"roomType": "text", "beds": 1, "price": 1.5, "tv": true, "image": "Ynl0ZXM=", ` +
			`"size": 1}}, "flags": {"text": true}}`,
		"Known": `{"at": "2030-01-02T03:04:05Z", "count": 1, "texts": ["text"]}`,
		"Tree":  "",
	} {
		t.Run(name, func(t *testing.T) {
			m := s.Entry().Messages().ByName(protoreflect.Name(name))
			text := schema.Example(m)
			if want != "" {
				require.Equal(t, want, text)
			}
			require.NoError(t, protojson.Unmarshal([]byte(text), dynamicpb.NewMessage(m)), text)
			require.NotContains(t, text, "'", "it stands between single quotes in a shell")
		})
	}
}

// A small proto can describe an example of gigabytes.
func TestExampleIsBounded(t *testing.T) {
	var proto strings.Builder
	proto.WriteString("syntax = \"proto3\"; package test; service Entrypoint { rpc A(Wide) returns (Wide); } message Wide {\n")
	for i := range 100 {
		fmt.Fprintf(&proto, "Wide f%d = %d;\n", i, i+1)
	}
	proto.WriteString("}")
	s, err := schema.Compile(t.Context(), fstest.MapFS{"a.proto": {Data: []byte(proto.String())}}, "a.proto", schema.Options{})
	require.NoError(t, err)
	method, err := s.Method("A")
	require.NoError(t, err)
	example := schema.Example(method.Input())
	require.Less(t, len(example), 17<<10)
	require.True(t, json.Valid([]byte(example)))
}
