// Package bundle is what the command line does with a bundle on this machine:
// create, check, test, pack and unpack it, and generate the code that its nodes need.
// Verbs in other packages open bundles with it, too.
package bundle

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/legible"
)

// Opened is a bundle that a verb works on: a folder, or a .krt file, which is unpacked
// until Close is called.
type Opened struct {
	*krt.Bundle // nil if the problems have errors

	problems krt.Problems
	tempDir  string
}

// Open reads and checks the bundle at path: a folder, a manifest or a .krt file. It prints
// the problems; its error is that of [RequireValid] unless all are warnings. The bundle
// must be closed.
func Open(ctx context.Context, s term.Streams, path string) (*Opened, error) {
	return openValid(ctx, s, path, krt.Options{})
}

// OpenToShip is Open for verbs that pass the bundle on: its contents are listed and
// checked, too.
func OpenToShip(ctx context.Context, s term.Streams, path string) (*Opened, error) {
	return openValid(ctx, s, path, krt.Options{Contents: true})
}

func openValid(ctx context.Context, s term.Streams, path string, options krt.Options) (*Opened, error) {
	o, err := openWith(ctx, path, options)
	if err != nil {
		return nil, err
	}
	if err := RequireValid(o.problems, s, path); err != nil {
		o.Close()
		return nil, err
	}
	return o, nil
}

// openWith opens a bundle whatever its problems are.
func openWith(ctx context.Context, path string, options krt.Options) (o *Opened, err error) {
	o = &Opened{}
	if filepath.Ext(path) == ".krt" {
		if o.tempDir, err = os.MkdirTemp("", "kn-krt-"); err != nil {
			return nil, fmt.Errorf("cannot create a folder to unpack into: %w", err)
		}
		// The folder has the bundle's name, because it may show in messages.
		dir := filepath.Join(o.tempDir, strings.TrimSuffix(filepath.Base(path), ".krt"))
		o.Bundle, o.problems, err = krt.LoadArchive(ctx, path, dir, options)
	} else {
		o.Bundle, o.problems, err = krt.Load(ctx, path, options)
	}
	if err != nil {
		o.Close()
		return nil, err
	}
	return o, nil
}

// Close removes what Open unpacked.
func (o *Opened) Close() {
	if o.tempDir != "" {
		_ = os.RemoveAll(o.tempDir)
	}
}

// RequireValid prints the problems of the bundle at path and returns an error, unless all
// are warnings.
func RequireValid(problems krt.Problems, s term.Streams, path string) error {
	for _, p := range problems {
		if !p.Note || p.Shown {
			fmt.Fprintln(s.Err, p)
		}
	}
	if !problems.HasErrors() {
		return nil
	}
	return fmt.Errorf("%s is not a valid version: %s", shown(path), summary(problems))
}

// summary counts errors and warnings: "6 errors, 1 warning"; "" if there are none.
func summary(problems krt.Problems) string {
	errs, warnings := 0, 0
	for _, p := range problems {
		switch {
		case !p.Warning:
			errs++
		case !p.Note:
			warnings++
		}
	}
	var parts []string
	if errs > 0 {
		parts = append(parts, legible.Count(errs, "error"))
	}
	if warnings > 0 {
		parts = append(parts, legible.Count(warnings, "warning"))
	}
	return strings.Join(parts, ", ")
}

// shown is the path of a bundle as texts name it: the current folder by its name.
func shown(path string) string {
	if dir, err := filepath.Abs(path); err == nil && filepath.Clean(path) == "." {
		return filepath.Base(dir)
	}
	return path
}

// PathArgument is the first of args, or the current folder.
func PathArgument(args []string) string {
	if len(args) == 0 {
		return "."
	}
	return args[0]
}
