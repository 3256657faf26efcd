// Package requirement reads the requirements.txt of a bundle before pip does: pip builds what a line names
// as a folder, an archive, a repository or an editable install, and a build runs code of its author.
//
// Taken are names with extras, versions, markers and hashes, wheels that are in the bundle, other files of
// such lines (-r, -c), and the options that only choose among wheels. Each other line is refused, with its
// place, what it is, and what to write instead. What pip is given is made of what was read here.
package requirement

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// MaxProblems is how many refused lines are reported at once.
const MaxProblems = 20

// Bounds of what is read.
const (
	maxFiles = 64      // that requirements lead to
	maxBytes = 1 << 20 // of one file
	maxItems = 10_000  // lines of all files
	maxShown = 80      // characters of a line in a problem
)

// Item is a package that is required.
type Item struct {
	// Name is the package's as written; "" for a wheel.
	Name string
	// Extras are the package's optional parts, Versions a specifier such as ">=1.2,<2".
	Extras   []string
	Versions string
	// Marker is the condition under which it is required (PEP 508), "" for always.
	Marker string
	// Hashes are those of files that will do, "sha256:" and hexadecimal digits.
	Hashes []string
	// Wheel is the path of a wheel in the bundle; "" for a package of an index.
	Wheel string
}

// Line is the item as pip reads it, with the path of its wheel, if it is one.
func (i Item) Line(wheel string) string {
	var line strings.Builder
	line.WriteString(i.Name)
	if i.Wheel != "" {
		line.WriteString(wheel)
	}
	if len(i.Extras) > 0 {
		fmt.Fprintf(&line, "[%s]", strings.Join(i.Extras, ","))
	}
	line.WriteString(i.Versions)
	if i.Marker != "" {
		line.WriteString(" ; " + i.Marker)
	}
	for _, h := range i.Hashes {
		line.WriteString(" --hash=" + h)
	}
	return line.String()
}

// List is what a requirements.txt asks for.
type List struct {
	// Items are required, Constraints hold for packages that something else requires.
	Items, Constraints []Item
	// Options are those of pip that only choose among wheels: --pre, --require-hashes.
	Options []string
}

// Names reports whether the list asks for the package by its name.
func (l *List) Names(name string) bool {
	for _, i := range l.Items {
		if canonical(i.Name) == canonical(name) {
			return true
		}
	}
	return false
}

// canonical is a name as indexes compare them (PEP 503).
func canonical(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '.' {
			return '-'
		}
		return r
	}, strings.ToLower(name))
}

// Problem is a line that is refused.
type Problem struct {
	// File is the path from the bundle's root, Line counts from 1; 0 for the file as a whole.
	File string
	Line int
	Text string
}

// String is "file:line: text".
func (p Problem) String() string {
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s", p.File, p.Text)
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
}

// Error holds all lines that are refused.
type Error struct{ Problems []Problem }

// Error is a line for each of them, up to a limit.
func (e *Error) Error() string {
	var lines []string
	for i, p := range e.Problems {
		if i == MaxProblems {
			lines = append(lines, fmt.Sprintf("and %d more", len(e.Problems)-i))
			break
		}
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "\n  ")
}

// Nearest returns the path of the file that is nearest to folder, in it or above, and "" if there is none. there
// says whether the bundle has a file.
func Nearest(folder, file string, there func(name string) bool) string {
	for ; ; folder = path.Dir(folder) {
		if name := path.Join(folder, file); there(name) {
			return name
		}
		if folder == "." || folder == "/" {
			return ""
		}
	}
}

// File is what the file of requirements is called.
const File = "requirements.txt"

// Read reads the file name of the bundle, and those that it names. The error is an [*Error].
func Read(bundle fs.FS, name string) (*List, error) {
	r := &reader{bundle: bundle, seen: map[reading]bool{}, wheels: map[string]error{}, list: &List{}}
	r.file(place{file: name}, name, false)
	if len(r.problems) > 0 {
		return nil, &Error{r.problems}
	}
	return r.list, nil
}
