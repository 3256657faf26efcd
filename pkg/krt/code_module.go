package krt

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
)

// checkReplace warns of what a Go node's go.mod takes from outside the bundle: it builds on
// this machine only. What kn-krt brings itself, and what is in a vendor folder, is no matter.
func (r *reader) checkReplace(root *os.Root, src string) {
	folder := src
	if path.Ext(src) == ".go" {
		folder = path.Dir(src)
	}
	name := moduleFile(root, folder)
	if name == "" || r.modules[name] {
		return
	}
	r.modules[name] = true
	text, err := readAtMost(root, name, maxCode)
	if err != nil {
		return
	}
	file, err := modfile.Parse(name, text, nil)
	if err != nil {
		return // the go command says what is wrong
	}
	if _, err := root.Stat(path.Join(path.Dir(name), "vendor", "modules.txt")); err == nil {
		return
	}
	for _, replaced := range file.Replace {
		target, own := replaced.New.Path, strings.HasPrefix(replaced.Old.Path, "github.com/konstellation-io/") || replaced.Old.Path == runnerModule
		if replaced.New.Version != "" || own || !leaves(path.Dir(name), target) {
			continue
		}
		at := replaced.Syntax.Start
		r.add(Problem{
			File: name, Line: at.Line, Column: at.LineRune, Warning: true,
			Text: fmt.Sprintf("replace %.80s: %.80q is outside the bundle, which can be built on this machine only; "+
				"put the module into the bundle, or run go mod vendor", replaced.Old.Path, target),
		}, "")
	}
}

// runnerModule is the SDK, which kn-krt brings. A program that is linked with it has our runner,
// whatever names of the original's it uses.
const runnerModule = "krt.dev/kn-krt/pkg/runner"

// moduleFile returns the go.mod that holds for folder, "" if none in the bundle does.
func moduleFile(root *os.Root, folder string) string {
	for {
		name := path.Join(folder, "go.mod")
		if _, err := root.Stat(name); err == nil {
			return name
		}
		if folder == "." {
			return ""
		}
		folder = path.Dir(folder)
	}
}

// leaves says that target, as the go.mod in folder has it, is not in the bundle.
func leaves(folder, target string) bool {
	to := path.Join(folder, filepath.ToSlash(target))
	return filepath.IsAbs(target) || to == ".." || strings.HasPrefix(to, "../")
}
