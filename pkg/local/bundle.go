package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"krt.dev/kn-krt/pkg/krt"
)

// source is where a version comes from: a folder, the manifest in one, or a
// packed bundle.
type source struct {
	path   string // absolute
	packed bool
}

func findSource(path string) (source, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return source{}, fmt.Errorf("cannot run %q: %w", path, err)
	}
	info, err := os.Stat(absolute)
	if err != nil {
		var at *fs.PathError
		if errors.As(err, &at) {
			err = at.Err
		}
		return source{}, fmt.Errorf("cannot run %q: %w", path, err)
	}
	extension := strings.ToLower(filepath.Ext(absolute))
	manifest := extension == ".yml" || extension == ".yaml"
	return source{path: absolute, packed: !info.IsDir() && !manifest}, nil
}

// stateDir returns the default state folder: that of the bundle's folder,
// whether it or the manifest in it was named.
func (s source) stateDir() (string, error) {
	path := s.path
	if info, err := os.Stat(path); err == nil && !info.IsDir() && !s.packed {
		path = filepath.Dir(path)
	}
	return DefaultStateDir(path)
}

// load reads and checks the bundle at path. Warnings are reported; errors come
// as krt.Problems.
func load(ctx context.Context, path string, r Reporter) (*krt.Bundle, error) {
	b, problems, err := krt.Load(ctx, path, krt.Options{})
	return checked(b, problems, err, r)
}

// loadPacked does it for a packed bundle, which it unpacks below st.
func (s source) loadPacked(ctx context.Context, st *state, r Reporter) (*krt.Bundle, error) {
	b, problems, err := krt.LoadArchive(ctx, s.path, filepath.Join(st.run(), "bundle"), krt.Options{})
	return checked(b, problems, err, r)
}

func checked(b *krt.Bundle, problems krt.Problems, err error, r Reporter) (*krt.Bundle, error) {
	if err != nil {
		return nil, err
	}
	if problems.HasErrors() {
		return nil, problems.Errors()
	}
	ofImages := 0
	for _, p := range problems {
		switch {
		case p.Image:
			ofImages++
		case !p.Note || p.Shown:
			p.Warning = false // the event says so
			r.Event(Event{Type: EventWarning, Text: p.String()})
		}
	}
	if ofImages > 0 {
		r.Event(Event{Type: EventWarning,
			Text: fmt.Sprintf("no image can be built yet (%d warnings about requirements), and a local run needs none", ofImages)})
	}
	for _, n := range b.Manifest.Nodes {
		if b.Kind(n) == krt.KindImage {
			return nil, fmt.Errorf("cannot run node %q: its code is in the image %q, and a local run needs src", n.Name, n.Image)
		}
	}
	return b, nil
}
