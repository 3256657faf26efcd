package reference

import (
	_ "embed" // for the program below
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ErrNoPython is returned where no Python can read the sources of the SDK in Python.
var ErrNoPython = errors.New("no python3 to read the SDK in Python with")

// members lists the public names of a class or a module of Python, with their docstrings.
//
//go:embed members.py
var members string

// member is one of them.
type member struct {
	Class     string `json:"class"`
	Name      string `json:"name"`
	Signature string `json:"signature"`
	Doc       string `json:"doc"`
	Same      string `json:"same"`
}

// python are what nodes in Python see: a title, a text, and where it is in pkg/pyrunner/shim.
var python = []struct{ title, about, file, class, prefix string }{
	{"ctx", "What `init` and `handler` get.", "_krt_runner/context.py", "Context", "ctx"},
	{"ctx.measurement", "", "_krt_runner/saves.py", "Measurement", "ctx.measurement"},
	{"ctx.prediction", "", "_krt_runner/saves.py", "Prediction", "ctx.prediction"},
	{"ctx.db", "", "_krt_runner/store.py", "DB", "ctx.db"},
	{"Older names", "Of nodes made for the original platform; they stay.", "_krt_runner/older.py", "Older", "ctx"},
	{"krt.testing", "For the tests of a node: `from krt.testing import Context, call`.", "krt/testing.py", "", ""},
}

func pythonSDK(root string) (string, error) {
	var b strings.Builder
	begin(&b, "SDK in Python", "What kn-krt gives to nodes in Python, made of the docstrings in its code. [Python nodes](python-nodes.md) "+
		"shows how it is used.")
	for _, part := range python {
		all, err := pythonMembers(filepath.Join(root, "pkg/pyrunner/shim", part.file), part.class)
		if err != nil {
			return "", fmt.Errorf("%s: %w", part.file, err)
		}
		fmt.Fprintf(&b, "\n## %s\n", part.title)
		if part.about != "" {
			b.WriteString("\n" + Wrap(part.about))
		}
		for _, m := range all {
			m.write(&b, part.prefix)
		}
	}
	return b.String(), nil
}

func (m member) write(b *strings.Builder, prefix string) {
	doc := m.Doc
	switch {
	case m.Name == "" && (doc == prefix || m.Class == "Older"):
		return
	case m.Name == "":
		b.WriteString("\n" + paragraphs(doc))
		return
	case m.Same != "":
		doc = "The same as `" + m.Same + "`."
	case m.Class != "" && prefix == "":
		prefix = m.Class
	}
	if doc == "" {
		return
	}
	if prefix != "" {
		prefix += "."
	}
	fmt.Fprintf(b, "\n`%s%s`\n\n%s", prefix, m.Signature, paragraphs(doc))
}

func paragraphs(doc string) string {
	var all []string
	for _, text := range strings.Split(doc, "\n\n") {
		all = append(all, Wrap(text))
	}
	return strings.Join(all, "\n")
}

func pythonMembers(file, class string) (all []member, err error) {
	interpreter := os.Getenv("KRT_PYTHON")
	if interpreter == "" {
		interpreter = "python3"
	}
	if _, err := exec.LookPath(interpreter); err != nil {
		return nil, ErrNoPython
	}
	out, err := exec.Command(interpreter, "-I", "-c", members, file, class).Output() //nolint:noctx // it reads one file
	if err != nil {
		return nil, err
	}
	err = json.Unmarshal(out, &all)
	return all, err
}
