package requirement

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// place is where a line begins.
type place struct {
	file string
	line int // 0 for the file as a whole
}

// reader reads a file of requirements and those that it names.
type reader struct {
	bundle   fs.FS
	seen     map[reading]bool
	wheels   map[string]error // what is wrong with those that were looked at
	items    int
	list     *List
	problems []Problem
}

// reading is a file as what it is read: one may be both.
type reading struct {
	name        string
	constraints bool
}

func (r *reader) refuse(at place, format string, args ...any) {
	r.problems = append(r.problems, Problem{File: at.file, Line: at.line, Text: fmt.Sprintf(format, args...)})
}

// file reads the file name, which the line at from names. As constraints, its lines require nothing themselves.
func (r *reader) file(from place, name string, constraints bool) {
	as := reading{name, constraints}
	if r.seen[as] {
		return
	}
	if len(r.seen) == maxFiles {
		r.refuse(from, "requirements are in more than %d files", maxFiles)
		return
	}
	r.seen[as] = true
	text, err := r.read(name)
	if err != nil {
		r.refuse(from, "cannot read %.*q: %s", maxShown, name, err)
		return
	}
	for _, l := range logicalLines(text) {
		at := place{name, l.number}
		if r.items++; r.items > maxItems {
			r.refuse(at, "there are more than %d lines of requirements", maxItems)
			return
		}
		r.line(at, l.text, constraints)
	}
}

func (r *reader) read(name string) (string, error) {
	file, err := r.open(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", errors.New("it is not in the bundle")
	case err != nil:
		return "", err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxBytes+1))
	switch {
	case err != nil:
		return "", err
	case len(text) > maxBytes:
		return "", fmt.Errorf("it is larger than %d bytes", maxBytes)
	}
	return decode(text)
}

// open opens a regular file: to open a pipe would block.
func (r *reader) open(name string) (fs.File, error) {
	info, err := fs.Stat(r.bundle, name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a regular file")
	}
	return r.bundle.Open(name)
}

// logicalLine is a line without its comment, joined with those that continue it.
type logicalLine struct {
	number int
	text   string
}

var comment = regexp.MustCompile(`(^|\s)#.*$`)

// logicalLines are text's, as pip joins them: a backslash at the end continues a line, not a comment.
func logicalLines(text string) (lines []logicalLine) {
	var joined strings.Builder
	begun := 0
	end := func() {
		if whole := strings.TrimSpace(joined.String()); whole != "" {
			lines = append(lines, logicalLine{begun, whole})
		}
		joined.Reset()
		begun = 0
	}
	number := 0
	for line := range strings.Lines(text) {
		number++
		if begun == 0 {
			begun = number
		}
		line = strings.TrimRight(line, "\r\n")
		if bare := comment.ReplaceAllString(line, ""); bare != line {
			line = bare
		} else if continued, ok := strings.CutSuffix(line, `\`); ok {
			joined.WriteString(continued)
			continue
		}
		joined.WriteString(line)
		end()
	}
	end()
	return lines
}

// line reads one line that is not empty.
func (r *reader) line(at place, text string, constraints bool) {
	switch {
	case strings.Contains(text, "${"):
		r.refuse(at, "%s", refusal(text, "names a variable of the environment", "write its value"))
	case text[0] == '-':
		r.option(at, text, constraints)
	default:
		item, err := parseItem(text)
		if err == nil && item.Wheel != "" {
			item.Wheel, err = r.wheel(at.file, item.Wheel)
			if err == nil && constraints {
				err = refused(text, "is a wheel, and a constraint can only limit versions", "write NAME==VERSION")
			}
		}
		switch {
		case err != nil:
			r.refuse(at, "%s", err)
		case constraints:
			r.list.Constraints = append(r.list.Constraints, item)
		default:
			r.list.Items = append(r.list.Items, item)
		}
	}
}

// option reads a line that begins with an option.
func (r *reader) option(at place, text string, constraints bool) {
	name, value := splitOption(text)
	switch name {
	case "-r", "--requirement", "-c", "--constraint":
		nested, err := inBundle(at.file, value)
		if err != nil {
			r.refuse(at, "%s", refusal(text, "names a file outside of the bundle", "put it into the bundle and write its path from this file"))
			return
		}
		r.file(at, nested, constraints || name == "-c" || name == "--constraint")
	case "--pre", "--require-hashes":
		if value != "" {
			r.refuse(at, "%s", refusal(text, "has a value, which this option does not take", "write "+name))
		} else if !slices.Contains(r.list.Options, name) {
			r.list.Options = append(r.list.Options, name)
		}
	case "--prefer-binary", "--only-binary": // so it is anyway
	default:
		r.refuse(at, "%s", refuseOption(text, name))
	}
}

// splitOption returns the option that a line begins with, and its value: "-r FILE", "-rFILE", "--requirement=FILE".
func splitOption(text string) (name, value string) {
	if strings.HasPrefix(text, "--") {
		end := strings.IndexAny(text, "= \t")
		if end < 0 {
			return text, ""
		}
		return text[:end], unquote(strings.TrimSpace(text[end+1:]))
	}
	if len(text) < 2 {
		return text, ""
	}
	return text[:2], unquote(strings.TrimSpace(text[2:]))
}

// unquote removes the quotes around a value, which pip reads as a shell does.
func unquote(value string) string {
	if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
		return value[1 : n-1]
	}
	return value
}

// inBundle returns the path, from the bundle's root, of what the file from names relative to itself.
func inBundle(from, named string) (string, error) {
	whole := path.Join(path.Dir(from), named)
	if named == "" || path.IsAbs(named) || strings.ContainsAny(named, `\:`) || !fs.ValidPath(whole) || whole == "." {
		return "", fs.ErrInvalid
	}
	return whole, nil
}
