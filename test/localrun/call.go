package localrun

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"google.golang.org/grpc"
	reflection "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// Method is an rpc of a running version, known by reflection alone.
type Method struct {
	v    *Version
	desc protoreflect.MethodDescriptor
}

// Method looks up an rpc by "package.Service/Method".
func (v *Version) Method(ctx context.Context, name string) (*Method, error) {
	service, method, _ := strings.Cut(name, "/")
	stream, err := reflection.NewServerReflectionClient(v.conn).ServerReflectionInfo(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = stream.CloseSend() }()
	set := &descriptorpb.FileDescriptorSet{}
	err = fetch(stream, set, &reflection.ServerReflectionRequest{
		MessageRequest: &reflection.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: service},
	})
	if err != nil {
		return nil, err
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		return nil, err
	}
	desc, err := files.FindDescriptorByName(protoreflect.FullName(service + "." + method))
	if err != nil {
		return nil, err
	}
	return &Method{v, desc.(protoreflect.MethodDescriptor)}, nil
}

// fetch adds the files that answer req to set, and what they import.
func fetch(
	stream reflection.ServerReflection_ServerReflectionInfoClient,
	set *descriptorpb.FileDescriptorSet, req *reflection.ServerReflectionRequest,
) error {
	if err := stream.Send(req); err != nil {
		return err
	}
	answer, err := stream.Recv()
	if err != nil {
		return err
	}
	if e := answer.GetErrorResponse(); e != nil {
		return fmt.Errorf("reflection: %s", e.GetErrorMessage())
	}
	var imports []string
	for _, data := range answer.GetFileDescriptorResponse().GetFileDescriptorProto() {
		file := &descriptorpb.FileDescriptorProto{}
		if err := proto.Unmarshal(data, file); err != nil {
			return err
		}
		if has(set, file.GetName()) {
			continue
		}
		set.File = append(set.File, file)
		imports = append(imports, file.GetDependency()...)
	}
	for _, path := range imports {
		if has(set, path) {
			continue
		}
		err := fetch(stream, set, &reflection.ServerReflectionRequest{
			MessageRequest: &reflection.ServerReflectionRequest_FileByFilename{FileByFilename: path},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func has(set *descriptorpb.FileDescriptorSet, path string) bool {
	for _, file := range set.GetFile() {
		if file.GetName() == path {
			return true
		}
	}
	return false
}

// Name is "package.Service/Method".
func (m *Method) Name() string {
	return fmt.Sprintf("%s/%s", m.desc.Parent().FullName(), m.desc.Name())
}

// Call calls the rpc over gRPC with a request in JSON and returns the response in
// JSON.
func (m *Method) Call(ctx context.Context, request string) (string, error) {
	in, out := dynamicpb.NewMessage(m.desc.Input()), dynamicpb.NewMessage(m.desc.Output())
	if err := protojson.Unmarshal([]byte(request), in); err != nil {
		return "", err
	}
	if err := m.v.conn.Invoke(ctx, "/"+m.Name(), in, out); err != nil {
		return "", err
	}
	return m.json(out)
}

// Stream calls a streaming rpc over gRPC with a request in JSON and returns the messages that
// come, in JSON, and the error that ends them.
func (m *Method) Stream(ctx context.Context, request string) (messages []string, err error) {
	in := dynamicpb.NewMessage(m.desc.Input())
	if err := protojson.Unmarshal([]byte(request), in); err != nil {
		return nil, err
	}
	stream, err := m.v.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/"+m.Name())
	if err != nil {
		return nil, err
	}
	if err := errors.Join(stream.SendMsg(in), stream.CloseSend()); err != nil {
		return nil, err
	}
	for {
		out := dynamicpb.NewMessage(m.desc.Output())
		switch err := stream.RecvMsg(out); {
		case errors.Is(err, io.EOF):
			return messages, nil
		case err != nil:
			return messages, err
		}
		text, err := m.json(out)
		if err != nil {
			return messages, err
		}
		messages = append(messages, text)
	}
}

// CallJSON posts the request as JSON, as curl does. It returns the HTTP status
// and the body; that of a response in the form of Call, so that the two compare.
func (m *Method) CallJSON(ctx context.Context, request string) (int, string, error) {
	answer, err := m.v.post(ctx, "/"+m.Name(), strings.NewReader(request), http.Header{
		"Content-Type": {"application/json"},
	})
	if err != nil || answer.status != http.StatusOK {
		return answer.status, string(answer.body), err
	}
	out := dynamicpb.NewMessage(m.desc.Output())
	if err := protojson.Unmarshal(answer.body, out); err != nil {
		return answer.status, string(answer.body), err
	}
	text, err := m.json(out)
	return answer.status, text, err
}

// CallEvent posts the request to workflow as a CloudEvent in binary mode with
// protobuf data. It returns the data of the response event, in JSON.
func (m *Method) CallEvent(ctx context.Context, workflow, request string) (string, error) {
	in, out := dynamicpb.NewMessage(m.desc.Input()), dynamicpb.NewMessage(m.desc.Output())
	if err := protojson.Unmarshal([]byte(request), in); err != nil {
		return "", err
	}
	data, err := proto.Marshal(in)
	if err != nil {
		return "", err
	}
	answer, err := m.v.post(ctx, "/workflows/"+workflow, bytes.NewReader(data), http.Header{
		"Content-Type":   {"application/protobuf"},
		"Ce-Specversion": {"1.0"},
		"Ce-Id":          {"1"},
		"Ce-Source":      {"/test"},
		"Ce-Type":        {string(m.desc.Input().FullName())},
	})
	if err != nil {
		return "", err
	}
	if typ := answer.header.Get("Ce-Type"); answer.status != http.StatusOK || typ != string(out.Descriptor().FullName()) {
		return "", fmt.Errorf("status %d, ce-type %q: %s", answer.status, typ, answer.body)
	}
	if err := proto.Unmarshal(answer.body, out); err != nil {
		return "", err
	}
	return m.json(out)
}

func (m *Method) json(message proto.Message) (string, error) {
	data, err := protojson.Marshal(message)
	return string(data), err
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

func (v *Version) post(ctx context.Context, path string, body io.Reader, header http.Header) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+v.Web+path, body)
	if err != nil {
		return answer{}, err
	}
	req.Header = header
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, data}, err
}
