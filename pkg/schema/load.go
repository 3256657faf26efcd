package schema

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/bufbuild/protocompile/ast"
	"github.com/bufbuild/protocompile/parser"
	"github.com/bufbuild/protocompile/reporter"

	"krt.dev/kn-krt/pkg/krt/spelling"
)

// mostErrors is how many mistakes are reported at most.
const mostErrors = 200

// loader reads and parses protos of a bundle with their imports, within limits. Parsing
// here rather than in the compiler lets one run report every missing import at its place.
type loader struct {
	fsys    fs.FS
	limits  Options
	sources map[string][]byte
	trees   map[string]*ast.FileNode
	bytes   int64
	errors  Errors
	known   []string // the bundle's protos, listed when an import is missing
}

// load reads the protos of paths and all they import. What is wrong is in l.errors; the
// error is for a file that cannot be read at all.
func (l *loader) load(ctx context.Context, paths []string) error {
	for queue := paths; len(queue) > 0; queue = queue[1:] {
		if err := ctx.Err(); err != nil {
			return err
		}
		file := queue[0]
		if _, seen := l.sources[file]; seen || isBuiltin(l, file) {
			continue
		}
		if len(l.sources) >= l.limits.MaxFiles {
			l.add(Error{File: file, Text: fmt.Sprintf("more than %d protos in the bundle", l.limits.MaxFiles)})
			return nil
		}
		text, err := l.read(file)
		if err != nil {
			return err
		}
		if text == nil {
			return nil
		}
		l.sources[file] = text
		queue = append(queue, l.parse(file, text)...)
	}
	return nil
}

// isBuiltin reports whether path is compiled in and not overridden by the bundle.
func isBuiltin(l *loader, file string) bool {
	return builtin(file) != nil && (wellKnown(file) || !l.exists(file))
}

func (l *loader) exists(file string) bool {
	info, err := fs.Stat(l.fsys, file)
	return err == nil && info.Mode().IsRegular()
}

// read returns the text of file, or nil when it goes over the limits.
func (l *loader) read(file string) ([]byte, error) {
	// A pipe in the folder would block Open forever.
	if info, err := fs.Stat(l.fsys, file); err != nil {
		return nil, fmt.Errorf("cannot read proto: %w", err)
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("cannot read proto %q: it is not a regular file", file)
	}
	f, err := l.fsys.Open(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read proto: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, l.limits.MaxBytes-l.bytes+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read proto: %w", err)
	}
	if l.bytes += int64(len(text)); l.bytes > l.limits.MaxBytes {
		l.add(Error{File: file, Text: fmt.Sprintf("the bundle's protos are larger than %d bytes in total", l.limits.MaxBytes)})
		return nil, nil
	}
	if text == nil {
		text = []byte{}
	}
	return text, nil
}

// parse keeps file's syntax tree and returns the imports to load.
func (l *loader) parse(file string, text []byte) (imports []string) {
	if line, column := tooDeep(text); line > 0 {
		l.add(Error{file, line, column, fmt.Sprintf("more than %d brackets are open at once", deepest)})
		return nil
	}
	// The parser is not ours and the text may be hostile: a panic in it is an error of this file.
	defer func() {
		if p := recover(); p != nil {
			l.add(Error{File: file, Text: fmt.Sprintf("cannot be parsed: %v", p)})
		}
	}()
	tree, err := parser.Parse(file, bytes.NewReader(text), reporter.NewHandler(l.reporter()))
	if err != nil && !errors.Is(err, reporter.ErrInvalidSource) {
		l.addError(file, err)
	}
	if tree == nil {
		return nil
	}
	l.trees[file] = tree
	for _, declaration := range tree.Decls {
		node, ok := declaration.(*ast.ImportNode)
		if !ok || node.Name == nil {
			continue
		}
		name := node.Name.AsString()
		if why := l.missing(file, name); why != "" {
			at := tree.NodeInfo(node.Name).Start()
			l.add(Error{file, at.Line, at.Col, why})
			continue
		}
		imports = append(imports, name)
	}
	return imports
}

// missing returns why name, which file imports, is not available, or "".
func (l *loader) missing(file, name string) string {
	switch {
	case !fs.ValidPath(name) || strings.Contains(name, `\`):
		return fmt.Sprintf("import %.100q: not a path inside the bundle; imports are relative to the bundle's root", name)
	case isBuiltin(l, name) || l.exists(name):
		return ""
	}
	beside := path.Join(path.Dir(file), name)
	hint := "; imports are relative to the bundle's root"
	if l.exists(beside) {
		return fmt.Sprintf("import %.100q: no such proto in the bundle%s: did you mean %q?", name, hint, beside)
	}
	if l.known == nil {
		l.known, _ = list(l.fsys) // only for the suggestion
	}
	if near := spelling.Hint(name, l.known); near != "" {
		hint = near
	}
	return fmt.Sprintf("import %.100q: no such proto in the bundle%s", name, hint)
}

// reporter collects what parser and compiler find, and lets them continue.
func (l *loader) reporter() reporter.Reporter {
	return reporter.NewReporter(func(err reporter.ErrorWithPos) error {
		l.addError("", err)
		if len(l.errors) >= mostErrors {
			return err
		}
		return nil
	}, nil)
}

// addError adds err at its own place, or at file when it has none.
func (l *loader) addError(file string, err error) {
	var placed reporter.ErrorWithPos
	if errors.As(err, &placed) {
		at := placed.GetPosition()
		l.add(Error{at.Filename, at.Line, at.Col, placed.Unwrap().Error()})
		return
	}
	l.add(Error{File: file, Text: err.Error()})
}

func (l *loader) add(e Error) {
	if len(l.errors) < mostErrors {
		l.errors = append(l.errors, e)
	}
}
