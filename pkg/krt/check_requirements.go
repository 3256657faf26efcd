package krt

import (
	"errors"
	"os"
	"path"

	"krt.dev/kn-krt/pkg/requirement"
)

// checkRequirements warns of what keeps the images of Python nodes from being made. A bundle that is run here
// uses the packages that are here.
func (r *reader) checkRequirements(root *os.Root, b *Bundle) {
	checked := map[string]bool{}
	for _, n := range b.Manifest.Nodes {
		if b.Kind(n) != KindPython {
			continue
		}
		file := requirement.Nearest(path.Dir(n.Src), requirement.File, func(name string) bool {
			info, err := root.Stat(name)
			return err == nil && info.Mode().IsRegular()
		})
		if file == "" || checked[file] {
			continue
		}
		checked[file] = true
		var refused *requirement.Error
		if _, err := requirement.Read(root.FS(), file); errors.As(err, &refused) {
			for _, p := range refused.Problems[:min(len(refused.Problems), requirement.MaxProblems)] {
				r.add(Problem{File: p.File, Line: p.Line, Column: 1, Warning: true, Image: true, Text: "no image can be made: " + p.Text}, "")
			}
		}
	}
}
