package schema

import (
	"path"
	"regexp"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
)

// serializedPattern is how a generated Python module holds its proto: since protobuf 3.20, and before.
var serializedPattern = regexp.MustCompile(`(?:AddSerializedFile\(|serialized_pb=(?:_b\()?|_build\([^\n]*, ` +
	`)b?('(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")`)

// StaleModule returns the proto of which text, a Python module named <proto>_pb2.py, was made,
// if that proto is different now; "" if it is not, or if that cannot be determined.
func (s *Schema) StaleModule(text []byte) string {
	match := serializedPattern.FindSubmatch(text)
	if match == nil {
		return ""
	}
	return s.stale(pythonBytes(string(match[1])))
}

// stale returns the proto of which serialized is an earlier state; "" if there is none.
func (s *Schema) stale(serialized []byte) string {
	made := &descriptorpb.FileDescriptorProto{}
	if proto.Unmarshal(serialized, made) != nil {
		return ""
	}
	for name := range s.sources {
		file, err := s.registry.FindFileByPath(name)
		if err != nil || path.Base(name) != path.Base(made.GetName()) || string(file.Package()) != made.GetPackage() {
			continue
		}
		if proto.Equal(essence(made), essence(protodesc.ToFileDescriptorProto(file))) {
			return ""
		}
		return name
	}
	return ""
}

// essence returns what a module is used for: messages and enumerations, whatever their file is
// called and where its code goes.
func essence(file *descriptorpb.FileDescriptorProto) *descriptorpb.FileDescriptorProto {
	kept := &descriptorpb.FileDescriptorProto{MessageType: file.GetMessageType(), EnumType: file.GetEnumType(), Extension: file.GetExtension()}
	kept = proto.CloneOf(kept)
	bare(kept.GetExtension())
	bareMessages(kept.GetMessageType())
	return kept
}

func bareMessages(messages []*descriptorpb.DescriptorProto) {
	for _, m := range messages {
		bare(m.GetField())
		bare(m.GetExtension())
		bareMessages(m.GetNestedType())
	}
}

// bare drops names that follow from others.
func bare(fields []*descriptorpb.FieldDescriptorProto) {
	for _, f := range fields {
		f.JsonName = nil
	}
}

// pythonBytes returns the bytes of a Python literal with its quotes.
func pythonBytes(literal string) []byte {
	text := literal[1 : len(literal)-1]
	var out []byte
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			out = append(out, text[i])
			continue
		}
		i++
		b, length := pythonEscape(text[i:])
		out = append(out, b)
		i += length - 1
	}
	return out
}

// pythonEscape returns the byte that an escape sequence means, and the length of the sequence.
func pythonEscape(text string) (b byte, length int) {
	if at := strings.IndexByte("abfnrtv", text[0]); at >= 0 {
		return "\a\b\f\n\r\t\v"[at], 1
	}
	if text[0] == 'x' && len(text) >= 3 {
		value, _ := strconv.ParseUint(text[1:3], 16, 8)
		return byte(value), 3
	}
	for length < 3 && length < len(text) && text[length] >= '0' && text[length] <= '7' {
		b, length = b*8+text[length]-'0', length+1
	}
	if length > 0 {
		return b, length
	}
	return text[0], 1
}
