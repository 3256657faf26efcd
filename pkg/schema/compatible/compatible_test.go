package compatible_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/reflect/protoreflect"

	"krt.dev/kn-krt/pkg/schema"
	"krt.dev/kn-krt/pkg/schema/compatible"
)

// methods are all rpcs of a contract that a workflow can serve.
func methods(t testing.TB, proto string) (all []protoreflect.MethodDescriptor, err error) {
	t.Helper()
	files := fstest.MapFS{"p.proto": {Data: []byte(proto)}}
	compiled, err := schema.Compile(t.Context(), files, "p.proto", schema.Options{})
	if err != nil {
		return nil, err
	}
	for _, m := range compiled.Methods() {
		if !m.IsStreamingClient() {
			all = append(all, m)
		}
	}
	return all, nil
}

// both are contracts that differ in their messages only.
func both(messages string) string {
	return `syntax = "proto3"; package p; service S { rpc Do (A) returns (A); } ` + messages
}

// up is a contract whose request differs, down one whose response does.
func up(message string) string {
	return `syntax = "proto3"; package p; service S { rpc Do (A) returns (Z); } message Z {} ` + message
}

func down(message string) string {
	return `syntax = "proto3"; package p; service S { rpc Do (Z) returns (A); } message Z {} ` + message
}

func proto2(message string) string { return strings.Replace(up(message), "proto3", "proto2", 1) }

func proto2Down(message string) string { return strings.Replace(down(message), "proto3", "proto2", 1) }

const annotated = `syntax = "proto3"; package p; import "google/api/annotations.proto"; message A { string id = 1; }
service S { rpc Do (A) returns (A) { option (google.api.http) = { get: "/v1/PATH/{id}" }; } }`

const streaming = `syntax = "proto3"; package p; service S { rpc Do (A) returns (stream A); } message A {}`

