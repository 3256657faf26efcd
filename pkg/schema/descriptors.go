package schema

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// MaxDescriptors bounds the result of [Schema.Descriptors], in bytes: it is part of a
// Version, which with 128 KiB of protos must stay below the limit of an object in a cluster.
const MaxDescriptors = 256 << 10

// Descriptors returns the bundle's own files as an encoded FileDescriptorSet, without their
// comments; nil if it would be larger than MaxDescriptors. [ReadDescriptors] reads it.
func (s *Schema) Descriptors() []byte {
	set := &descriptorpb.FileDescriptorSet{}
	for _, file := range s.files {
		if _, own := s.sources[file.Path()]; own {
			described := protodesc.ToFileDescriptorProto(file)
			described.SourceCodeInfo = nil
			set.File = append(set.File, described)
		}
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(set)
	if err != nil || len(data) > MaxDescriptors {
		return nil
	}
	return data
}

// ReadDescriptors reads what [Schema.Descriptors] returned.
func ReadDescriptors(data []byte) (*protoregistry.Files, error) {
	if len(data) > MaxDescriptors {
		return nil, fmt.Errorf("the descriptors have %d bytes, the limit is %d", len(data), MaxDescriptors)
	}
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(data, set); err != nil {
		return nil, fmt.Errorf("the descriptors cannot be decoded: %w", err)
	}
	files := described{&protoregistry.Files{}}
	for _, one := range set.GetFile() {
		file, err := protodesc.NewFile(one, files)
		if err == nil {
			err = files.RegisterFile(file)
		}
		if err != nil {
			return nil, fmt.Errorf("the descriptors of %.100q cannot be used: %w", one.GetName(), err)
		}
	}
	return files.Files, nil
}

// described resolves the files that have been read, and those that are built in.
type described struct{ *protoregistry.Files }

// FindFileByPath implements protodesc.Resolver.
func (d described) FindFileByPath(path string) (protoreflect.FileDescriptor, error) {
	file, err := d.Files.FindFileByPath(path)
	if own := builtin(path); err != nil && own != nil {
		return own, d.RegisterFile(own) // where names in it are found
	}
	return file, err
}
