package krt

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Problem is a mistake in a bundle, or something worth knowing about it.
type Problem struct {
	// File is the path from the bundle's root: the manifest, a proto, or a node's code.
	File string
	// Line and Column count from 1; 0 means the file as a whole.
	Line, Column int
	// Warning marks what does not keep the version from running.
	Warning bool
	// Note marks a warning that needs no change.
	Note bool
	// Shown marks a note that is shown whenever the version is used, because kn-krt does something else
	// than the manifest asks.
	Shown bool
	// Image marks a warning that concerns images alone: a local run makes none.
	Image bool
	// Text is what is wrong and, where it can be known, what to do.
	Text string
}

// Name returns File for people and for readers of lines: in quotes and escaped if it has what steers a
// terminal, or line breaks, which would be lines of their own in the log of a CI.
func (p Problem) Name() string {
	if strings.ContainsFunc(p.File, func(r rune) bool { return !strconv.IsPrint(r) || r == utf8.RuneError }) {
		return strconv.Quote(p.File)
	}
	return p.File
}

// String returns "krt.yml:12:9: text", with "warning:" or "note:" before the text.
func (p Problem) String() string {
	level := ""
	switch {
	case p.Note:
		level = "note: "
	case p.Warning:
		level = "warning: "
	}
	if p.Line == 0 {
		return p.Name() + ": " + level + p.Text
	}
	return fmt.Sprintf("%s:%d:%d: %s%s", p.Name(), p.Line, p.Column, level, p.Text)
}

// mostProblems is how many problems of a bundle are reported at most: errors before warnings.
const mostProblems = 200

// Problems are all that was found, in order of file and place.
type Problems []Problem

// Error returns one line per problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

// HasErrors reports whether one of p is an error.
func (p Problems) HasErrors() bool {
	return slices.ContainsFunc(p, func(one Problem) bool { return !one.Warning })
}

// Errors returns those of p that are not warnings.
func (p Problems) Errors() Problems {
	return slices.DeleteFunc(slices.Clone(p), func(one Problem) bool { return one.Warning })
}

// sort orders p by place: those of the manifest first, then those of the files it points to.
func (p Problems) sort(manifest string) {
	slices.SortStableFunc(p, func(a, b Problem) int {
		switch {
		case a.File == b.File:
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
		case a.File == manifest:
			return -1
		case b.File == manifest:
			return 1
		}
		return cmp.Compare(a.File, b.File)
	})
}
