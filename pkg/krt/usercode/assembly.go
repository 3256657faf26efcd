package usercode

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/scanner"

	"krt.dev/kn-krt/pkg/krt/untrusted"
)

const (
	maxAssembly = 4 << 20 // bytes of one file
	maxWalked   = 1 << 20 // files and folders of a bundle
	maxIncludes = 20      // that are reported
)

// Include is a place where assembly includes what it must not.
type Include struct {
	// File is the path from the bundle's root. Line and Column count from 1; 0 means the file as a whole.
	File         string
	Line, Column int
	// Text is what is wrong, without the place.
	Text string
}

// Includes returns where Go assembly in the bundle includes a file by a path that leaves the folder of its
// package: a build error would show lines of that file. Assembly is what is in a folder with Go files, whatever
// the folder's name and whatever an ignore file leaves out, because the go command builds what is imported.
func Includes(bundle fs.FS) []Include {
	var (
		a        = assembly{bundle: bundle, seen: map[string]bool{}}
		files    []string
		packages = map[string]bool{}
		walked   = 0
	)
	_ = fs.WalkDir(bundle, ".", func(name string, entry fs.DirEntry, err error) error {
		walked++
		switch {
		case walked > maxWalked:
			a.found = append(a.found, Include{File: name, Text: fmt.Sprintf(
				"is in a bundle of more than %d files and folders, whose assembly is not checked; remove what the version does not need", maxWalked)})
			return fs.SkipAll
		case err != nil:
			return nil //nolint:nilerr // the go command cannot read it either
		case entry.IsDir():
		case path.Ext(name) == ".go":
			packages[path.Dir(name)] = true
		case path.Ext(name) == ".s":
			files = append(files, name)
		}
		return nil
	})
	for _, name := range files {
		if folder := path.Dir(name); packages[folder] {
			a.file(name, folder)
		}
	}
	return a.found
}

// assembly collects what files include.
type assembly struct {
	bundle fs.FS
	seen   map[string]bool
	found  []Include
}

// file checks the file name, and those it includes, as the assembler does that runs in folder.
func (a *assembly) file(name, folder string) {
	for queue := []string{name}; len(queue) > 0 && len(a.found) < maxIncludes; queue = queue[1:] {
		name := queue[0]
		if a.seen[folder+"\x00"+name] {
			continue
		}
		a.seen[folder+"\x00"+name] = true
		text, err := untrusted.ReadFile(a.bundle, name, maxAssembly+1)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue // it is one of the go command's own, such as textflag.h
		case err != nil: // a link that leads out of the bundle
			a.found = append(a.found, Include{File: name, Text: fmt.Sprintf("cannot be checked as assembly: %v", untrusted.Reason(err))})
			continue
		case len(text) > maxAssembly:
			a.found = append(a.found, Include{File: name, Text: fmt.Sprintf("is larger than %d bytes: split the assembly into several files",
				maxAssembly)})
			continue
		}
		for _, included := range a.included(name, text) {
			queue = append(queue, path.Join(folder, included))
		}
	}
}

// included returns the paths that a text may include, and notes those that leave the folder. A path is a string
// that is not a constant ($"…"): with macros, the word include may be far from it.
func (a *assembly) included(name string, text []byte) (paths []string) {
	var s scanner.Scanner // as the assembler sets up its own (cmd/asm/internal/lex)
	s.Init(bytes.NewReader(text))
	s.Error = func(*scanner.Scanner, string) {}
	s.Whitespace = 1<<'\t' | 1<<'\r' | 1<<' '
	s.Mode = scanner.ScanChars | scanner.ScanFloats | scanner.ScanIdents | scanner.ScanInts | scanner.ScanStrings | scanner.ScanComments |
		scanner.SkipComments
	for before, token := rune(0), s.Scan(); token != scanner.EOF; before, token = token, s.Scan() {
		if token != scanner.String || before == '$' {
			continue
		}
		included, err := strconv.Unquote(s.TokenText())
		if err != nil || !filepath.IsLocal(included) || slices.Contains(strings.Split(included, "/"), "..") {
			a.found = append(a.found, Include{name, s.Line, s.Column, fmt.Sprintf(
				"includes %.80s, which is outside the folder of its package; put the file there", s.TokenText())})
			continue
		}
		paths = append(paths, included)
	}
	return paths
}
