package krt

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"krt.dev/kn-krt/pkg/krt/archive"
	"krt.dev/kn-krt/pkg/krt/untrusted"
)

// checkContents lists what the bundle holds, and reports what Pack refuses, and what the
// version needs and is left out.
func (r *reader) checkContents(ctx context.Context, root *os.Root, b *Bundle) error {
	c, err := archive.List(ctx, root, archive.PackOptions{Archive: b.Archive})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil {
		err = readable(root, c.Files)
	}
	var entry *archive.EntryError
	switch {
	case errors.As(err, &entry):
		r.add(Problem{File: entry.Name, Text: entry.Err.Error()}, "")
		return nil
	case err != nil:
		r.fail("", "%v", err)
		return nil
	}
	b.Listed = c
	r.checkNeeded(root, b, c)
	r.checkSecrets(root, c, b.Archive)
	return nil
}

// readable returns which of files cannot be read.
func readable(root *os.Root, files []archive.File) error {
	for _, f := range files {
		file, err := root.Open(f.Name)
		if err != nil {
			return &archive.EntryError{Name: f.Name, Err: untrusted.Reason(err)}
		}
		_ = file.Close()
	}
	return nil
}

// checkNeeded reports protos and code of nodes that are left out.
func (r *reader) checkNeeded(root *os.Root, b *Bundle, c *archive.Contents) {
	kept := map[string]bool{}
	for _, f := range c.Files {
		kept[f.Name] = true
	}
	need := func(at, what, name string) {
		if _, err := root.Stat(name); err == nil && !kept[name] {
			r.fail(at, "%s %.80q is left out of the bundle%s", what, name, c.Why(name))
		}
	}
	if b.Schema != nil {
		for _, name := range slices.Sorted(maps.Keys(b.Schema.Sources())) {
			need("entrypoint.proto", "proto", name)
		}
	}
	for i, n := range b.Manifest.Nodes {
		at := fmt.Sprintf("nodes[%d].src", i)
		switch {
		case n.Src == "" || r.reported(at):
		case b.Kind(n) == KindGoSource && path.Ext(n.Src) != ".go":
			for _, name := range slices.DeleteFunc(untrusted.Names(root, n.Src), notGoSource) {
				need(at, "file", path.Join(n.Src, name))
			}
		default:
			need(at, "src", n.Src)
		}
	}
}

// notGoSource reports whether no Go build needs the file.
func notGoSource(name string) bool {
	return (path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go")) && name != "go.mod" && name != "go.sum"
}

// checkSecrets warns of files that are packed and look like secrets.
func (r *reader) checkSecrets(root *os.Root, c *archive.Contents, packed bool) {
	advice := "; list it in " + archive.IgnoreFile + ", or remove the secret from it"
	if packed {
		advice = "; if it is one, pack the bundle without it"
	}
	found, more := c.Secrets(root)
	for _, one := range found {
		r.add(Problem{
			File: one.Name, Warning: true,
			Text: "looks like a secret (" + one.Why + ") and is part of the bundle and its images" + advice,
		}, "")
	}
	if more {
		r.add(Problem{Warning: true, Text: "more files look like secrets"}, "")
	}
}
