package entrypoint

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

	"krt.dev/kn-krt/pkg/entrypoint/describe"
	"krt.dev/kn-krt/pkg/schema"
)

// describeVersion is what a version offers.
func describeVersion(v *Version) describe.Version {
	d := describe.Version{Name: v.Name, Namespace: v.Namespace, Description: v.Description}
	for _, w := range v.Workflows {
		one := describe.Workflow{
			Name: w.Name, RPC: schema.MethodName(w.Method),
			Input: string(w.Method.Input().FullName()), Output: string(w.Method.Output().FullName()),
		}
		for _, s := range w.Steps {
			one.Nodes = append(one.Nodes, s.Node)
		}
		d.Workflows = append(d.Workflows, one)
	}
	return d
}

func (e *Entrypoint) registerDescribe(s grpc.ServiceRegistrar) {
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: describe.Service,
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{
			MethodName: describe.Method,
			Handler: func(_ any, _ context.Context, read func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
				if err := read(&emptypb.Empty{}); err != nil {
					return nil, err
				}
				return e.table.Load().describe, nil
			},
		}},
	}, e)
}

// registerReflection serves reflection for whatever version is in force.
func (e *Entrypoint) registerReflection(s grpc.ServiceRegistrar) {
	own := new(protoregistry.Files)
	if file, err := describe.File(); err == nil {
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
		describe.Service: {},
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