func TestCheck(t *testing.T) {
	for name, one := range map[string]struct {
		known, offered string
		problems       []string
	}{
		"the same":    {both(`message A { string a = 1; }`), both(`message A { string a = 1; }`), nil},
		"more fields": {both(`message A { string a = 1; }`), both(`message A { string a = 1; repeated int32 b = 2; }`), nil},
		"more rpcs": {up(`message A {}`),
			strings.Replace(up(`message A {}`), "rpc", "rpc Other (Z) returns (Z); rpc", 1), nil},
		"an optional field": {both(`message A { string a = 1; }`), both(`message A { optional string a = 1; }`), nil},
		"a name of a nested type": {both(`message A { B b = 1; } message B { int32 n = 1; }`),
			both(`message A { C b = 1; } message C { int32 n = 1; }`), nil},
		"it contains itself":      {both(`message A { A a = 1; }`), both(`message A { A a = 1; B b = 2; } message B { A a = 1; }`), nil},
		"a deprecated field less": {both(`message A { string a = 1 [deprecated = true]; }`), both(`message A {}`), nil},
		"an rpc less": {up(`message A {}`),
			strings.Replace(up(`message A {}`), "Do", "Did", 1), []string{`rpc p.S/Do has no workflow`}},
		"another package": {up(`message A {}`),
			strings.Replace(up(`message A {}`), "package p", "package q", 1), []string{`rpc p.S/Do has no workflow`}},
		"a field less": {both(`message A { string a = 1; }`), both(`message A {}`), []string{
			`rpc p.S/Do, request, field "a": it is missing`, `rpc p.S/Do, response, field "a": it is missing`}},
		"another message": {up(`message A {}`), strings.ReplaceAll(up(`message A {}`), "A", "B"), []string{
			`rpc p.S/Do, request: it is the message p.B, and was p.A`}},
		"another response": {down(`message A {}`), strings.ReplaceAll(down(`message A {}`), "A", "B"), []string{
			`rpc p.S/Do, response: it is the message p.B, and was p.A`}},
		"another type": {up(`message A { int32 a = 1; }`), up(`message A { sint32 a = 1; }`), []string{
			`rpc p.S/Do, request, field "a": its type is sint32, and was int32`}},
		"another number": {up(`message A { int32 a = 1; }`), up(`message A { int32 a = 2; }`), []string{
			`rpc p.S/Do, request, field "a": it is missing`}},
		"a list": {up(`message A { int32 a = 1; }`), up(`message A { repeated int32 a = 1; }`), []string{
			`rpc p.S/Do, request, field "a": it is repeated, and was a single value`}},
		"another name in JSON": {up(`message A { int32 a = 1; }`), up(`message A { int32 b = 1; }`), []string{
			`rpc p.S/Do, request, field "a": its name in JSON is "b", and was "a"`}},
		"deeper, in the response": {down(`message A { B b = 1; } message B { repeated C c = 2; } message C { bool d = 3; }`),
			down(`message A { B b = 1; } message B { repeated C c = 2; } message C { string d = 3; }`), []string{
				`rpc p.S/Do, response, field "b.c.d": its type is string, and was bool`}},
		"keys of a map": {up(`message A { map<string, string> a = 1; }`), up(`message A { map<int32, string> a = 1; }`), []string{
			`rpc p.S/Do, request, field "a": the type of its keys is int32, and was string`}},
		"values of a map": {up(`message A { map<string, string> a = 1; }`), up(`message A { map<string, bytes> a = 1; }`), []string{
			`rpc p.S/Do, request, field "a": its type is bytes, and was string`}},
		"a map that is a list": {up(`message A { map<string, string> a = 1; }`),
			up(`message A { repeated E a = 1; } message E { string key = 1; string value = 2; }`),
			[]string{`rpc p.S/Do, request, field "a": it is repeated, and was a map`}},
		"a time": {up(`import "google/protobuf/timestamp.proto"; message A { google.protobuf.Timestamp at = 1; }`),
			up(`message A { T at = 1; } message T { int64 seconds = 1; int32 nanos = 2; }`), []string{
				`rpc p.S/Do, request, field "at": it is a p.T, and was a google.protobuf.Timestamp`}},
		"a value more, in the request": {up(`message A { E e = 1; } enum E { X = 0; }`),
			up(`message A { E e = 1; } enum E { X = 0; Y = 1; }`), nil},
		"a value more, in the response": {down(`message A { E e = 1; } enum E { X = 0; }`),
			down(`message A { E e = 1; } enum E { X = 0; Y = 1; }`), nil},
		"a value more for closed enums": {proto2Down(`message A { optional E e = 1; } enum E { X = 0; }`),
			proto2Down(`message A { optional E e = 1; } enum E { X = 0; Y = 1; }`), []string{
				`rpc p.S/Do, response, field "e": value Y = 1 is new, and clients may refuse it`}},
		"a value less": {up(`message A { E e = 1; } enum E { X = 0; Y = 1; }`), up(`message A { E e = 1; } enum E { X = 0; }`), []string{
			`rpc p.S/Do, request, field "e": value Y = 1 is missing`}},
		"a value renamed": {up(`message A { E e = 1; } enum E { X = 0; Y = 1; }`),
			up(`message A { E e = 1; } enum E { X = 0; W = 1; }`), []string{
				`rpc p.S/Do, request, field "e": value Y = 1 is missing`}},
		"another first value": {proto2(`message A { optional E e = 1; } enum E { X = 1; Y = 2; }`),
			proto2(`message A { optional E e = 1; } enum E { Y = 2; X = 1; }`),
			[]string{`rpc p.S/Do, request, field "e": its default value differs`}},
		"another default": {proto2(`message A { optional int32 a = 1 [default = 1]; }`),
			proto2(`message A { optional int32 a = 1 [default = 2]; }`),
			[]string{`rpc p.S/Do, request, field "a": its default value differs`}},
		"it requires more": {proto2(`message A {}`), proto2(`message A { required int32 a = 1; }`), []string{
			`rpc p.S/Do, request, field "a": it is required, and not always sent`}},
		"it requires what was optional": {proto2(`message A { optional int32 a = 1; }`),
			proto2(`message A { required int32 a = 1; }`), []string{
				`rpc p.S/Do, request, field "a": it is required, and not always sent`}},
		"clients require it": {proto2Down(`message A { required int32 a = 1 [deprecated = true]; }`),
			proto2Down(`message A {}`), []string{
				`rpc p.S/Do, response, field "a": it is missing`}},
		"a field in a new oneof": {both(`message A { int32 a = 1; }`), both(`message A { oneof o { int32 a = 1; int32 b = 2; } }`), nil},
		"two fields in a new oneof": {up(`message A { int32 a = 1; int32 b = 2; }`),
			up(`message A { oneof o { int32 a = 1; int32 b = 2; } }`), []string{
				`rpc p.S/Do, request, field "b": it shares a oneof with "a" in one of the contracts only`}},
		"a oneof less, in the request": {up(`message A { oneof o { int32 a = 1; int32 b = 2; } }`),
			up(`message A { int32 a = 1; int32 b = 2; }`), nil},
		"a oneof less, in the response": {down(`message A { oneof o { int32 a = 1; int32 b = 2; } }`),
			down(`message A { int32 a = 1; int32 b = 2; }`), []string{
				`rpc p.S/Do, response, field "b": it shares a oneof with "a" in one of the contracts only`}},
		"other paths": {annotated, strings.Replace(annotated, "PATH", "other", 1),
			[]string{`rpc p.S/Do: its annotation google.api.http differs`}},
		"the same paths": {annotated, annotated, nil},
		"a stream":       {streaming, streaming, nil},
		"a stream now": {both(`message A {}`), streaming,
			[]string{`rpc p.S/Do: it returns a stream of messages, and returned one message`}},
		"no stream now": {streaming, both(`message A {}`),
			[]string{`rpc p.S/Do: it returns one message, and returned a stream of messages`}},
		"a field less, in a stream": {both(`message A { string a = 1; }`) + "service T { rpc Do (A) returns (stream A); }",
			both(`message A {}`) + "service T { rpc Do (A) returns (stream A); }", []string{
				`rpc p.S/Do, request, field "a": it is missing`, `rpc p.S/Do, response, field "a": it is missing`,
				`rpc p.T/Do, request, field "a": it is missing`, `rpc p.T/Do, response, field "a": it is missing`}},
	} {
		t.Run(name, func(t *testing.T) {
			known, err := methods(t, one.known)
			require.NoError(t, err)
			offered, err := methods(t, one.offered)
			require.NoError(t, err)
			require.Equal(t, one.problems, compatible.Check(known, offered))
		})
	}
}

