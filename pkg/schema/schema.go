// Package schema turns the .proto files of a bundle into descriptors. It is the only
// importer of a proto compiler.
package schema

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"krt.dev/kn-krt/pkg/krt/spelling"
)

// Schema is a compiled set of protos. It does not change and may be shared.
type Schema struct {
	entry    protoreflect.FileDescriptor
	files    []protoreflect.FileDescriptor
	registry *protoregistry.Files
	sources  map[string][]byte
	left     Errors
}

// Entry returns the file that was compiled, nil after CompileAll.
func (s *Schema) Entry() protoreflect.FileDescriptor { return s.entry }

// Files returns the compiled files and all they import, built-in ones included, each after
// those it imports.
func (s *Schema) Files() []protoreflect.FileDescriptor { return s.files }

// Registry returns the same files for lookup by name: for reflection, dynamic messages and
// the JSON form of Any.
func (s *Schema) Registry() *protoregistry.Files { return s.registry }

// Sources returns the text of the bundle's own files by path. Built-in files have none.
// The map must not be changed.
func (s *Schema) Sources() map[string][]byte { return s.sources }

// Services returns the full names of the entry's services, in the file's order.
func (s *Schema) Services() (names []string) {
	if s.entry == nil {
		return nil
	}
	for i := range s.entry.Services().Len() {
		names = append(names, string(s.entry.Services().Get(i).FullName()))
	}
	return names
}

// Methods returns the rpcs of the entry, streaming ones included, in the file's order. What
// imported files declare is not offered.
func (s *Schema) Methods() (methods []protoreflect.MethodDescriptor) {
	if s.entry == nil {
		return nil
	}
	for i := range s.entry.Services().Len() {
		service := s.entry.Services().Get(i)
		for j := range service.Methods().Len() {
			methods = append(methods, service.Methods().Get(j))
		}
	}
	return methods
}

// MethodName is the name of an rpc as it is called: package.Service/Rpc.
func MethodName(m protoreflect.MethodDescriptor) string {
	return string(m.Parent().FullName()) + "/" + string(m.Name())
}

// Method returns the rpc that name means, which returns one message or a stream of them:
// "MakePrediction", "Entrypoint.MakePrediction" or the full name with its package. The error reports
// that there is none and which is the nearest, that several have the name, that its requests are a
// stream, or that its path is reserved.
func (s *Schema) Method(name string) (protoreflect.MethodDescriptor, error) {
	var found, known []string
	var method protoreflect.MethodDescriptor
	for _, m := range s.Methods() {
		full := string(m.FullName())
		short := string(m.Parent().Name()) + "." + string(m.Name())
		switch name {
		case full:
			return callable(m)
		case short, string(m.Name()):
			found, method = append(found, full), m
		}
		known = append(known, string(m.Name()), short, full)
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("rpc %.100q is not in %s%s", name, s.name(), s.offer(name, known))
	case 1:
		return callable(method)
	}
	return nil, fmt.Errorf("rpc %q is ambiguous: it may be %s; write the full name", name, strings.Join(found, " or "))
}

func (s *Schema) name() string {
	if s.entry == nil {
		return "the bundle's protos"
	}
	return s.entry.Path()
}

// offer returns the nearest of known, else the first few rpcs there are.
func (s *Schema) offer(name string, known []string) string {
	if hint := spelling.Hint(name, known); hint != "" {
		return hint
	}
	var names []string
	for _, m := range s.Methods() {
		if len(names) == 5 {
			names = append(names, "…")
			break
		}
		names = append(names, string(m.Name()))
	}
	if len(names) == 0 {
		return ", which has no rpcs"
	}
	return ", which has " + strings.Join(names, ", ")
}

// reserved is the service whose paths, below /_krt/, are those of kn-krt's own pages.
const reserved = "_krt"

// callable refuses an rpc that no workflow can serve: one request starts a workflow.
func callable(m protoreflect.MethodDescriptor) (protoreflect.MethodDescriptor, error) {
	var kind string
	switch {
	case m.Parent().FullName() == reserved:
		return nil, fmt.Errorf("rpc %q cannot be called: its path begins with /_krt/, which is reserved; name the service otherwise",
			m.FullName())
	case m.IsStreamingClient() && m.IsStreamingServer():
		kind = "a bidirectional stream"
	case m.IsStreamingClient():
		kind = "client-streaming"
	default:
		return m, nil
	}
	return nil, fmt.Errorf("rpc %q is %s: one request starts a workflow; "+
		"put the parts into a repeated field, or call a unary rpc for each", m.FullName(), kind)
}
