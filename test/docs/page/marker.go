package page

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// How says what a test does with a block.
type How string

// The markers.
const (
	// Run is executed: all such blocks of a page in order, in one shell.
	Run How = "run"
	// Background is the same, left running until the page ends. The next block is executed once the
	// block has printed the text of until="…", by default what kn-krt run prints when a version is ready.
	Background How = "background"
	// Cluster is executed on a cluster, all such blocks of a page in order.
	Cluster How = "cluster"
	// File is written to the file that file=NAME names, from the page's folder, for the blocks after it.
	File How = "file"
	// Manifest is a krt.yml, or some top-level fields of one, that is validated.
	Manifest How = "krt"
	// Apply is what an apiserver must accept.
	Apply How = "apply"
	// Output must be in the output of the block before; … stands for any text.
	Output How = "output"
	// Diagram is a drawing.
	Diagram How = "diagram"
	// Checked is executed or compared by the test that checked="PATH" names.
	Checked How = "checked"
	// Skip is not executed, for the reason of skip="…".
	Skip How = "skip"
)

// Marker is how a block is executed.
type Marker struct {
	How How
	// Value is that of until=, checked= and skip=.
	Value string
	// File is the file to write the block to, for [File], and for a [Manifest] that has one.
	File string
	// With is the module of Python without which the block, and its output, are left out; in CI it must be there.
	With string
	// Long marks a page that takes too long for every change.
	Long bool
}

// languages are those of the markers that are for some only.
var languages = map[How][]string{
	Run: {"sh"}, Background: {"sh"}, Cluster: {"sh"}, Manifest: {"yaml"}, Apply: {"yaml"},
	Output: {"text", "json"}, Diagram: {"text", "mermaid"},
}

// valued are the markers that have a value, and whether they need it.
var valued = map[string]struct {
	how    How
	needed bool
}{
	"file": {File, true}, "with": {Run, true}, "until": {Background, false}, "checked": {Checked, true}, "skip": {Skip, true},
}

var word = regexp.MustCompile(`^\s+([a-z]+)(?:=("[^"]*"|[^\s"]+))?`)

// Marker reads the block's marker; the error says what it lacks.
func (b Block) Marker() (m Marker, err error) {
	if b.Indented {
		return m, errors.New("an indented code block cannot have a marker: put it between ``` fences")
	}
	if b.Language == "" {
		return m, errors.New("the block has no language and no marker, such as ```sh run")
	}
	rest := strings.TrimPrefix(b.Info, b.Language)
	for strings.TrimSpace(rest) != "" {
		found := word.FindStringSubmatch(rest)
		if found == nil {
			return m, fmt.Errorf("cannot read the marker at %q", rest)
		}
		if err := m.add(found[1], strings.Trim(found[2], `"`)); err != nil {
			return m, err
		}
		rest = rest[len(found[0]):]
	}
	if m.How == "" && m.File != "" {
		m.How = File
	}
	if m.How == "" {
		return m, fmt.Errorf("the block in %s has no marker, such as ```sh run", b.Language)
	}
	if of, limited := languages[m.How]; limited && !slices.Contains(of, b.Language) {
		return m, fmt.Errorf("the marker %s is for %s, not for %s", m.How, strings.Join(of, " and "), b.Language)
	}
	return m, nil
}

func (m *Marker) add(key, value string) error {
	how := How(key)
	if of, ok := valued[key]; ok {
		how = of.how
		if of.needed && value == "" {
			return fmt.Errorf("the marker %s needs a value: %s=\"…\"", key, key)
		}
	} else if value != "" {
		return fmt.Errorf("the marker %s has no value", key)
	}
	switch key {
	case "long":
		m.Long = true
		return nil
	case "file":
		m.File = value
		return nil
	case "with":
		m.With = value
		return nil
	}
	return m.set(key, how, value)
}

// set sets what the test does with the block, which must be one thing.
func (m *Marker) set(key string, how How, value string) error {
	switch {
	case key != "until" && !slices.Contains([]How{Run, Background, Cluster, File, Manifest, Apply, Output, Diagram, Checked, Skip}, how):
		return fmt.Errorf("there is no marker %q", key)
	case m.How != "" && m.How != how:
		return fmt.Errorf("the block has two markers, %s and %s", m.How, how)
	}
	m.How = how
	if value != "" {
		m.Value = value
	}
	return nil
}
