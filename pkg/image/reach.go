package image

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/krt/archive"
	"krt.dev/kn-krt/pkg/krt/untrusted"
)

// How code may refer to a folder of another node, such as src/model. A wrong guess for it costs a few
// bytes in an image; to miss one would break the node, so what cannot be judged counts as one.
const (
	// maxText is how much of a file is read, in bytes.
	maxText = 1 << 20
	// join is what is between the elements of a path: "src/model", "src.model",
	// join("src", "model").
	join = `[\s"'/\\.,()+]{1,12}`
)

// beyond is code that leaves its own folder without naming another one.
var beyond = regexp.MustCompile(`\bsys\.path\b|\bimportlib\.util\b|\brunpy\b|\bparents?\[|\.parent\.parent|dirname\([^\n]*dirname\(`)

// kubernetes identifies an object of Kubernetes.
var kubernetes = regexp.MustCompile(`(?m)^apiVersion: `)

// textual are the endings of files that may name another one.
var textual = []string{".py", ".go", ".json", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".txt", ".sh"}

// texts reads the bundle's texts, each once.
type texts struct {
	bundle *krt.Bundle
	mu     sync.Mutex
	read   map[string]string
}

func newTexts(b *krt.Bundle) *texts { return &texts{bundle: b, read: map[string]string{}} }

// of returns the content of f if it is a text that may name other files. Tests are not run
// in images, generated modules name no files. The manifest names every folder, and so do objects of Kubernetes made of it.
func (t *texts) of(f archive.File) string {
	base := path.Base(f.Name)
	if !slices.Contains(textual, path.Ext(base)) || strings.HasPrefix(base, "test_") || strings.HasSuffix(base, "_pb2.py") ||
		strings.HasSuffix(base, "_test.go") || f.Name == path.Base(t.bundle.ManifestPath) {
		return ""
	}
	text := t.content(f)
	if kubernetes.MatchString(text) {
		return ""
	}
	return text
}

func (t *texts) content(f archive.File) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if text, ok := t.read[f.Name]; ok {
		return text
	}
	content, _ := untrusted.ReadFile(t.bundle.FS(), f.Name, maxText) // a file that cannot be read fails when it is packed
	text := string(content)
	t.read[f.Name] = text
	return text
}

// reach reports whether any of a node's own files or of those that all share may refer to the
// code in folder, another node's. Shared code in Go runs in no Python node.
func (t *texts) reach(folder string, own, shared []archive.File) bool {
	isGo := func(f archive.File) bool { return path.Ext(f.Name) == ".go" }
	inGo := slices.ContainsFunc(own, isGo)
	parent, name := regexp.QuoteMeta(path.Base(path.Dir(folder))), regexp.QuoteMeta(path.Base(folder))
	named := regexp.MustCompile(`\b` + parent + join + name + `\b|\.\.` + join + name + `\b`)
	// A name that is put together when the program runs: f"src/{node}", join("src", node), "src/*".
	computed := regexp.MustCompile(`\b` + parent + `([/\\]["']?\s*[{%*<$+]|[/\\]?["']\s*[+%,]\s*[A-Za-z_])`)
	refers := func(f archive.File) bool {
		text := t.of(f)
		return text != "" && (named.MatchString(text) || computed.MatchString(text))
	}
	return slices.ContainsFunc(own, func(f archive.File) bool { return refers(f) || beyond.MatchString(t.of(f)) }) ||
		slices.ContainsFunc(shared, func(f archive.File) bool { return (inGo || !isGo(f)) && refers(f) })
}
