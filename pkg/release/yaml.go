package release

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// part is one file of YAML that people apply.
type part struct {
	name  string   // kn-krt-store, also its file in the release
	files []string // patterns below config/
}

// parts are the YAML files of a release; the first is what everybody needs.
func parts() []part {
	return []part{
		{"kn-krt", []string{"[1-5]*.yaml"}},
		{"kn-krt-store", []string{"6*.yaml"}},
		{"kn-krt-queue", []string{"queue/*.yaml"}},
		{"kn-krt-dashboard", []string{"dashboard/*.yaml"}},
		{"kn-krt-monitoring", []string{"monitoring/*.yaml"}},
	}
}

// manifests writes the parts, and the dashboards of Grafana and Perses.
func (r *release) manifests(context.Context) error {
	for _, p := range parts() {
		text, err := r.part(p)
		if err != nil {
			return err
		}
		if err := r.write(p.name+".yaml", []byte(text)); err != nil {
			return err
		}
	}
	for from, to := range map[string]string{"grafana.json": "kn-krt-grafana.json", "perses.yaml": "kn-krt-perses.yaml"} {
		content, err := os.ReadFile(filepath.Join(r.Root, "config", "monitoring", "dashboards", from))
		if err != nil {
			return err
		}
		if err := r.write(to, content); err != nil {
			return err
		}
	}
	return nil
}

// part is the files of a part as one, with images by their digests and the version as a label.
func (r *release) part(p part) (string, error) {
	files, err := r.config(p)
	if err != nil {
		return "", err
	}
	all := fmt.Sprintf("# kn-krt %s\n", r.Version)
	for _, f := range files {
		text, err := r.withImages(string(f.content))
		if err != nil {
			return "", fmt.Errorf("%s: %w", f.name, err)
		}
		all += "---\n" + strings.TrimPrefix(r.withVersion(text), "---\n")
	}
	return all, nil
}

// config reads the files of a part in the order of their names, which is the one to apply them in.
func (r *release) config(p part) ([]file, error) {
	var files []file
	for _, pattern := range p.files {
		paths, err := filepath.Glob(filepath.Join(r.Root, "config", pattern))
		if err != nil {
			return nil, err
		}
		slices.Sort(paths)
		for _, path := range paths {
			content, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			files = append(files, file{name: filepath.Base(path), content: content})
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("config/ has no files for %s", p.name)
	}
	return files, nil
}

// programImage is how config/ names the image of a program, for ko.
var programImage = regexp.MustCompile(`ko://krt\.dev/kn-krt/cmd/([a-z]+)`)

// withImages has the images of the release instead of those that ko would build.
func (r *release) withImages(text string) (string, error) {
	var missing error
	text = programImage.ReplaceAllStringFunc(text, func(found string) string {
		program := programImage.FindStringSubmatch(found)[1]
		image := r.images[program]
		if image == "" {
			missing = fmt.Errorf("there is no image of %s", program)
		}
		return image
	})
	return text, missing
}

// partOf is the label that every object of config/ has; the version of pods' templates would restart them.
const partOf = "\n  labels:\n"

// withVersion labels objects with the version: those of a former release can be told by it.
func (r *release) withVersion(text string) string {
	return strings.ReplaceAll(text, partOf, partOf+"    app.kubernetes.io/version: "+r.Version+"\n")
}
