package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"krt.dev/kn-krt/pkg/krt"
)

// opened is a bundle that a verb looks at: a folder, or a .krt file unpacked for
// as long as it takes.
type opened struct {
	*krt.Bundle // nil if the problems have errors

	problems krt.Problems
	tempDir  string
}

// openBundle reads and checks what stands at path: a folder, a manifest or a
// .krt file. The caller closes it.
func openBundle(ctx context.Context, path string) (*opened, error) {
	return openWith(ctx, path, krt.Options{})
}

// openToShip is openBundle for verbs that pass the bundle on: what it holds is listed and checked, too.
func openToShip(ctx context.Context, path string) (*opened, error) {
	return openWith(ctx, path, krt.Options{Contents: true})
}

func openWith(ctx context.Context, path string, options krt.Options) (o *opened, err error) {
	o = &opened{}
	if filepath.Ext(path) == ".krt" {
		if o.tempDir, err = os.MkdirTemp("", "kn-krt-"); err != nil {
			return nil, fmt.Errorf("cannot make a place to unpack to: %w", err)
		}
		// The folder bears the bundle's name: it may show in messages.
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

// Close removes what openBundle unpacked.
func (o *opened) Close() {
	if o.tempDir != "" {
		_ = os.RemoveAll(o.tempDir)
	}
}

// requireValid returns an error that shows every problem, unless all are
// warnings. It is for verbs that need a valid version but do not report on it.
func (o *opened) requireValid(s Streams, program, path string) error {
	for _, p := range o.problems {
		if !p.Note || p.Shown {
			fmt.Fprintln(s.Err, p)
		}
	}
	if !o.problems.HasErrors() {
		return nil
	}
	return withHint(fmt.Errorf("%s is no valid version: %s", path, o.summary()), "Check it with '%s validate %s'.", program, path)
}

// summary says how many errors and warnings there are: "6 errors, 1 warning", or
// nothing if there are none.
func (o *opened) summary() string {
	errs, warnings := 0, 0
	for _, p := range o.problems {
		switch {
		case !p.Warning:
			errs++
		case !p.Note:
			warnings++
		}
	}
	var parts []string
	if errs > 0 {
		parts = append(parts, count(errs, "error"))
	}
	if warnings > 0 {
		parts = append(parts, count(warnings, "warning"))
	}
	return strings.Join(parts, ", ")
}

// pathArgument is the first of args, or the current folder.
func pathArgument(args []string) string {
	if len(args) == 0 {
		return "."
	}
	return args[0]
}
