package capture

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/pkg/schema"
)

const protos = `syntax = "proto3";
package t;
import "google/protobuf/any.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
enum Colour { NONE = 0; RED = 1; }
message Card { string number = 1; int64 code = 2; string owner = 3; }
message All {
  string text = 1;
  Card card = 2;
  repeated Card cards = 3;
  map<string, Card> named = 4;
  map<string, string> labels = 5;
  google.protobuf.Struct extra = 6;
  google.protobuf.Any any = 7;
  google.protobuf.Timestamp at = 8;
  google.protobuf.StringValue word = 9;
  bytes data = 10;
  double ratio = 11;
  Colour colour = 12;
  oneof one { string left = 13; All right = 14; }
  optional int32 maybe = 15;
  optional string pin = 17 [json_name = "secretCode"];
  string hidden_name = 16 [debug_redact = HIDDEN];
}
`

// files are the protos; hidden says whether one field is marked with debug_redact.
func files(t testing.TB, hidden bool) *protoregistry.Files {
	t.Helper()
	text := strings.ReplaceAll(protos, "HIDDEN", fmt.Sprint(hidden))
	s, err := schema.Compile(t.Context(), fstest.MapFS{"t.proto": {Data: []byte(text)}}, "t.proto", schema.Options{})
	require.NoError(t, err)
	return s.Registry()
}

func contract(t testing.TB, s Settings) *Contract {
	t.Helper()
	c, err := NewContract(files(t, false), s)
	require.NoError(t, err)
	return c
}

// all returns the bytes of a t.All that is given as JSON.
func all(t testing.TB, text string) []byte {
	t.Helper()
	registry := files(t, false)
	d, err := registry.FindDescriptorByName("t.All")
	require.NoError(t, err)
	m := dynamicpb.NewMessage(d.(protoreflect.MessageDescriptor))
	require.NoError(t, protojson.UnmarshalOptions{Resolver: dynamicpb.NewTypes(registry)}.Unmarshal([]byte(text), m))
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(m) // in the order of fields
	require.NoError(t, err)
	return data
}

// of returns the record of a request.
func of(id string, steps ...string) *record.Record {
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r := &record.Record{
		ID: id, Version: "v1", Workflow: "flow", Method: "t.S/Do", Protocol: record.GRPC, Begin: begin, End: begin.Add(12500 * time.Microsecond),
		RequestBytes: 3, ResponseBytes: 4,
	}
	for i, node := range steps {
		at := begin.Add(time.Duration(i) * time.Millisecond)
		r.Steps = append(r.Steps, record.Step{Node: node, Start: at, Run: time.Millisecond, SpanID: [8]byte{1}, Outcome: event.OutcomeOK})
		r.Sends = append(r.Sends, record.Send{Node: node, Begin: at, End: at.Add(time.Millisecond), Attempt: 1, Result: record.ResultOK})
	}
	return r
}

func failed(r *record.Record, node string) *record.Record {
	r.Code, r.Node, r.Reason, r.Error, r.ResponseBytes = code.Code_INTERNAL, node, event.ReasonHandlerError, "error in '"+node+"': no", 0
	return r
}

// bytesOf returns all texts and bytes that can be reached from v, those behind the end of
// slices included: what a dump of its memory holds.
func bytesOf(v any) string {
	var out strings.Builder
	seen := map[uintptr]bool{}
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer:
			if !v.IsNil() && !seen[v.Pointer()] {
				seen[v.Pointer()] = true
				walk(v.Elem())
			}
		case reflect.Interface:
			walk(v.Elem())
		case reflect.Struct:
			for i := range v.NumField() {
				walk(v.Field(i))
			}
		case reflect.Map:
			for _, key := range v.MapKeys() {
				walk(key)
				walk(v.MapIndex(key))
			}
		case reflect.Slice:
			if v.IsNil() {
				return
			}
			v = v.Slice3(0, v.Cap(), v.Cap())
			if v.Type().Elem().Kind() == reflect.Uint8 {
				out.Write(v.Bytes())
				return
			}
			fallthrough
		case reflect.Array:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.String:
			out.WriteString(v.String())
		}
	}
	walk(reflect.ValueOf(v))
	return out.String()
}
