package invocation

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	reflection "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// maxReflectedFiles bounds the files that a server may make us fetch.
const maxReflectedFiles = 1000

// Method fetches the descriptors of rpc ("pkg.Service/Method") by gRPC
// server reflection.
func (c *Connection) Method(ctx context.Context, rpc string) (Method, error) {
	stream, err := reflection.NewServerReflectionClient(c.conn).ServerReflectionInfo(ctx)
	if err != nil {
		return Method{}, err
	}
	files := reflectedFiles{stream: stream, byPath: map[string]*descriptorpb.FileDescriptorProto{}}
	service, _, _ := strings.Cut(rpc, "/")
	if err := files.fetch(&reflection.ServerReflectionRequest{
		MessageRequest: &reflection.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: service},
	}); err != nil {
		return Method{}, err
	}
	if err := errors.Join(files.fetchImports(), stream.CloseSend()); err != nil {
		return Method{}, err
	}
	return files.method(rpc)
}

// reflectedFiles collects file descriptors from a reflection stream.
type reflectedFiles struct {
	stream reflection.ServerReflection_ServerReflectionInfoClient
	byPath map[string]*descriptorpb.FileDescriptorProto
}

// fetch sends one request and keeps the files of the response. A server may add imports to
// it, or not.
func (f *reflectedFiles) fetch(request *reflection.ServerReflectionRequest) error {
	if err := f.stream.Send(request); err != nil {
		return err
	}
	response, err := f.stream.Recv()
	if err != nil {
		return err
	}
	if e := response.GetErrorResponse(); e != nil {
		return fmt.Errorf("reflection: %s: %s", codes.Code(e.GetErrorCode()), e.GetErrorMessage())
	}
	for _, data := range response.GetFileDescriptorResponse().GetFileDescriptorProto() {
		var file descriptorpb.FileDescriptorProto
		if err := proto.Unmarshal(data, &file); err != nil {
			return fmt.Errorf("reflection: %w", err)
		}
		f.byPath[file.GetName()] = &file
	}
	if len(f.byPath) > maxReflectedFiles {
		return fmt.Errorf("reflection: more than %d files", maxReflectedFiles)
	}
	return nil
}

// fetchImports fetches, one by one, the imported files that the server has not sent yet.
func (f *reflectedFiles) fetchImports() error {
	for {
		path := f.missing()
		if path == "" {
			return nil
		}
		if err := f.fetch(&reflection.ServerReflectionRequest{
			MessageRequest: &reflection.ServerReflectionRequest_FileByFilename{FileByFilename: path},
		}); err != nil {
			return fmt.Errorf("import %q: %w", path, err)
		}
		if f.byPath[path] == nil {
			return fmt.Errorf("import %q: the server returned other files", path)
		}
	}
}

func (f *reflectedFiles) missing() string {
	for _, file := range f.byPath {
		for _, path := range file.GetDependency() {
			if f.byPath[path] == nil {
				return path
			}
		}
	}
	return ""
}

// method finds rpc among the files.
func (f *reflectedFiles) method(rpc string) (Method, error) {
	set := &descriptorpb.FileDescriptorSet{}
	for _, file := range f.byPath {
		set.File = append(set.File, file)
	}
	registry, err := protodesc.NewFiles(set)
	if err != nil {
		return Method{}, fmt.Errorf("reflection: %w", err)
	}
	name := protoreflect.FullName(strings.ReplaceAll(rpc, "/", "."))
	desc, err := registry.FindDescriptorByName(name)
	if err != nil {
		return Method{}, fmt.Errorf("reflection: %s: %w", rpc, err)
	}
	rpcDesc, ok := desc.(protoreflect.MethodDescriptor)
	if !ok {
		return Method{}, fmt.Errorf("reflection: %s is not an rpc", rpc)
	}
	return Method{Desc: rpcDesc, Types: dynamicpb.NewTypes(registry)}, nil
}
