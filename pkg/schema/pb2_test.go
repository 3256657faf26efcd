package schema_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/schema"
)

func TestStaleModule(t *testing.T) {
	s, err := schema.CompileAll(t.Context(), files("protos/a.proto",
		"syntax = \"proto3\";\npackage p;\nmessage A { string x = 1; }\noption go_package = \"./x\";"), schema.Options{})
	require.NoError(t, err)
	// What protoc wrote for a.proto with package p, message A and its field x.
	const made = `\n\x07\x61.proto\x12\x01p\"\x0e\n\x01\x41\x12\t\n\x01x\x18\x01 \x01(\tb\x06proto3`
	for name, c := range map[string]struct{ text, want string }{
		"as it is":         {"DESCRIPTOR = _descriptor_pool.Default().AddSerializedFile(b'" + made + "')\n", ""},
		"before 3.20":      {"DESCRIPTOR = _descriptor.FileDescriptor(\n  name='a.proto',\n  serialized_pb=b'" + made + "'\n)", ""},
		"Python 2":         {"  serialized_pb=_b('" + made + "')\n", ""},
		"another field":    {"x.AddSerializedFile(b'" + strings.Replace(made, `\x01x`, `\x01y`, 1) + "')", "protos/a.proto"},
		"another package":  {"x.AddSerializedFile(b'" + strings.Replace(made, `\x01p`, `\x01q`, 1) + "')", ""},
		"no module at all": {"print('hello')", ""},
		"not a descriptor": {`x.AddSerializedFile(b'\xff\777\x')`, ""},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, s.StaleModule([]byte(c.text))) })
	}
}
