package schema

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/ast"
	"github.com/bufbuild/protocompile/linker"
	"github.com/bufbuild/protocompile/protoutil"
	"github.com/bufbuild/protocompile/reporter"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// Options bounds what a compilation reads. The zero value has the limits of KRT V1.
type Options struct {
	// MaxFiles is how many protos a bundle may hold, 32 when 0. Built-in ones do not count.
	MaxFiles int
	// MaxBytes is how large they may be in all, 128 KiB when 0.
	MaxBytes int64
	// Entry is the proto that CompileAll cannot do without; "" for none.
	Entry string
}

func (o Options) withDefaults() Options {
	if o.MaxFiles <= 0 {
		o.MaxFiles = 32
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = 128 << 10
	}
	return o
}

// Compile compiles the proto entry and all it imports from fsys, whose root is the bundle's:
// imports are relative to it. Well-known types, google/api and google/rpc are built in.
//
// Mistakes in the protos come as Errors, all at once. Any other error means that a file
// cannot be read or that ctx is done.
func Compile(ctx context.Context, fsys fs.FS, entry string, o Options) (*Schema, error) {
	if !fs.ValidPath(entry) {
		return nil, fmt.Errorf("cannot read proto %q: not a path inside the bundle", entry)
	}
	s, err := compile(ctx, fsys, []string{entry}, o)
	if err != nil {
		return nil, err
	}
	s.entry, err = s.registry.FindFileByPath(entry)
	return s, err
}

func compile(ctx context.Context, fsys fs.FS, paths []string, o Options) (*Schema, error) {
	l := &loader{fsys: fsys, limits: o.withDefaults(), sources: map[string][]byte{}, trees: map[string]*ast.FileNode{}}
	if err := l.load(ctx, paths); err != nil {
		return nil, err
	}
	if len(l.errors) > 0 {
		return nil, l.errors.sorted()
	}
	files, err := l.link(ctx, paths)
	if err != nil {
		return nil, err
	}
	s := &Schema{registry: &protoregistry.Files{}, sources: l.sources}
	for _, file := range files {
		if err := s.register(file); err != nil {
			return nil, Errors{{File: file.Path(), Text: err.Error()}}
		}
	}
	return s, nil
}

// link turns the syntax trees into descriptors. The compiler recovers its own panics, and
// returns as soon as ctx is done.
func (l *loader) link(ctx context.Context, paths []string) (linker.Files, error) {
	compiler := protocompile.Compiler{
		Resolver: protocompile.ResolverFunc(func(file string) (protocompile.SearchResult, error) {
			if tree := l.trees[file]; tree != nil {
				return protocompile.SearchResult{AST: tree}, nil
			}
			if fd := builtin(file); fd != nil {
				return protocompile.SearchResult{Desc: fd}, nil
			}
			return protocompile.SearchResult{}, fs.ErrNotExist
		}),
		Reporter:       l.reporter(),
		SourceInfoMode: protocompile.SourceInfoStandard,
		MaxParallelism: 1, // protos are small; one at a time reports in a fixed order
	}
	files, err := compiler.Compile(ctx, paths...)
	if ctx.Err() != nil {
		return nil, ctx.Err() // the reporter may still be in use: leave l.errors alone
	}
	if err != nil && !errors.Is(err, reporter.ErrInvalidSource) {
		l.addError(paths[0], err)
	}
	if len(l.errors) > 0 {
		return nil, l.errors.sorted()
	}
	return files, err
}

// register adds file after all it imports to s. The compiler's descriptors are replaced by
// those of the protobuf module: they are faster, and known options keep their Go types.
func (s *Schema) register(file protoreflect.FileDescriptor) error {
	if _, err := s.registry.FindFileByPath(file.Path()); err == nil {
		return nil
	}
	for i := range file.Imports().Len() {
		if err := s.register(file.Imports().Get(i).FileDescriptor); err != nil {
			return err
		}
	}
	own := builtin(file.Path())
	if _, ours := s.sources[file.Path()]; ours {
		var err error
		if own, err = s.rebuild(file); err != nil {
			return err
		}
	}
	if own == nil {
		return fmt.Errorf("%q was not compiled", file.Path())
	}
	s.files = append(s.files, own)
	return s.registry.RegisterFile(own)
}

func (s *Schema) rebuild(file protoreflect.FileDescriptor) (protoreflect.FileDescriptor, error) {
	encoded, err := proto.Marshal(protoutil.ProtoFromFileDescriptor(file))
	if err != nil {
		return nil, err
	}
	described := &descriptorpb.FileDescriptorProto{}
	if err := proto.Unmarshal(encoded, described); err != nil {
		return nil, err
	}
	return protodesc.NewFile(described, s.registry)
}
