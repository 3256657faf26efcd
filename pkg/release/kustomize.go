package release

import (
	"context"
	"embed"
	"fmt"
	"path"
)

//go:embed kustomize
var kustomizations embed.FS

// kustomization packs a base with what everybody needs, and a component for each other part.
func (r *release) kustomization(context.Context) error {
	files, err := r.kustomizeFiles()
	if err != nil {
		return err
	}
	content, err := tarGz(files, r.epoch)
	if err != nil {
		return err
	}
	return r.write(fmt.Sprintf("kn-krt-kustomize_%s.tar.gz", r.Version), content)
}

func (r *release) kustomizeFiles() ([]file, error) {
	const folder = "kn-krt"
	files, err := r.filled(kustomizations, "kustomize", folder)
	if err != nil {
		return nil, err
	}
	for _, p := range parts() {
		text, err := r.part(p)
		if err != nil {
			return nil, err
		}
		files = append(files, file{name: path.Join(folder, p.name, p.name+".yaml"), content: []byte(text)})
	}
	return files, nil
}
