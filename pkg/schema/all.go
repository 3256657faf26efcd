package schema

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// CompileAll compiles the protos of the bundle, for code generation: Options.Entry with all it
// imports, and whatever else compiles together with it. What does not, such as a stray file or a proto
// whose imports are relative to another root, is in LeftOut. The Schema has no entry and no
// methods. A proto that is a copy of another one nearer to the root, as bundles keep them next to a
// node's code, is skipped; so are hidden files and folders, and Python virtual
// environments. Errors are as in Compile, and about Options.Entry only.
func CompileAll(ctx context.Context, fsys fs.FS, o Options) (*Schema, error) {
	paths, err := list(fsys)
	if err != nil {
		return nil, err
	}
	if i := slices.Index(paths, o.Entry); i > 0 {
		paths = append([]string{o.Entry}, slices.Delete(paths, i, i+1)...)
	}
	var good []string
	if o.Entry != "" {
		good = append(good, o.Entry)
	}
	more := mostTried(o)
	tried, rest := paths[:min(more, len(paths))], paths[min(more, len(paths)):]
	tried = originals(fsys, tried, o.withDefaults())
	// Most bundles hold nothing that does not compile.
	s, err := compile(ctx, fsys, union(good, tried), o)
	if err == nil || ctx.Err() != nil {
		return s.without(nil, rest), err
	}
	if s, err = compile(ctx, fsys, good, o); err != nil {
		return nil, err
	}
	var left Errors
	for _, file := range tried {
		if s.sources[file] != nil {
			continue
		}
		with, err := compile(ctx, fsys, union(good, []string{file}), o)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			left = append(left, first(file, err))
		default:
			good, s = append(good, file), with
		}
	}
	return s.without(left, rest), nil
}

// mostTried is how many protos of a bundle are tried, beyond the most that it may contain.
func mostTried(o Options) int { return 2 * o.withDefaults().MaxFiles }

// first is what is wrong with file, in one Error about it.
func first(file string, err error) Error {
	var mistakes Errors
	if !errors.As(err, &mistakes) {
		return Error{File: file, Text: err.Error()}
	}
	for _, e := range mistakes {
		if e.File == file {
			return e
		}
	}
	return Error{File: file, Text: mistakes[0].Error()}
}

// without notes what is left out of s.
func (s *Schema) without(left Errors, rest []string) *Schema {
	if len(rest) > 0 {
		left = append(left, Error{File: rest[0], Text: fmt.Sprintf("it and %d more protos are ignored: the bundle has too many", len(rest)-1)})
	}
	if s != nil {
		s.left = left
	}
	return s
}

// LeftOut returns an Error for each of the bundle's protos that CompileAll could not compile.
func (s *Schema) LeftOut() Errors { return s.left }

// union returns a and then what of b is not in it.
func union(a, b []string) []string {
	all := slices.Clone(a)
	for _, one := range b {
		if !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	return all
}

// mostEntries bounds the walk over a bundle's folder.
const mostEntries = 100_000

// list returns the paths of all protos in fsys, those nearer to the root first.
func list(fsys fs.FS) (paths []string, err error) {
	entries := 0
	err = fs.WalkDir(fsys, ".", func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil && file != ".":
			return fs.SkipDir // what cannot be read holds nothing that is needed
		case err != nil:
			return err
		}
		if entries++; entries > mostEntries {
			return fmt.Errorf("more than %d files", mostEntries)
		}
		if entry.IsDir() && file != "." && holdsNoProtos(fsys, file) {
			return fs.SkipDir
		}
		if entry.Type().IsRegular() && isProto(file) {
			paths = append(paths, file)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot list the bundle's protos: %w", err)
	}
	slices.SortStableFunc(paths, func(a, b string) int { return strings.Count(a, "/") - strings.Count(b, "/") })
	return paths, nil
}

// isProto reports whether a file of the bundle is a proto of its own.
func isProto(file string) bool {
	return path.Ext(file) == ".proto" && !strings.HasPrefix(path.Base(file), ".") && !wellKnown(file)
}

// holdsNoProtos reports whether a folder is hidden, or a virtual environment of Python.
func holdsNoProtos(fsys fs.FS, folder string) bool {
	_, err := fs.Stat(fsys, path.Join(folder, "pyvenv.cfg"))
	return err == nil || strings.HasPrefix(path.Base(folder), ".")
}

// originals returns paths without those whose text an earlier one has. What cannot be read, or
// is too large, stays, and is refused when it is compiled.
func originals(fsys fs.FS, paths []string, limits Options) (kept []string) {
	seen := map[[sha256.Size]byte]bool{}
	for _, file := range paths {
		info, err := fs.Stat(fsys, file)
		if err != nil || info.Size() > limits.MaxBytes {
			kept = append(kept, file)
			continue
		}
		text, err := fs.ReadFile(fsys, file)
		if sum := sha256.Sum256(text); err != nil || !seen[sum] {
			kept, seen[sum] = append(kept, file), err == nil
		}
	}
	return kept
}
