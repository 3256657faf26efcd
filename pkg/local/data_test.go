package local

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/data"
)

// What a run has saved is read while it runs and afterwards, and a run cannot start meanwhile.
func TestDataOfARun(t *testing.T) {
	bundle := newBundle(t)
	r := startRun(t, bundle, Options{Ports: Ports{Inspection: -1}})
	client, end, err := Data(t.Context(), r.state, false)
	require.NoError(t, err)
	done, err := client.Import(t.Context(), strings.NewReader(`{"kind":"documents","collection":"c","value":{"n":1}}`))
	require.NoError(t, err)
	require.Equal(t, data.Imported{Saved: 1}, done)
	require.NoError(t, end())
	require.NoError(t, r.stop())

	client, end, err = Data(t.Context(), r.state, false)
	require.NoError(t, err)
	var found []json.RawMessage
	require.NoError(t, client.Find(t.Context(), "c", map[string]any{"n": 1}, func(e data.Entry) error {
		found = append(found, e.Value)
		return nil
	}))
	require.Len(t, found, 1)
	_, _, err = Data(t.Context(), r.state, false)
	require.ErrorIs(t, err, ErrRunning)
	require.NoError(t, end())

	var none *NoDataError
	_, _, err = Data(t.Context(), filepath.Join(r.state, "none"), false)
	require.ErrorAs(t, err, &none)
	require.NoDirExists(t, none.Dir)
}

func TestStateDirOfAVersion(t *testing.T) {
	bundle := newBundle(t)
	want, err := DefaultStateDir(bundle)
	require.NoError(t, err)
	for _, path := range []string{bundle, filepath.Join(bundle, "krt.yml")} {
		dir, err := StateDir(path)
		require.NoError(t, err)
		require.Equal(t, want, dir)
	}
}
