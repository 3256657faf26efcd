// Package describe is the rpc krt.v1.Version/Describe of an entrypoint's gRPC port:
// its name and the form of its response, for the entrypoint and for clients.
package describe

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
)

// The rpc. It takes google.protobuf.Empty and returns a google.protobuf.Struct, so
// that no client needs generated code: see [Version].
const (
	Package = "krt.v1"
	Service = Package + ".Version"
	Method  = "Describe"
	// Path is the rpc as gRPC calls it.
	Path = "/" + Service + "/" + Method
)

// Version is what a running version offers.
type Version struct {
	Name, Namespace, Description string
	Workflows                    []Workflow
}

// Workflow is one workflow of a version.
type Workflow struct {
	Name string
	// RPC is "package.Service/Method", Input and Output are the full names of its messages.
	RPC, Input, Output string
	// Streams is whether it returns a stream of the output rather than one.
	Streams bool
	// Nodes are the names of its steps, in order.
	Nodes []string
}

// Struct returns v as {version, namespace, description, workflows: [{name, rpc,
// input, output, nodes}]}; a workflow that streams has streams: true, too. The error names text
// that is not UTF-8.
func (v Version) Struct() (*structpb.Struct, error) {
	workflows := make([]any, 0, len(v.Workflows))
	for _, w := range v.Workflows {
		nodes := make([]any, 0, len(w.Nodes))
		for _, node := range w.Nodes {
			nodes = append(nodes, node)
		}
		one := map[string]any{"name": w.Name, "rpc": w.RPC, "input": w.Input, "output": w.Output, "nodes": nodes}
		if w.Streams {
			one["streams"] = true
		}
		workflows = append(workflows, one)
	}
	return structpb.NewStruct(map[string]any{
		"version": v.Name, "namespace": v.Namespace, "description": v.Description, "workflows": workflows,
	})
}

// Read returns the version that s describes. What is missing in s is empty.
func Read(s *structpb.Struct) Version {
	text := func(s *structpb.Struct, key string) string { return s.GetFields()[key].GetStringValue() }
	list := func(s *structpb.Struct, key string) []*structpb.Value {
		return s.GetFields()[key].GetListValue().GetValues()
	}
	v := Version{Name: text(s, "version"), Namespace: text(s, "namespace"), Description: text(s, "description")}
	for _, value := range list(s, "workflows") {
		one := value.GetStructValue()
		w := Workflow{Name: text(one, "name"), RPC: text(one, "rpc"), Input: text(one, "input"), Output: text(one, "output")}
		w.Streams = one.GetFields()["streams"].GetBoolValue()
		for _, node := range list(one, "nodes") {
			w.Nodes = append(w.Nodes, node.GetStringValue())
		}
		v.Workflows = append(v.Workflows, w)
	}
	return v
}

// File returns the descriptor of the service, for reflection.
func File() (protoreflect.FileDescriptor, error) {
	input, output := emptypb.File_google_protobuf_empty_proto, structpb.File_google_protobuf_struct_proto
	return protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name:       proto.String("krt/v1/version.proto"),
		Package:    proto.String(Package),
		Syntax:     proto.String("proto3"),
		Dependency: []string{input.Path(), output.Path()},
		Service: []*descriptorpb.ServiceDescriptorProto{{
			Name: proto.String("Version"),
			Method: []*descriptorpb.MethodDescriptorProto{{
				Name:       proto.String(Method),
				InputType:  proto.String(".google.protobuf.Empty"),
				OutputType: proto.String(".google.protobuf.Struct"),
			}},
		}},
	}, protoregistry.GlobalFiles)
}
