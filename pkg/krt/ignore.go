package krt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

const (
	ignoreFile = ".krtignore"
	maxIgnore  = 64 << 10 // bytes of a .krtignore
)

// ignored are the patterns that hold before those of .krtignore, which may take them back
// with "!": version control, caches, virtual environments, and packed bundles.
func ignored() []string { return []string{".git/", "__pycache__/", ".venv/", "*.krt"} }

// pattern is a line of .krtignore.
type pattern struct {
	glob    string
	negated bool // "!": what it matches is packed after all
	folders bool // "/" at the end: matches folders only
}

// patterns are lines in order; the last one that matches decides.
type patterns []pattern

// readIgnore returns the patterns for the bundle in root.
func readIgnore(root *os.Root, more []string) (patterns, error) {
	lines := append(ignored(), more...)
	text, err := readAtMost(root, ignoreFile, maxIgnore+1)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case len(text) > maxIgnore:
		return nil, fmt.Errorf("%s is larger than %d bytes", ignoreFile, maxIgnore)
	default:
		lines = append(lines, strings.Split(string(text), "\n")...)
	}
	var list patterns
	for _, line := range lines {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		p, err := parsePattern(line)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", ignoreFile, err)
		}
		list = append(list, p)
	}
	return list, nil
}

func parsePattern(line string) (p pattern, err error) {
	glob, negated := strings.CutPrefix(line, "!")
	glob, folders := strings.CutSuffix(glob, "/")
	// A pattern without a slash matches at any depth, as in .gitignore.
	if !strings.Contains(glob, "/") {
		glob = "**/" + glob
	}
	glob = strings.TrimPrefix(glob, "/")
	if !doublestar.ValidatePattern(glob) {
		return p, fmt.Errorf("pattern %.80q is not a glob", line)
	}
	return pattern{glob: glob, negated: negated, folders: folders}, nil
}

// ignore tells whether name is left out. The manifest never is.
func (list patterns) ignore(name string, folder bool) bool {
	if name == "." || slices.Contains(manifestNames(), name) {
		return false
	}
	for _, p := range slices.Backward(list) {
		if p.folders && !folder {
			continue
		}
		if match, err := doublestar.Match(p.glob, path.Clean(name)); err == nil && match {
			return !p.negated
		}
	}
	return false
}
