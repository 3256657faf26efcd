package bundle

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/pyrunner"
	"krt.dev/kn-krt/pkg/runner/clip"
)

// maxSyntaxText bounds what is shown of an interpreter's text.
const maxSyntaxText = 200

// compilePython returns what the Python of this machine does not compile: an error in a node's own file, without which the
// node cannot start, and a warning in any other file, which may be no node's. Without a Python, nothing is known.
func compilePython(ctx context.Context, b *krt.Bundle) (problems krt.Problems) {
	own := pythonFiles(b)
	if len(own) == 0 {
		return nil
	}
	python, err := pyrunner.FindPython(os.Getenv)
	if err != nil {
		return nil //nolint:nilerr // without a Python, nothing is known
	}
	names := slices.Collect(maps.Keys(own))
	if b.Listed != nil {
		for _, f := range b.Listed.Files {
			if path.Ext(f.Name) == ".py" && own[f.Name] == nil {
				names = append(names, f.Name)
			}
		}
	}
	slices.SortFunc(names, func(a, b string) int { // the nodes' own first: there are bounds
		if (own[a] == nil) != (own[b] == nil) {
			return len(own[b]) - len(own[a])
		}
		return strings.Compare(a, b)
	})
	version, bad := pyrunner.Compile(ctx, python, b.FS(), names)
	for _, one := range bad {
		problems = append(problems, syntaxProblem(one, version, own[one.File]))
	}
	return problems
}

// pythonFiles are the nodes by their Python file.
func pythonFiles(b *krt.Bundle) map[string][]string {
	files := map[string][]string{}
	for _, n := range b.Manifest.Nodes {
		if b.Kind(n) == krt.KindPython {
			files[path.Clean(n.Src)] = append(files[path.Clean(n.Src)], n.Name)
		}
	}
	return files
}

// syntaxProblem is the problem with a file of these nodes; of none, it is one that they may import.
func syntaxProblem(e pyrunner.SyntaxError, version string, nodes []string) krt.Problem {
	p := krt.Problem{File: e.File, Line: e.Line, Column: e.Column, Warning: len(nodes) == 0}
	if p.Line > 0 {
		p.Column = max(p.Column, 1)
	}
	who := "what imports it fails"
	if len(nodes) > 0 {
		who = fmt.Sprintf("node %q cannot start", nodes[0])
	}
	p.Text = fmt.Sprintf("Python %s does not compile it: %s; %s until that is corrected (KRT_PYTHON names another Python)",
		version, clip.Text(e.Text, maxSyntaxText), who)
	return p
}
