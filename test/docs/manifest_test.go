package docs_test

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/test/docs/page"
)

// skeleton is what a part of a manifest is completed with, by its fields.
const skeleton = `
version: docs-v1
description: A version of the docs.
entrypoint: {proto: public_input.proto}
nodes: [{name: model, image: python, src: src/model/main.py}]
workflows: [{name: predict, entrypoint: Predict, sequential: [model]}]
`

// TestManifestsAreValid holds every krt.yml of the docs, whole or in part, to the rules.
func TestManifestsAreValid(t *testing.T) {
	for _, p := range pages(t) {
		for _, b := range p.Blocks {
			if m, err := b.Marker(); err != nil || m.How != page.Manifest {
				continue
			}
			text := complete(t, b)
			_, problems := krt.Parse("krt.yml", []byte(text))
			for _, problem := range problems {
				if !problem.Note {
					t.Errorf("%s: %s\n%s", b.At(), problem.Text, text)
				}
			}
		}
	}
}

// complete is the text of a block, with the fields of the skeleton that it lacks. The workflows of a part go with
// its nodes.
func complete(t *testing.T, b page.Block) string {
	t.Helper()
	var part, whole map[string]any
	require.NoErrorf(t, yaml.Unmarshal([]byte(b.Text), &part), "%s is not YAML", b.At())
	require.NoError(t, yaml.Unmarshal([]byte(skeleton), &whole))
	if nodes, _ := part["nodes"].([]any); part["workflows"] == nil && len(nodes) > 0 {
		var steps []any
		for _, n := range nodes {
			node, _ := n.(map[string]any)
			if node["image"] == nil {
				node["image"] = "python"
			}
			steps = append(steps, node["name"])
		}
		whole["workflows"] = []any{map[string]any{"name": "predict", "entrypoint": "Predict", "sequential": steps}}
	}
	if entrypoint, ok := part["entrypoint"].(map[string]any); ok && entrypoint["proto"] == nil {
		entrypoint["proto"] = "public_input.proto"
	}
	maps.Copy(whole, part)
	text, err := yaml.Marshal(whole)
	require.NoError(t, err)
	return string(text)
}
