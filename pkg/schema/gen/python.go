package gen

import (
	"bytes"
	_ "embed"
	"fmt"
	"strings"
	"text/template"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"krt.dev/kn-krt/pkg/schema"
)

//go:embed pb2.py.tmpl
var pb2Template string

// Python returns a module for each of the bundle's protos in s, as protoc would name them:
// "sub/my-file.proto" is "sub/my_file_pb2.py". They run with protobuf 3.12 and later, with
// each of its implementations. Services get no code. Protos of google/api and google/rpc are
// registered by the modules that need them where their own modules are not installed.
func Python(s *schema.Schema) ([]File, error) {
	pb2, err := template.New("pb2").Funcs(template.FuncMap{"str": textLiteral, "bytes": bytesLiteral}).Parse(pb2Template)
	if err != nil {
		return nil, fmt.Errorf("cannot generate Python code: %w", err)
	}
	var files []File
	for _, file := range own(s) {
		var text bytes.Buffer
		module, err := newPythonModule(file)
		if err == nil {
			err = pb2.Execute(&text, module)
		}
		if err != nil {
			return nil, fmt.Errorf("cannot generate Python code for %q: %w", file.Path(), err)
		}
		files = append(files, File{Path: strings.ReplaceAll(module.Name, ".", "/") + ".py", Content: text.Bytes()})
	}
	return files, nil
}

// pythonModule is what the template takes.
type pythonModule struct {
	Source  string // path of the proto
	Name    string // of the module
	Imports []pythonImport
	Data    []byte // the serialized descriptor
}

type pythonImport struct {
	Source string // path of the proto
	Name   string // of the module
	Public bool   // its names are this module's too
	// Data is the serialized descriptor of a file whose module may be missing, else empty.
	Data []byte
}

func newPythonModule(file protoreflect.FileDescriptor) (*pythonModule, error) {
	data, err := serialized(file)
	if err != nil {
		return nil, err
	}
	m := &pythonModule{Source: file.Path(), Name: moduleName(file.Path()), Data: data}
	seen := map[string]bool{}
	for i := range file.Imports().Len() {
		dependency := file.Imports().Get(i)
		if err := m.add(dependency, dependency.IsPublic, seen); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// add adds the import of file. One whose module may not be installed comes after all it
// imports itself, so that it can be registered here.
func (m *pythonModule) add(file protoreflect.FileDescriptor, public bool, seen map[string]bool) error {
	if seen[file.Path()] {
		return nil
	}
	seen[file.Path()] = true
	imported := pythonImport{Source: file.Path(), Name: moduleName(file.Path()), Public: public}
	if google(file.Path()) && !strings.HasPrefix(file.Path(), "google/protobuf/") {
		for i := range file.Imports().Len() {
			if err := m.add(file.Imports().Get(i).FileDescriptor, false, seen); err != nil {
				return err
			}
		}
		data, err := serialized(file)
		if err != nil {
			return err
		}
		imported.Data, imported.Public = data, false
	}
	m.Imports = append(m.Imports, imported)
	return nil
}

// moduleName returns the name of the module that protoc makes of a proto.
func moduleName(proto string) string {
	name := strings.ReplaceAll(strings.TrimSuffix(proto, ".proto"), "-", "_")
	return strings.ReplaceAll(name, "/", ".") + "_pb2"
}

// serialized returns file's descriptor. Its bytes are those that protoc
// writes, so that a module of ours and one of protoc's in one process do not clash.
func serialized(file protoreflect.FileDescriptor) ([]byte, error) {
	described := protodesc.ToFileDescriptorProto(file)
	described.SourceCodeInfo = nil
	dropJSONNames(described.GetExtension())
	dropNestedJSONNames(described.GetMessageType())
	return proto.MarshalOptions{Deterministic: true}.Marshal(described)
}

func dropNestedJSONNames(messages []*descriptorpb.DescriptorProto) {
	for _, m := range messages {
		dropJSONNames(m.GetField())
		dropJSONNames(m.GetExtension())
		dropNestedJSONNames(m.GetNestedType())
	}
}

// dropJSONNames leaves out the names that protobuf would give by itself.
func dropJSONNames(fields []*descriptorpb.FieldDescriptorProto) {
	for _, f := range fields {
		if f.GetJsonName() == jsonName(f.GetName()) {
			f.JsonName = nil
		}
	}
}

// jsonName is protobuf's own rule: an underscore goes, and the letter after it is a capital.
func jsonName(name string) string {
	var out []byte
	for i := range len(name) {
		switch c := name[i]; {
		case c == '_':
		case i > 0 && name[i-1] == '_' && 'a' <= c && c <= 'z':
			out = append(out, c-'a'+'A')
		default:
			out = append(out, c)
		}
	}
	return string(out)
}

// bytesLiteral returns data as a Python literal of ASCII characters.
func bytesLiteral(data []byte) string {
	var out strings.Builder
	for _, b := range data {
		writeEscaped(&out, rune(b), `\x%02x`)
	}
	return "b'" + out.String() + "'"
}

// textLiteral returns text as a Python literal of ASCII characters.
func textLiteral(text string) string {
	var out strings.Builder
	for _, r := range text {
		writeEscaped(&out, r, `\U%08x`)
	}
	return "'" + out.String() + "'"
}

func writeEscaped(out *strings.Builder, r rune, format string) {
	switch {
	case r == '\'' || r == '\\':
		out.WriteByte('\\')
		out.WriteRune(r)
	case r < ' ' || r > '~':
		fmt.Fprintf(out, format, r)
	default:
		out.WriteRune(r)
	}
}
