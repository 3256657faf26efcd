package cluster

import (
	"context"
	"errors"
	"io/fs"
	"testing/fstest" // its MapFS is the standard library's file system in memory

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/image/artifact"
)

// Files implements [source.Source]: they are in the artifact that the version refers to.
func (s *Source) Files(ctx context.Context, ref source.Ref) (fs.FS, error) {
	found, err := s.find(ctx, ref)
	if err != nil {
		return nil, err
	}
	at := found.version.Spec.Artifact
	switch {
	case at == "":
		return nil, &source.RefusedError{Refusal: source.Unavailable,
			Text: "The version was created without files in docs/ or metrics/, or by a tool that does not push them."}
	case s.options.Artifacts == nil:
		return nil, &source.RefusedError{Refusal: source.Unavailable, Text: "This dashboard does not read from registries.",
			Next: "its administrator names them with its argument -registries=REGISTRY/PATH"}
	}
	content, err := s.options.Artifacts.Pull(ctx, at)
	if err != nil {
		return nil, s.ofRegistry(err)
	}
	files := fstest.MapFS{}
	for name, data := range content {
		files[name] = &fstest.MapFile{Data: data, Mode: 0o444}
	}
	return files, nil
}

// ofRegistry is the error of an artifact that cannot be read.
func (s *Source) ofRegistry(err error) error {
	var denied *artifact.DeniedError
	if !errors.As(err, &denied) {
		return err
	}
	refused := &source.RefusedError{Refusal: source.Unavailable, Text: err.Error()}
	if s.options.SignIn != nil {
		refused.Next = s.options.SignIn(denied.Registry)
	}
	return refused
}

// Contract implements [source.Source].
func (s *Source) Contract(ctx context.Context, ref source.Ref) (*source.Contract, error) {
	_, v, err := s.get(ctx, ref)
	if err != nil {
		return nil, err
	}
	protos := map[string][]byte{}
	for _, f := range v.Spec.Entrypoint.Files {
		protos[f.Path] = []byte(f.Content)
	}
	return &source.Contract{Entry: v.Spec.Entrypoint.Proto, Protos: protos}, nil
}
