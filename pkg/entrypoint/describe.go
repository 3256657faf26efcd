package entrypoint

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	v1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	v1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
)

// DescribeMethod is the rpc by which a client learns which rpc belongs to which
// workflow. It takes google.protobuf.Empty and answers a google.protobuf.Struct:
// {version, namespace, description, workflows: [{name, rpc, input, output,
// nodes}]}.
const DescribeMethod = "/" + describeService + "/Describe"

const describeService = "krt.v1.Version"

func describe(t *table) (*structpb.Struct, error) {
	workflows := make([]any, 0, len(t.version.Workflows))
	for _, w := range t.version.Workflows {
		nodes := make([]any, 0, len(w.Steps))
		for _, s := range w.Steps {
			nodes = append(nodes, s.Node)
		}
		workflows = append(workflows, map[string]any{
			"name":   w.Name,
			"rpc":    methodPath(w.Method)[1:],
			"input":  string(w.Method.Input().FullName()),
			"output": string(w.Method.Output().FullName()),
			"nodes":  nodes,
		})
	}
	return structpb.NewStruct(map[string]any{
		"version":     t.version.Name,
		"namespace":   t.version.Namespace,
		"description": t.version.Description,
		"workflows":   workflows,
	})
}

func (e *Entrypoint) registerDescribe(s grpc.ServiceRegistrar) {
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: describeService,
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{
			MethodName: "Describe",
			Handler: func(_ any, _ context.Context, read func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
				if err := read(&emptypb.Empty{}); err != nil {
					return nil, err
				}
				return e.table.Load().describe, nil
			},
		}},
	}, e)
}

// describeFile is the descriptor of the Describe service, for reflection.
func describeFile() (protoreflect.FileDescriptor, error) {
	empty, answer := emptypb.File_google_protobuf_empty_proto, structpb.File_google_protobuf_struct_proto
	return protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name:       proto.String("krt/v1/version.proto"),
		Package:    proto.String("krt.v1"),
		Syntax:     proto.String("proto3"),
		Dependency: []string{empty.Path(), answer.Path()},
		Service: []*descriptorpb.ServiceDescriptorProto{{
			Name: proto.String("Version"),
			Method: []*descriptorpb.MethodDescriptorProto{{
				Name:       proto.String("Describe"),
				InputType:  proto.String(".google.protobuf.Empty"),
				OutputType: proto.String(".google.protobuf.Struct"),
			}},
		}},
	}, protoregistry.GlobalFiles)
}

// registerReflection serves reflection for whatever version is in force.
func (e *Entrypoint) registerReflection(s grpc.ServiceRegistrar) {
	own := new(protoregistry.Files)
	if file, err := describeFile(); err == nil {
		_ = own.RegisterFile(file) // the first file of a new registry
	}
	o := reflection.ServerOptions{Services: liveServices{e}, DescriptorResolver: liveFiles{e, own}}
	v1.RegisterServerReflectionServer(s, reflectionV1{reflection.NewServerV1(o), e.leaving})
	v1alpha.RegisterServerReflectionServer(s, reflectionV1Alpha{reflection.NewServer(o), e.leaving})
}

// liveServices lists the services of the version in force and our own.
type liveServices struct{ e *Entrypoint }

// GetServiceInfo implements reflection.ServiceInfoProvider.
func (l liveServices) GetServiceInfo() map[string]grpc.ServiceInfo {
	services := map[string]grpc.ServiceInfo{
		describeService: {},
		grpc_health_v1.Health_ServiceDesc.ServiceName:    {},
		v1.ServerReflection_ServiceDesc.ServiceName:      {},
		v1alpha.ServerReflection_ServiceDesc.ServiceName: {},
	}
	for _, name := range l.e.table.Load().services() {
		services[name] = grpc.ServiceInfo{}
	}
	return services
}

// services returns the full names of the contract's services.
func (t *table) services() []string {
	list := t.version.Schema.Entry().Services()
	names := make([]string, list.Len())
	for i := range names {
		names[i] = string(list.Get(i).FullName())
	}
	return names
}

// liveFiles resolves the version's own protos first, then ours.
type liveFiles struct {
	e   *Entrypoint
	own *protoregistry.Files
}

// FindFileByPath implements protodesc.Resolver.
func (l liveFiles) FindFileByPath(path string) (protoreflect.FileDescriptor, error) {
	return find(l, func(files *protoregistry.Files) (protoreflect.FileDescriptor, error) {
		return files.FindFileByPath(path)
	})
}

// FindDescriptorByName implements protodesc.Resolver.
func (l liveFiles) FindDescriptorByName(name protoreflect.FullName) (protoreflect.Descriptor, error) {
	return find(l, func(files *protoregistry.Files) (protoreflect.Descriptor, error) {
		return files.FindDescriptorByName(name)
	})
}

func find[T any](l liveFiles, look func(*protoregistry.Files) (T, error)) (T, error) {
	found, err := look(l.e.table.Load().version.Schema.Registry())
	if err != nil {
		found, err = look(l.own)
	}
	if err != nil {
		found, err = look(protoregistry.GlobalFiles)
	}
	return found, err
}
