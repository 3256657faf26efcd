package bundle

import (
	"fmt"
	"path"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/krt/spelling"
)

// source is a folder with code of a bundle, and the nodes that run it.
type source struct {
	kind   krt.Kind
	folder string // from the bundle's root
	nodes  []string
}

// nodeSources returns the folders of the named nodes, or of all if none is named, in
// the manifest's order. Each is returned once, because several nodes may share one.
func nodeSources(b *krt.Bundle, names []string) ([]source, error) {
	wanted := map[string]bool{}
	for _, name := range names {
		if _, ok := b.Manifest.Node(name); !ok {
			err := fmt.Errorf("version %q has no node %q%s", b.Manifest.Version, name, spelling.Hint(name, nodeNames(b)))
			return nil, term.WithCode(term.ExitNotFound, err)
		}
		wanted[name] = true
	}
	var sources []source
	at := map[string]int{}
	for _, n := range b.Manifest.Nodes {
		kind := b.Kind(n)
		if len(names) > 0 && !wanted[n.Name] || kind != krt.KindPython && kind != krt.KindGoSource {
			continue
		}
		folder := sourceFolder(n)
		i, seen := at[folder]
		if !seen {
			i = len(sources)
			at[folder] = i
			sources = append(sources, source{kind: kind, folder: folder})
		}
		sources[i].nodes = append(sources[i].nodes, n.Name)
	}
	return sources, nil
}

func nodeNames(b *krt.Bundle) []string {
	names := make([]string, len(b.Manifest.Nodes))
	for i, n := range b.Manifest.Nodes {
		names[i] = n.Name
	}
	return names
}

// sourceFolder is the folder of a node's code, from the bundle's root.
func sourceFolder(n krt.Node) string {
	if ext := path.Ext(n.Src); ext == ".py" || ext == ".go" {
		return path.Dir(n.Src)
	}
	return n.Src
}
