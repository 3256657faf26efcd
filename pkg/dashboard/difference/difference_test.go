package difference

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

func TestNodes(t *testing.T) {
	digest := "registry/etl@sha256:0123456789abcdef"
	here := &source.Version{Nodes: []source.Node{{Name: "etl", Image: digest}, {Name: "b", GPU: true, Source: "b.py"}, {Name: "a"}}}
	there := &source.Version{Nodes: []source.Node{{Name: "a"}, {Name: "old"}, {Name: "etl", Image: digest + "0"}}}
	require.Equal(t, Table{Title: "Nodes", Rows: []Row{
		{"etl", object{"etl", "registry/etl@sha256:0123456789ab…", digest}, object{"etl", "registry/etl@sha256:0123456789ab…", digest + "0"}, Changed},
		{"b", object{"b", "b.py, GPU", "b.py, GPU"}, object{}, Added},
		{"a", object{"a", "–", "–"}, object{"a", "–", "–"}, Same},
		{"old", object{}, object{"old", "–", "–"}, Removed},
	}}, Nodes(here, there), "in the order of the manifest")
}

func TestConfig(t *testing.T) {
	table := Config([]source.ConfigEntry{{Name: "A"}, {Name: "B", Set: true}}, []source.ConfigEntry{{Name: "A", File: true}, {Name: "B"}})
	require.Equal(t, Changed, table.Rows[0].Change)
	require.Equal(t, Same, table.Rows[1].Change, "whether there is a value is not compared")
	require.Equal(t, "no right", NoConfig(errors.New("no right")).Problem)
}
