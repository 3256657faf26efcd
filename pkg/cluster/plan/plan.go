// Package plan reads the file with a canary's plan: the fields of spec.canary.plan of a Runtime, as a
// person writes them, with every mistake at its line.
package plan

import (
	"encoding/json"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// MaxSize is how large the file may be, in bytes.
const MaxSize = 64 << 10

// Example is a plan with its usual limits.
const Example = `steps:
- {weight: 5, for: 10m}
- {weight: 25, for: 20m}
- {weight: 50, for: 20m}
minRequests: 100
limits:
  errorRatio: {increase: 1%}
  p95: {increase: 20%}
`

// Parse reads the text of the file called name. The error of a text that is not a plan has every
// problem: it is Problems of package krt. What the text does not set has its default.
func Parse(name string, text []byte) (*v1alpha1.CanaryPlan, error) {
	r := &reader{name: name}
	document := r.document(text)
	if document == nil {
		return nil, r.problems
	}
	value := r.value(document, form(), "")
	if len(r.problems) > 0 {
		return nil, r.problems
	}
	data, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("cannot use %s: %w", name, err)
	}
	found := &v1alpha1.CanaryPlan{}
	if err := json.Unmarshal(data, found); err != nil {
		return nil, fmt.Errorf("cannot use %s: %w", name, err)
	}
	found.SetDefaults()
	return found, nil
}

// document returns the one value of the text; nil after a problem.
func (r *reader) document(text []byte) *yaml.Node {
	if len(text) > MaxSize {
		r.add(1, 1, "the file is larger than %d bytes", MaxSize)
		return nil
	}
	var document, second yaml.Node
	decoder := yaml.NewDecoder(strings.NewReader(string(text)))
	if err := decode(decoder, &document); err != nil {
		r.invalid(err)
		return nil
	}
	if document.Kind != yaml.DocumentNode || len(document.Content) == 0 {
		r.add(1, 1, "the file is empty; a plan needs steps")
		return nil
	}
	if _ = decode(decoder, &second); second.Kind != 0 { // its end is an error
		r.add(second.Line, 1, "a second YAML document begins here; a plan is a single document")
		return nil
	}
	return document.Content[0]
}

// decode decodes the next document. The parser is not ours: a panic in it is an error of the text.
func decode(d *yaml.Decoder, into *yaml.Node) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the parser gave up: %v", p)
		}
	}()
	return d.Decode(into)
}

// invalid reports what keeps the text from being YAML, at its line where the parser names one.
func (r *reader) invalid(err error) {
	text, line := strings.TrimPrefix(err.Error(), "yaml: "), 1
	if n, _ := fmt.Sscanf(text, "line %d:", &line); n == 1 {
		_, text, _ = strings.Cut(text, ": ")
	}
	if text == "EOF" {
		r.add(1, 1, "the file is empty; a plan needs steps")
		return
	}
	r.add(line, 1, "not valid YAML: %s", text)
}
