package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Records is what a node notes of calls, in files: they outlive its process, and
// all its processes share them.
type Records struct {
	// Dir is a folder for all nodes of a version, Node the node's name.
	Dir, Node string
}

// runMark begins the line of one run of the handler.
const runMark = "run "

// Run notes that the handler runs for the call id and returns how many times it
// has by now. Without an id nothing is noted.
func (r Records) Run(id, text string) (int, error) {
	if id == "" {
		return 1, nil
	}
	if err := r.Note(id, runMark+text); err != nil {
		return 0, err
	}
	lines, err := r.Lines(id)
	return Runs(lines), err
}

// Runs counts the runs in a call's lines.
func Runs(lines []string) int {
	runs := 0
	for _, line := range lines {
		if strings.HasPrefix(line, runMark) {
			runs++
		}
	}
	return runs
}

// RunTexts returns what was noted with each run.
func RunTexts(lines []string) []string {
	var texts []string
	for _, line := range lines {
		if text, ok := strings.CutPrefix(line, runMark); ok {
			texts = append(texts, text)
		}
	}
	return texts
}

// Note adds a line to the records of the call id.
func (r Records) Note(id, line string) error {
	path := r.path(id)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("cannot note a run: %w", err)
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("cannot note a run: %w", err)
	}
	_, err = file.WriteString(line + "\n") // one write: others append too
	return errors.Join(err, file.Close())
}

// Lines returns the records of the call id; none is no error.
func (r Records) Lines(id string) ([]string, error) {
	text, err := os.ReadFile(r.path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the records: %w", err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"), nil
}

func (r Records) path(id string) string {
	return filepath.Join(r.Dir, r.Node, filepath.Base(id))
}

func (r Records) gate(name string) string {
	return filepath.Join(r.Dir, "gates", filepath.Base(name))
}

// OpenGate opens the gate of that name for good, for all nodes.
func (r Records) OpenGate(name string) error {
	path := r.gate(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("cannot open a gate: %w", err)
	}
	return os.WriteFile(path, nil, 0o644)
}

// AwaitGate waits until the gate is open, or ctx is done.
func (r Records) AwaitGate(ctx context.Context, name string) error {
	for {
		if _, err := os.Stat(r.gate(name)); err == nil {
			return nil
		}
		if err := sleep(ctx, gateTick); err != nil {
			return err
		}
	}
}
