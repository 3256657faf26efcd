package usercode

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
)

// Replacement is a line of a go.mod by which a module comes from outside its bundle.
type Replacement struct {
	// File is the go.mod, from the bundle's root. Line and Column count from 1.
	File         string
	Line, Column int
	// Module is what is replaced, and Target the folder as the line has it.
	Module, Target string
}

// Text is what is wrong with it, without the place.
func (r Replacement) Text() string {
	return fmt.Sprintf("replace %.80s: %.80q is outside the bundle; copy the module into the bundle", r.Module, r.Target)
}

// Outside returns what the go.mod of that name takes from outside the bundle; nothing where there is
// none. What kn-krt brings itself does not count.
func Outside(root *os.Root, name string) (all []Replacement) {
	if name == "" {
		return nil
	}
	text, err := Read(root.FS(), name)
	if err != nil {
		return nil
	}
	file, err := modfile.Parse(name, text, nil)
	if err != nil {
		return nil // the go command reports what is wrong
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

// ModuleFile returns the go.mod that holds for folder, "" if none in the bundle does.
func ModuleFile(root *os.Root, folder string) string {
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

// HasModule reports whether a folder of this machine has a go.mod.
func HasModule(folder string) bool {
	info, err := os.Stat(filepath.Join(folder, "go.mod"))
	return err == nil && info.Mode().IsRegular()
}

// ModuleAbove returns the path of the nearest go.mod above a bundle's folder, which is not the bundle's: it is on this
// machine alone. It is "" if there is none.
func ModuleAbove(bundle string) string {
	for dir := bundle; dir != filepath.Dir(dir); {
		if dir = filepath.Dir(dir); HasModule(dir) {
			return filepath.Join(dir, "go.mod")
		}
	}
	return ""
}

// leaves reports whether target, as the go.mod in folder has it, is outside the bundle, by its name or by a link.
func leaves(root *os.Root, folder, target string) bool {
	to := path.Join(folder, filepath.ToSlash(target))
	if filepath.IsAbs(target) || to == ".." || strings.HasPrefix(to, "../") {
		return true
	}
	_, err := root.Stat(to)
	return err != nil && !errors.Is(err, fs.ErrNotExist)
}

// stoodIn are the original's modules that kn-krt has modules of its own for.
var stoodIn = regexp.MustCompile(`^git(hub\.com/konstellation-io|lab\.com/konstellation)/kre` +
	`(-runners/kre-go|/(runners|runtime-runners)/kre-go|/libs/simplelogger)$`)

// brought reports whether kn-krt brings module itself, or a module in place of it.
func brought(module string) bool { return module == runnerModule || stoodIn.MatchString(module) }
