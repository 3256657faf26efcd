package reference

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// schema is what pages show of a JSON Schema or of that of a CRD.
type schema struct {
	Type                 any               `json:"type"`
	Format               string            `json:"format"`
	Description          string            `json:"description"`
	Default              any               `json:"default"`
	Enum                 []any             `json:"enum"`
	Pattern              string            `json:"pattern"`
	Minimum              *float64          `json:"minimum"`
	Maximum              *float64          `json:"maximum"`
	MaxLength            *int              `json:"maxLength"`
	MaxItems             *int              `json:"maxItems"`
	MaxProperties        *int              `json:"maxProperties"`
	Required             []string          `json:"required"`
	Properties           map[string]schema `json:"properties"`
	Items                *schema           `json:"items"`
	AdditionalProperties any               `json:"additionalProperties"`
	OneOf                []schema          `json:"oneOf"`
	AnyOf                []schema          `json:"anyOf"`
}

func manifest(root string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, Folder, "krt.schema.json"))
	if err != nil {
		return "", err
	}
	var s schema
	if err := json.Unmarshal(text, &s); err != nil {
		return "", err
	}
	var b strings.Builder
	begin(&b, "Fields of krt.yml", "Made of the [JSON Schema](krt.schema.json) that `kn-krt schema` prints and that validates a manifest. "+
		"[The manifest](manifest.md) explains names, limits and how a node is run.")
	b.WriteByte('\n')
	table(&b, "field", "type", "default", "meaning")
	s.rows(&b, "")
	return b.String(), nil
}

// crd is the part of a CustomResourceDefinition that is shown.
type crd struct {
	Spec struct {
		Names struct {
			Kind       string   `json:"kind"`
			ShortNames []string `json:"shortNames"`
		} `json:"names"`
		Versions []struct {
			Name   string `json:"name"`
			Schema struct {
				OpenAPIV3Schema schema `json:"openAPIV3Schema"`
			} `json:"schema"`
		} `json:"versions"`
	} `json:"spec"`
}

func kinds(root string) (string, error) {
	var b strings.Builder
	begin(&b, "Kinds", "The two kinds of kn-krt on a cluster, as the apiserver validates them. `kubectl explain version.spec` shows the same.")
	for _, file := range []string{"300-versions.yaml", "300-runtimes.yaml"} {
		text, err := os.ReadFile(filepath.Join(root, "config", file))
		if err != nil {
			return "", err
		}
		var c crd
		if err := yaml.Unmarshal(text, &c); err != nil {
			return "", fmt.Errorf("%s: %w", file, err)
		}
		for _, v := range c.Spec.Versions {
			s := v.Schema.OpenAPIV3Schema
			fmt.Fprintf(&b, "\n## %s\n\n%s\n", c.Spec.Names.Kind, Wrap(plain(s.Description)))
			fmt.Fprintf(&b, "apiVersion `krt.dev/%s`, short name `%s`.\n", v.Name, strings.Join(c.Spec.Names.ShortNames, "`, `"))
			for _, part := range []string{"spec", "status"} {
				below := s.Properties[part]
				fmt.Fprintf(&b, "\n### %s of a %s\n\n", part, c.Spec.Names.Kind)
				table(&b, "field", "type", "default", "meaning")
				below.rows(&b, "")
			}
		}
	}
	return b.String(), nil
}

// rows has a row for each property below s.
func (s schema) rows(b *strings.Builder, prefix string) {
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		p := s.Properties[name]
		path, must := prefix+name, ""
		if slices.Contains(s.Required, name) {
			must = ", required"
		}
		row(b, literal(path), p.kind()+must, literal(short(p.Default)), plain(p.Description)+p.limits())
		p.below(b, path)
	}
}

// below has the rows of what is in a property, however deep.
func (s schema) below(b *strings.Builder, path string) {
	s.rows(b, path+".")
	if s.Items != nil {
		s.Items.below(b, path+"[]")
	}
	for _, choice := range slices.Concat(s.OneOf, s.AnyOf) {
		choice.below(b, path)
	}
}

// kind is the type for a reader.
func (s schema) kind() string {
	names := s.types()
	if len(names) == 0 {
		for _, choice := range slices.Concat(s.OneOf, s.AnyOf) {
			if kind := choice.kind(); kind != "" && !slices.Contains(names, kind) {
				names = append(names, kind)
			}
		}
	}
	text := strings.Join(names, " or ")
	if s.Items != nil && text == "array" {
		return "list of " + s.Items.kind()
	}
	if text == "object" && len(s.Properties) == 0 {
		return "map"
	}
	return text
}

// types are the names in type, without that of an absent value.
func (s schema) types() (names []string) {
	switch t := s.Type.(type) {
	case string:
		return []string{t}
	case []any:
		for _, each := range t {
			if name := fmt.Sprint(each); name != "null" {
				names = append(names, name)
			}
		}
	}
	return names
}

// limits are what a value must be, besides its type.
func (s schema) limits() string {
	var all []string
	if len(s.Enum) > 0 {
		var values []string
		for _, v := range s.Enum {
			if v != nil {
				values = append(values, literal(fmt.Sprint(v)))
			}
		}
		all = append(all, "one of "+strings.Join(values, ", "))
	}
	if s.Minimum != nil && s.Maximum != nil {
		all = append(all, fmt.Sprintf("%.0f to %.0f", *s.Minimum, *s.Maximum))
	}
	for unit, most := range map[string]*int{"characters": s.MaxLength, "elements": s.MaxItems, "entries": s.MaxProperties} {
		if most != nil {
			all = append(all, fmt.Sprintf("at most %d %s", *most, unit))
		}
	}
	if len(all) == 0 {
		return ""
	}
	slices.Sort(all)
	return " (" + strings.Join(all, "; ") + ")"
}

func short(value any) string {
	if value == nil {
		return ""
	}
	text, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return strings.Trim(string(text), `"`)
}
