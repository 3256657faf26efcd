package render_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/render"
)

var update = flag.Bool("update", false, "rewrite testdata/*/wanted.yaml")

// given is what a case may set in given.yaml besides its version and settings.
type given struct {
	ConfigHash  string            `json:"configHash"`
	StoreSecret string            `json:"storeSecret"`
	QueueSecret string            `json:"queueSecret"`
	Nodes       int               `json:"nodes"`
	Retries     map[string]string `json:"retries"`
	Channels    map[string]string `json:"channels"`
	Addresses   map[string]string `json:"addresses"`
	Streams     map[string]bool   `json:"streams"`

	v1alpha1.Abilities `json:",inline"`
}

// TestGolden renders each folder of testdata: version.yaml, perhaps
// settings.yaml (the data of config-krt) and given.yaml, into wanted.yaml.
func TestGolden(t *testing.T) {
	folders, err := filepath.Glob("testdata/*/version.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, folders)
	for _, path := range folders {
		folder := filepath.Dir(path)
		t.Run(filepath.Base(folder), func(t *testing.T) {
			objects, err := render.Objects(input(t, folder))
			require.NoError(t, err)
			got := yamlOf(t, objects)
			wanted := filepath.Join(folder, "wanted.yaml")
			if *update {
				require.NoError(t, os.WriteFile(wanted, got, 0o600))
			}
			text, err := os.ReadFile(wanted)
			require.NoError(t, err)
			require.Equal(t, string(text), string(got), "go test ./pkg/render -update, and read the diff")
		})
	}
}

// input reads a case. The address of a workflow that given.yaml does not name
// is the usual one.
func input(t *testing.T, folder string) render.Input {
	t.Helper()
	in := render.Input{Version: &v1alpha1.Version{}, EntrypointImage: "ko://krt.dev/kn-krt/cmd/entrypoint"}
	read(t, filepath.Join(folder, "version.yaml"), in.Version)
	var data map[string]string
	read(t, filepath.Join(folder, "settings.yaml"), &data)
	var err error
	in.Settings, err = render.ParseSettings(data)
	require.NoError(t, err)
	var g given
	read(t, filepath.Join(folder, "given.yaml"), &g)
	in.ConfigHash, in.StoreSecret, in.Nodes, in.Addresses = g.ConfigHash, g.StoreSecret, g.Nodes, g.Addresses
	in.QueueSecret, in.Retries, in.Channels, in.Streams, in.Abilities = g.QueueSecret, g.Retries, g.Channels, g.Streams, g.Abilities
	if in.Addresses == nil {
		in.Addresses = map[string]string{}
		for _, w := range in.Version.Spec.Workflows {
			in.Addresses[w.Name] = render.SequenceAddress(render.SequenceName(in.Version.Name, w.Name, ""), in.Version.Namespace, "cluster.local")
		}
	}
	return in
}

// read reads YAML strictly. Only version.yaml must be there.
func read(t *testing.T, path string, to any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) && filepath.Base(path) != "version.yaml" {
		return
	}
	require.NoError(t, err)
	require.NoError(t, yaml.UnmarshalStrict(text, to), path)
}

// yamlOf writes objects as kubectl takes them, without the status of typed ones.
func yamlOf(t *testing.T, objects []render.Object) []byte {
	t.Helper()
	var all [][]byte
	for _, object := range objects {
		text, err := yaml.Marshal(object)
		require.NoError(t, err)
		var fields map[string]any
		require.NoError(t, yaml.Unmarshal(text, &fields))
		delete(fields, "status")
		text, err = yaml.Marshal(prune(fields))
		require.NoError(t, err)
		all = append(all, text)
	}
	return bytes.Join(all, []byte("---\n"))
}

// prune drops the nulls that typed objects are full of.
func prune(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, field := range v {
			if field == nil {
				delete(v, key)
				continue
			}
			v[key] = prune(field)
		}
	case []any:
		for i := range v {
			v[i] = prune(v[i])
		}
	}
	return value
}
