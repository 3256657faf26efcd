package local

import (
	"context"
	"io/fs"
	"strings"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/krt/example"
	"krt.dev/kn-krt/pkg/krt/untrusted"
)

// Files implements [source.Source]: they are read from the bundle's folder each time, as it is now.
func (s *Source) Files(_ context.Context, ref source.Ref) (fs.FS, error) {
	bundle, err := s.bundleOf(ref)
	if err != nil {
		return nil, err
	}
	return forPeople{untrusted.FS(bundle.Dir)}, nil
}

// Contract implements [source.Source].
func (s *Source) Contract(_ context.Context, ref source.Ref) (*source.Contract, error) {
	bundle, err := s.bundleOf(ref)
	if err != nil {
		return nil, err
	}
	return &source.Contract{Entry: bundle.Manifest.Entrypoint.Proto, Protos: bundle.Schema.Sources()}, nil
}

func (s *Source) bundleOf(ref source.Ref) (*krt.Bundle, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.state.is(ref) {
		return nil, &source.NotFoundError{Ref: ref}
	}
	return s.state.bundle, nil
}

// forPeople is what a bundle has below docs/ and metrics/, and its examples.
type forPeople struct{ bundle untrusted.FS }

// Open implements [fs.FS].
func (f forPeople) Open(name string) (fs.File, error) {
	if err := f.check("open", name); err != nil {
		return nil, err
	}
	return f.bundle.Open(name)
}

// Stat implements [fs.StatFS]: what is not a file is not opened.
func (f forPeople) Stat(name string) (fs.FileInfo, error) {
	if err := f.check("stat", name); err != nil {
		return nil, err
	}
	return f.bundle.Stat(name)
}

func (f forPeople) check(op, name string) error {
	if first, _, _ := strings.Cut(name, "/"); first != "docs" && first != "metrics" && !example.Is(name) {
		return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	return nil
}
