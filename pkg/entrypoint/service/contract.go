package service

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	v1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	v1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"

	"krt.dev/kn-krt/pkg/entrypoint/describe"
)

// Contract is what an entrypoint serves now.
type Contract interface {
	// Description is what krt.v1.Version/Describe returns.
	Description() *structpb.Struct
	// Services are the full names of the contract's services.
	Services() []string
	// Registry has the contract's files.
	Registry() *protoregistry.Files
}

// RegisterDescribe serves krt.v1.Version/Describe.
func RegisterDescribe(s grpc.ServiceRegistrar, c Contract) {
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: describe.Service,
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{
			MethodName: describe.Method,
			Handler: func(_ any, _ context.Context, read func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
				if err := read(&emptypb.Empty{}); err != nil {
					return nil, err
				}
				return c.Description(), nil
			},
		}},
	}, c)
}

// RegisterReflection serves reflection for whatever contract is in force, until leaving ends.
func RegisterReflection(leaving context.Context, s grpc.ServiceRegistrar, c Contract) {
	own := new(protoregistry.Files)
	if file, err := describe.File(); err == nil {
		_ = own.RegisterFile(file) // the first file of a new registry
	}
	o := reflection.ServerOptions{Services: liveServices{c}, DescriptorResolver: liveFiles{c, own}}
	v1.RegisterServerReflectionServer(s, reflectionV1{reflection.NewServerV1(o), leaving})
	v1alpha.RegisterServerReflectionServer(s, reflectionV1Alpha{reflection.NewServer(o), leaving})
}

// liveServices lists the services of the contract in force and our own.
type liveServices struct{ Contract }

// GetServiceInfo implements reflection.ServiceInfoProvider.
func (l liveServices) GetServiceInfo() map[string]grpc.ServiceInfo {
	services := map[string]grpc.ServiceInfo{
		describe.Service: {},
		grpc_health_v1.Health_ServiceDesc.ServiceName:    {},
		v1.ServerReflection_ServiceDesc.ServiceName:      {},
		v1alpha.ServerReflection_ServiceDesc.ServiceName: {},
	}
	for _, name := range l.Services() {
		services[name] = grpc.ServiceInfo{}
	}
	return services
}

// liveFiles resolves the contract's own protos first, then ours.
type liveFiles struct {
	Contract
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
	found, err := look(l.Registry())
	if err != nil {
		found, err = look(l.own)
	}
	if err != nil {
		found, err = look(protoregistry.GlobalFiles)
	}
	return found, err
}
