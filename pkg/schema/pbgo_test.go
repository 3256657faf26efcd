package schema_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/schema"
	"krt.dev/kn-krt/pkg/schema/gen"
)

const goProto = "syntax = \"proto3\";\npackage p;\nmessage A { string x = 1; }\n"

// goFile is a Go file whose variable name has the serialized file a.proto with package p, message A and
// its field x, as []byte.
func goFile(name string, serialized []byte, around string) string {
	list := make([]string, len(serialized))
	for i, b := range serialized {
		list[i] = fmt.Sprintf("0x%02x", b)
	}
	return "package proto\n\nvar (\n\tx = 1\n)\n\nvar " + name + " = " +
		fmt.Sprintf(around, "[]byte{\n\t// bytes\n\t"+strings.Join(list, ", ")+",\n}") + "\n\nfunc init() {}\n"
}

func TestStaleGo(t *testing.T) {
	made := []byte("\n\x07a.proto\x12\x01p\"\x0e\n\x01A\x12\t\n\x01x\x18\x01 \x01(\tb\x06proto3")
	var zip bytes.Buffer
	w := gzip.NewWriter(&zip)
	_, err := w.Write(made)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	now, err := schema.CompileAll(t.Context(), files("protos/a.proto", goProto), schema.Options{})
	require.NoError(t, err)
	later, err := schema.CompileAll(t.Context(), files("protos/a.proto", strings.Replace(goProto, "x = 1", "y = 1", 1)), schema.Options{})
	require.NoError(t, err)
	generated, err := gen.Go(now, gen.GoOptions{ImportPath: "example.org/p"})
	require.NoError(t, err)
	for name, text := range map[string]string{
		"as it is generated": string(generated[0].Content),
		"a string of bytes":  goFile("file_a_proto_rawDesc", made, "string(%s)"),
		"bytes":              goFile("file_a_proto_rawDesc", made, "%s"),
		"compressed":         goFile("fileDescriptor_1f2e", zip.Bytes(), "%s"),
	} {
		t.Run(name, func(t *testing.T) {
			require.Empty(t, now.StaleGo([]byte(text)))
			require.Equal(t, "protos/a.proto", later.StaleGo([]byte(text)))
		})
	}
	for name, text := range map[string]string{
		"no Go": "print('hello')", "nothing": "", "other code": "package x\n\nvar y = 1\n",
		"no bytes":          "package x\n\nvar file_rawDesc = f(1, 256)\n",
		"not compressed":    "package x\n\nvar fileDescriptor_x = []byte{1, 2}\n",
		"not a descriptor":  "package x\n\nvar file_rawDesc = \"\\xff\"\n",
		"an open literal":   "package x\n\nvar file_rawDesc = \"",
		"nothing after its": "package x\n\nvar file_rawDesc =",
	} {
		t.Run(name, func(t *testing.T) { require.Empty(t, later.StaleGo([]byte(text))) })
	}
}

func FuzzStaleGo(f *testing.F) {
	s, err := schema.CompileAll(f.Context(), files("a.proto", goProto), schema.Options{})
	require.NoError(f, err)
	f.Add([]byte("package x\n\nvar file_rawDesc = \"\" +\n\t\"\\n\\aa.proto\"\n"))
	f.Add([]byte("package x\n\nvar fileDescriptor_x = []byte{1, 2}\n"))
	f.Fuzz(func(t *testing.T, text []byte) { require.Contains(t, []string{"", "a.proto"}, s.StaleGo(text)) })
}
