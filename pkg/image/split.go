package image

import (
	"path"
	"slices"
	"strings"

	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/krt/archive"
)

const (
	// bundleRoot is where the bundle is in an image; tar knows no leading slash.
	bundleRoot = "krt-files"
	// modelsFolder is the bundle's folder of models (KRT V1).
	modelsFolder = "models/"
)

// split is the bundle's files in a node's image, by layer. The first two are the same for
// all nodes.
type split struct {
	models, shared, own []archive.File
}

// codeFolder returns the folder that node n's code is in, "" if it has none. ok is false for a node
// without code in a folder.
func codeFolder(b *krt.Bundle, n krt.Node) (folder string, ok bool) {
	switch b.Kind(n) {
	case krt.KindPython:
		return path.Dir(n.Src), true
	case krt.KindGoSource:
		if path.Ext(n.Src) == ".go" {
			return path.Dir(n.Src), true
		}
		return n.Src, true
	}
	return "", false
}

// within reports whether name is below folder.
func within(name, folder string) bool { return strings.HasPrefix(name, folder+"/") }

// codeFolders returns the folders that are code of nodes and nothing else, by the rule in
// the package's comment.
func codeFolders(b *krt.Bundle) []string {
	var all []string
	for _, n := range b.Manifest.Nodes {
		if folder, ok := codeFolder(b, n); ok && !slices.Contains(all, folder) {
			all = append(all, folder)
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(folder string) bool {
		holdsOther := slices.ContainsFunc(all, func(other string) bool { return within(other, folder) })
		return holdsOther || !strings.Contains(folder, "/")
	})
}

// splitter returns the function that selects the files of a node's image.
func splitter(b *krt.Bundle, files []archive.File) func(krt.Node) split {
	var common split
	folders, byFolder := codeFolders(b), map[string][]archive.File{}
	programs := map[string]bool{}
	for _, n := range b.Manifest.Nodes {
		if b.Kind(n) == krt.KindGoBinary {
			programs[n.Src] = true // it is at /ko-app
		}
	}
	for _, f := range files {
		at := slices.IndexFunc(folders, func(folder string) bool { return within(f.Name, folder) })
		switch {
		case programs[f.Name]:
		case at >= 0:
			byFolder[folders[at]] = append(byFolder[folders[at]], f)
		case strings.HasPrefix(f.Name, modelsFolder):
			common.models = append(common.models, f)
		default:
			common.shared = append(common.shared, f)
		}
	}
	text := newTexts(b)
	return func(n krt.Node) split {
		mine := common
		own, readable := codeFolder(b, n)
		for _, folder := range folders {
			if folder == own || !readable || text.reach(folder, byFolder[own], common.shared) {
				mine.own = append(mine.own, byFolder[folder]...)
			}
		}
		return mine
	}
}
