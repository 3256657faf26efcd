package gobuild

import (
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// MaxOutput is how many lines of the go command are kept.
const MaxOutput = 200

// Error reports that a Go node does not compile.
type Error struct {
	Node string
	// Output is the compiler's, with paths relative to the current folder.
	Output []string
}

// Error has the compiler's lines below the node's name.
func (e *Error) Error() string {
	return fmt.Sprintf("cannot build node %q:\n  %s", e.Node, strings.Join(e.Output, "\n  "))
}

// Failed returns the error of a node whose target t does not build, from the output of the go command.
func Failed(node string, t Target, output []string) *Error {
	e := &Error{Node: node}
	for _, line := range output[:min(len(output), MaxOutput)] {
		if strings.HasPrefix(line, "# ") { // the package's name
			continue
		}
		e.Output = append(e.Output, newerGo(fromHere(t.Folder, line)))
	}
	if files := cgoFiles(t.Folder); len(files) > 0 {
		e.Output = append(e.Output, fromHere(t.Folder, files[0]+": it imports \"C\" and is left out, because nodes are built without cgo: "+
			"build the program yourself and name it as the node's src"))
	}
	if at := slices.IndexFunc(e.Output, notFound.MatchString); at >= 0 {
		if why := Unused(t, e.Output[at]); why != "" {
			e.Output = append(e.Output, why)
		}
	}
	return e
}

// Unused says, if line of the go command is about a package that it does not find, which go.mod above t's bundle was not
// used, and what to do; "" if there is none.
func Unused(t Target, line string) string {
	if !notFound.MatchString(line) {
		return ""
	}
	above := t.above()
	if above == "" {
		return ""
	}
	return near(above) + " is above the bundle and not used: a bundle builds with a go.mod of its own, or with none; " +
		"make one in the bundle (go mod init), and copy or require there what the node imports"
}

// notFound matches how the go command says that it does not find a package: here, in a module, or, after "module ", where the
// proxy or repository of its module does not have it or cannot be asked.
var notFound = regexp.MustCompile(`package \S+ is not in std|module provid(es|ing) package |\.go:\d+:\d+: module \S`)

var tooOld = regexp.MustCompile(`^go: (.*?) requires go >= (\S+) \(running go (\S+?); GOTOOLCHAIN=local\)$`)

// newerGo adds what to do if a module needs a newer Go: none is downloaded.
func newerGo(line string) string {
	said := tooOld.FindStringSubmatch(line)
	if said == nil {
		return line
	}
	module := said[1]
	if filepath.Base(module) == "go.mod" {
		module = "go.mod" // a copy of the node's
	}
	return fmt.Sprintf("%s requires Go %s, and this machine has Go %s: "+
		"install a newer one (https://go.dev/dl); none is downloaded for a bundle", module, said[2], said[3])
}

// cgoFiles are the Go files in folder that import "C".
func cgoFiles(folder string) []string {
	files, _ := filepath.Glob(filepath.Join(folder, "*.go")) // the pattern is valid
	return slices.DeleteFunc(files[:min(len(files), MaxOutput)], func(file string) bool {
		info, err := os.Lstat(file)
		if err != nil || !info.Mode().IsRegular() {
			return true
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return true
		}
		for _, i := range parsed.Imports {
			if i.Path.Value == `"C"` {
				return false
			}
		}
		return true
	})
}

// fromHere rewrites the path that a compiler's line begins with, relative to
// folder, to one from the current folder.
func fromHere(folder, line string) string {
	text := strings.TrimLeft(line, " \t")
	indent := line[:len(line)-len(text)]
	path, rest, ok := strings.Cut(text, ".go:")
	if !ok || strings.ContainsAny(path, " \t") {
		return line
	}
	if path += ".go"; !filepath.IsAbs(path) {
		path = filepath.Join(folder, path)
	}
	return indent + near(path) + ":" + rest
}

// near is path, from the current folder if it is below it.
func near(path string) string {
	if here, err := os.Getwd(); err == nil {
		if below, err := filepath.Rel(here, path); err == nil && !strings.HasPrefix(below, "..") {
			return below
		}
	}
	return path
}
