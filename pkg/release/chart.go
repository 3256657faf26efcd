package release

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"text/template"

	"sigs.k8s.io/yaml"

	"krt.dev/kn-krt/pkg/render"
)

// skeleton is what the chart has besides the objects of config/.
//
//go:embed all:chart
var skeleton embed.FS

// chart packs a Helm chart, of which each object is one of config/: its text, with what values change.
func (r *release) chart(context.Context) error {
	files, err := r.chartFiles()
	if err != nil {
		return err
	}
	content, err := tarGz(files, r.epoch)
	if err != nil {
		return err
	}
	return r.write("kn-krt-"+r.number()+".tgz", content)
}

func (r *release) chartFiles() ([]file, error) {
	files, err := r.filled(skeleton, "chart", "kn-krt")
	if err != nil {
		return nil, err
	}
	for _, p := range parts() {
		objects, err := r.config(p)
		if err != nil {
			return nil, err
		}
		for _, o := range objects {
			if o.name == "100-namespace.yaml" { // Helm creates it: --create-namespace
				continue
			}
			text, err := changed()[o.name].apply(r.withVersion(string(o.content)))
			if err != nil {
				return nil, fmt.Errorf("%s in the chart: %w", o.name, err)
			}
			files = append(files, file{name: "kn-krt/templates/" + o.name, content: []byte(text)})
		}
	}
	schema, err := r.valuesSchema()
	return append(files, file{name: "kn-krt/values.schema.json", content: schema}), err
}

// filled are the files of a skeleton; what they have in [[ ]] is filled in from the release.
func (r *release) filled(from fs.FS, dir, to string) ([]file, error) {
	var files []file
	err := fs.WalkDir(from, dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		content, err := r.fill(string(text), nil)
		files = append(files, file{name: path.Join(to, strings.TrimPrefix(name, dir)), content: content})
		return err
	})
	return files, err
}

// fill fills in a text: its data are those of the release, and more.
func (r *release) fill(text string, more any) ([]byte, error) {
	t, err := template.New("").Delims("[[", "]]").Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, err
	}
	digests := map[string]string{}
	for program, image := range r.images {
		_, digests[program], _ = strings.Cut(image, "@")
	}
	var out bytes.Buffer
	err = t.Execute(&out, map[string]any{
		"Version": r.Version, "Number": r.number(), "URL": r.URL, "Repository": r.Repository, "Digests": digests, "More": more,
	})
	return out.Bytes(), err
}

// templated is how a file of config/ becomes a template.
type templated struct {
	when string // the condition under which it is rendered; "" for always
	edit []edit
	end  string // what is added
}

// edit replaces a text wherever it is; it must be there.
type edit struct{ from, to string }

// apply makes the template. What looks like an action in the text stays text.
func (t templated) apply(text string) (string, error) {
	text = strings.ReplaceAll(text, "{{", `{{ "{{" }}`)
	for _, e := range t.edit {
		if !strings.Contains(text, e.from) {
			return "", fmt.Errorf("%q is no longer there", e.from)
		}
		text = strings.ReplaceAll(text, e.from, e.to)
	}
	text = programImage.ReplaceAllString(text, `{{ include "kn-krt.image" (list . "$1") }}`) + t.end
	if t.when != "" {
		text = "{{- if " + t.when + " }}\n" + text + "{{- end }}\n"
	}
	return text, nil
}

// valuesSchema describes the values: what it does not know is refused, as a misspelt value would have no effect.
func (r *release) valuesSchema() ([]byte, error) {
	text, err := fs.ReadFile(skeleton, "chart/values.schema.json")
	if err != nil {
		return nil, err
	}
	var schema map[string]any
	if err := json.Unmarshal(text, &schema); err != nil {
		return nil, err
	}
	var examples map[string]any
	if err := yaml.Unmarshal([]byte(render.SettingsExample()), &examples); err != nil {
		return nil, err
	}
	settings := map[string]any{}
	for key := range examples {
		settings[key] = map[string]any{"type": "string"}
	}
	schema["properties"].(map[string]any)["settings"] = map[string]any{
		"type": "object", "additionalProperties": false, "properties": settings,
		"description": "Keys of ConfigMap config-krt, verbatim: each value is a text.",
	}
	return json.MarshalIndent(schema, "", "  ")
}
