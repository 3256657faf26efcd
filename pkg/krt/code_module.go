package krt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/mod/modfile"

	"krt.dev/kn-krt/pkg/krt/untrusted"
)

// Replacement is a line of a go.mod by which a module comes from outside its bundle.
type Replacement struct {
	// File is the go.mod, from the bundle's root. Line and Column count from 1.
	File         string
	Line, Column int
	// Module is what is replaced, and Target the folder as the line has it.
	Module, Target string
}

// Text says what is wrong with it, without the place.
func (r Replacement) Text() string {
	return fmt.Sprintf("replace %.80s: %.80q is outside the bundle; put the module into the bundle", r.Module, r.Target)
}

// Outside returns what the go.mod that holds for folder, a path from the bundle's root, takes from
// outside the bundle; a vendor folder does not change it, as nodes are built with -mod=mod. What
// kn-krt brings itself is no matter.
func (b *Bundle) Outside(folder string) ([]Replacement, error) {
	root, err := b.Open()
	if err != nil {
		return nil, err
	}
	defer root.Close() //nolint:errcheck // only read from
	return outside(root, moduleFile(root, folder)), nil
}

// checkReplace warns of what a Go node's go.mod takes from outside the bundle: it builds on
// this machine only, and no image is made of it.
func (r *reader) checkReplace(root *os.Root, src string) {
	folder := src
	if path.Ext(src) == ".go" {
		folder = path.Dir(src)
	}
	name := moduleFile(root, folder)
	if r.modules[name] {
		return
	}
	r.modules[name] = true
	for _, o := range outside(root, name) {
		r.add(Problem{File: o.File, Line: o.Line, Column: o.Column, Warning: true, Text: o.Text()}, "")
	}
}

// outside returns what the go.mod of that name takes from outside the bundle; nothing where there is none.
func outside(root *os.Root, name string) (all []Replacement) {
	if name == "" {
		return nil
	}
	text, err := untrusted.ReadFile(root.FS(), name, maxCode)
	if err != nil {
		return nil
	}
	file, err := modfile.Parse(name, text, nil)
	if err != nil {
		return nil // the go command says what is wrong
	}
	for _, replaced := range file.Replace {
		module, target := replaced.Old.Path, replaced.New.Path
		if replaced.New.Version != "" || brought(module) || !leaves(root, path.Dir(name), target) {
			continue
		}
		at := replaced.Syntax.Start
		all = append(all, Replacement{name, at.Line, at.LineRune, module, target})
	}
	return all
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

// leaves says that target, as the go.mod in folder has it, is not in the bundle, by its name or by a link.
func leaves(root *os.Root, folder, target string) bool {
	to := path.Join(folder, filepath.ToSlash(target))
	if filepath.IsAbs(target) || to == ".." || strings.HasPrefix(to, "../") {
		return true
	}
	_, err := root.Stat(to)
	return err != nil && !errors.Is(err, fs.ErrNotExist)
}

// stoodIn are the original's modules that kn-krt has modules of its own for.
var stoodIn = regexp.MustCompile(`^git(hub\.com/konstellation-io|lab\.com/konstellation)/kre(-runners/kre-go|/(runners|runtime-runners)/kre-go|/libs/simplelogger)$`)

// brought says that kn-krt brings module, or that whoever works on it replaces it.
func brought(module string) bool { return module == runnerModule || stoodIn.MatchString(module) }
