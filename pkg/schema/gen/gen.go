// Package gen makes Go and Python code from a bundle's protos, without protoc.
package gen

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"krt.dev/kn-krt/pkg/schema"
)

// File is a generated file.
type File struct {
	// Path has slashes and is relative to where the bundle's protos would lie.
	Path string
	// Content is the file's text.
	Content []byte
}

// own returns the files of s that are the bundle's. Copies of Google's files that a bundle
// may hold are not: both languages have modules for them.
func own(s *schema.Schema) (files []protoreflect.FileDescriptor) {
	for _, file := range s.Files() {
		if _, ok := s.Sources()[file.Path()]; ok && !google(file.Path()) {
			files = append(files, file)
		}
	}
	return files
}

// google reports whether path is one of Google's own protos.
func google(path string) bool {
	return strings.HasPrefix(path, "google/protobuf/") || strings.HasPrefix(path, "google/api/") || strings.HasPrefix(path, "google/rpc/")
}
