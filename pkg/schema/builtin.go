package schema

import (
	"errors"
	"strings"

	"github.com/bufbuild/protocompile"
	_ "google.golang.org/genproto/googleapis/api/annotations" // registers google/api/*.proto, for bundles that import the HTTP annotations
	_ "google.golang.org/genproto/googleapis/rpc/code"        // registers google/rpc/code.proto
	_ "google.golang.org/genproto/googleapis/rpc/errdetails"  // registers google/rpc/error_details.proto
	_ "google.golang.org/genproto/googleapis/rpc/status"      // registers google/rpc/status.proto
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

var errNotBuiltIn = errors.New("not built in")

// builtin returns the descriptor linked into this program for one of the protos that a
// bundle may import without holding it: Google's well-known types, google/api and
// google/rpc. Nothing else that happens to be linked in can be seen by a bundle.
func builtin(path string) protoreflect.FileDescriptor {
	if strings.HasPrefix(path, "google/api/") || strings.HasPrefix(path, "google/rpc/") {
		if file, err := protoregistry.GlobalFiles.FindFileByPath(path); err == nil {
			return file
		}
		return nil
	}
	none := protocompile.ResolverFunc(func(string) (protocompile.SearchResult, error) {
		return protocompile.SearchResult{}, errNotBuiltIn
	})
	result, err := protocompile.WithStandardImports(none).FindFileByPath(path)
	if err != nil {
		return nil
	}
	return result.Desc
}

// wellKnown reports whether path names a proto that protobuf itself defines. The built-in
// one is taken even when the bundle holds a copy: the language runtimes have their own.
func wellKnown(path string) bool { return strings.HasPrefix(path, "google/protobuf/") }
