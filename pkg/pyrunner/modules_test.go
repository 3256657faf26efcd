package pyrunner_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"krt.dev/kn-krt/pkg/pyrunner"
	"krt.dev/kn-krt/pkg/runner/event"
)

const publicProto = `syntax = "proto3";
package shop;
message Request { string room_name = 1; int32 nights = 2; }
message Response { string text = 1; Kind kind = 2; }
enum Kind { NONE = 0; GOOD = 1; }
`

const internalProto = `syntax = "proto3";
package shop;
import "public_input.proto";
message Step { Request request = 1; }
`

const shopNode = `
from internal_nodes_pb2 import Step
from public_input_pb2 import Request, Response, Kind, GOOD
def handler(ctx, data):
    request = Request()
    assert data.Unpack(request)
    step = Step(request=request)
    return Response(text=step.request.room_name, kind=Kind.Value("GOOD"))
`

// file is the descriptor of public_input.proto as protoc once wrote it, under
// another name or of another content perhaps.
func file(t *testing.T, name string) string {
	t.Helper()
	message := func(name string, fields ...string) *descriptorpb.DescriptorProto {
		m := &descriptorpb.DescriptorProto{Name: proto.String(name)}
		for i, f := range fields {
			m.Field = append(m.Field, &descriptorpb.FieldDescriptorProto{
				Name: proto.String(f), Number: proto.Int32(int32(i + 1)),
				Type:  descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(),
				Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
			})
		}
		return m
	}
	data, err := proto.Marshal(&descriptorpb.FileDescriptorProto{
		Name: proto.String(name), Package: proto.String("shop"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{
			message("Request", "room_name"), message("Response", "text"),
		},
		EnumType: []*descriptorpb.EnumDescriptorProto{{Name: proto.String("Kind"), Value: []*descriptorpb.EnumValueDescriptorProto{
			{Name: proto.String("NONE"), Number: proto.Int32(0)}, {Name: proto.String("GOOD"), Number: proto.Int32(1)},
		}}},
	})
	require.NoError(t, err)
	return fmt.Sprintf("%x", data)
}

// generated is a module as protoc before 3.20 wrote it: protobuf 4 refuses it
// after it has registered its file.
func generated(name, data string) string {
	return fmt.Sprintf(`from google.protobuf import descriptor as _descriptor
DESCRIPTOR = _descriptor.FileDescriptor(name=%q, package="shop", syntax="proto3", serialized_pb=bytes.fromhex(%q))
_REQUEST = _descriptor.Descriptor(name="Request", full_name="shop.Request", filename=None, file=DESCRIPTOR,
    containing_type=None, fields=[], nested_types=[], enum_types=[], extensions=[], serialized_options=None,
    is_extendable=False, syntax="proto3", extension_ranges=[], oneofs=[])
`, name, data)
}

func TestModulesMadeFromTheProtos(t *testing.T) {
	for name, c := range map[string]struct {
		own  string // the node's own public_input_pb2; "": none
		code string
		log  string
	}{
		"missing": {"", shopNode, "public_input_pb2.py is missing: generated from the bundle's proto"},
		"too new": {
			"from google.protobuf import runtime_version_of_tomorrow", shopNode,
			"public_input_pb2.py is refused by protobuf",
		},
		"does not load": {
			"leftover = 1\nraise TypeError('Descriptors cannot be created directly.')",
			"import public_input_pb2\nassert not hasattr(public_input_pb2, 'leftover')\n" + shopNode,
			"(TypeError: Descriptors cannot be created directly.)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := shop(t, c.own, c.code, "public_input.proto")
			require.Equal(t, "sea view", n.room("sea view"))
			n.log.await(t, c.log)
		})
	}
}

// What protobuf does with old code depends on its version; the node works.
func TestOldModulesThatRegisterTheirFile(t *testing.T) {
	const node = "from public_input_pb2 import Request, Response\ndef handler(ctx, data):\n" +
		"    r = Request()\n    assert data.Unpack(r)\n    return Response(text=r.room_name)"
	for name, registered := range map[string]string{
		"another content": "public_input.proto",
		"another name":    "protos/public_input.proto",
	} {
		t.Run(name, func(t *testing.T) {
			own := generated(registered, file(t, registered)) + "raise TypeError('Descriptors cannot be created directly.')\n"
			n := shop(t, own, node, "public_input.proto")
			require.Equal(t, "sea view", n.room("sea view"))
			n.log.await(t, "public_input_pb2.py is refused by protobuf")
		})
	}
}

func TestModuleOfAProtoInAFolderIsFoundByItsName(t *testing.T) {
	n := shop(t, "", `
import public_input_pb2
from protos import public_input_pb2 as other
def handler(ctx, data):
    request = public_input_pb2.Request()
    assert data.Unpack(request) and public_input_pb2.Request is other.Request
    return other.Response(text=request.room_name)
`, "protos/public_input.proto")
	require.Equal(t, "sea view", n.room("sea view"))
}

func TestProtosThatDoNotCompileDoNotStopTheNode(t *testing.T) {
	n := begin(t, map[string]string{
		"src/model/main.py": prelude + "def handler(ctx, data): return StringValue(value='x')",
		"broken.proto":      "syntax = ",
	}, nil, pyrunner.Options{})
	n.awaitReady()
	require.Equal(t, "x", n.text("x"))
	n.log.await(t, "broken.proto")
}

func shop(t *testing.T, own, code, at string) *node {
	files := map[string]string{"src/model/main.py": code, at: publicProto}
	if at == "public_input.proto" {
		files["internal_nodes.proto"] = internalProto
	}
	if own != "" {
		files["src/model/public_input_pb2.py"] = own
	}
	n := begin(t, files, nil, pyrunner.Options{})
	n.awaitReady()
	return n
}

// room sends a Request for a room and returns the Response's text. Both have
// their only text in field 1, as StringValue does.
func (n *node) room(name string) string {
	n.t.Helper()
	in := request(name)
	in.Message = "shop.Request"
	out := n.post(in)
	require.NotNil(n.t, out.event, out.body+n.log.String())
	require.Equal(n.t, "shop.Response", out.event.Message)
	renamed := &event.Event{Message: "google.protobuf.StringValue", Data: out.event.Data}
	return stringOf(n.t, renamed)
}

func TestAnEditionThatProtobufDoesNotKnowIsNamed(t *testing.T) {
	python, err := pyrunner.FindPython(os.Getenv)
	require.NoError(t, err)
	version, err := exec.CommandContext(t.Context(), python, "-c", "import google.protobuf as g; print(g.__version__)").Output()
	require.NoError(t, err)
	if major, _, _ := strings.Cut(string(version), "."); len(major) > 1 || major > "4" {
		t.Skip("this protobuf knows editions")
	}
	n := begin(t, map[string]string{
		"src/model/main.py":  "from public_input_pb2 import Request\ndef handler(ctx, data): return Request()",
		"public_input.proto": "edition = \"2023\";\npackage shop;\nmessage Request { string room_name = 1; }\n",
	}, nil, pyrunner.Options{})
	n.log.await(t,
		"the proto of public_input_pb2.py has an edition, which the installed protobuf "+strings.TrimSpace(string(version))+" does not know")
}