func TestProblemsAreBounded(t *testing.T) {
	text := "message A {"
	for i := range 100 {
		text += fmt.Sprintf(" int32 f%d = %d;", i+1, i+1)
	}
	known, err := methods(t, up(text+"}"))
	require.NoError(t, err)
	offered, err := methods(t, up(`message A {}`))
	require.NoError(t, err)
	require.Len(t, compatible.Check(known, offered), 20)
}

// Whatever two contracts are, a contract serves its own clients, and comparing it with another ends.
func FuzzCheck(f *testing.F) {
	f.Add(both(`message A { A a = 1; map<string, B> m = 2; } message B { oneof o { A a = 1; E e = 2; } } enum E { X = 0; }`),
		up(`message A { B b = 1; } message B { A a = 1; }`))
	f.Add(annotated, proto2(`message A { required int32 a = 1; optional E e = 2 [default = Y]; } enum E { X = 1; Y = 2; }`))
	f.Add(down(`import "google/protobuf/struct.proto"; message A { google.protobuf.Value v = 1; google.protobuf.NullValue n = 2; }`),
		down(`message A { repeated bytes v = 1; }`))
	f.Fuzz(func(t *testing.T, one, other string) {
		known, err := methods(t, one)
		if err != nil {
			return
		}
		require.Empty(t, compatible.Check(known, known))
		if offered, err := methods(t, other); err == nil {
			require.LessOrEqual(t, len(compatible.Check(known, offered)), 20)
			require.LessOrEqual(t, len(compatible.Check(offered, known)), 20)
		}
	})
}
