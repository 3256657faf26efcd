package usercode

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"text/scanner"

	"krt.dev/kn-krt/pkg/krt/untrusted"
)

const (
	maxAssembly = 4 << 20 // bytes of one file
	maxWalked   = 100_000 // files and folders of a bundle
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
// package: a build error would show lines of that file.
func Includes(bundle fs.FS) []Include {
	a := assembly{bundle: bundle, seen: map[string]bool{}}
	walked := 0
	_ = fs.WalkDir(bundle, ".", func(name string, entry fs.DirEntry, err error) error {
		walked++
		switch {
		case walked > maxWalked || len(a.found) >= maxIncludes:
			return fs.SkipAll
		case err != nil:
			return nil //nolint:nilerr // the go command cannot read it either
		case entry.IsDir() && name != "." && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir // no import path leads there
		case !entry.IsDir() && path.Ext(name) == ".s":
			a.file(name, path.Dir(name))
		}
		return nil
	})
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
		case err != nil:
			continue // there is none in the bundle: it is one of the go command's own, such as textflag.h
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
		if err != nil || !filepath.IsLocal(included) {
			a.found = append(a.found, Include{name, s.Line, s.Column, fmt.Sprintf(
				"includes %.80s, which is outside the folder of its package; put the file there", s.TokenText())})
			continue
		}
		paths = append(paths, included)
	}
	return paths
}
