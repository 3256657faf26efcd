package monitoring_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/credential"
	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/store/service"
)

// keeper is a store, the address of its metrics, and a node's client of it.
type keeper struct {
	metrics string
	client  *wire.Client
}

// keep runs a store until the end of the test.
func keep(t *testing.T) keeper {
	t.Helper()
	keys, credentials, key := t.TempDir(), t.TempDir(), credential.NewKey()
	holder := credential.Holder{Role: credential.Node, Namespace: "test", Version: "my-version"}
	for file, content := range map[string][]byte{
		filepath.Join(keys, "current"):                  key,
		filepath.Join(credentials, wire.FileCredential): []byte(credential.New(key, holder)),
	} {
		require.NoError(t, os.WriteFile(file, content, 0o600))
	}
	s, err := service.New(t.Context(), service.Config{
		Keys: keys, Settings: t.TempDir(), Documents: "sqlite://" + filepath.Join(t.TempDir(), "store.db"),
	}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	api, metrics := listen(t), listen(t)
	until(t, func(ctx context.Context) error { return s.Serve(ctx, api, metrics) })
	client, err := wire.New("http://"+api.Addr().String(), wire.Credentials(credentials))
	require.NoError(t, err)
	return keeper{metrics.Addr().String(), client}
}

// load saves one of each kind.
func (k keeper) load(t require.TestingT) {
	ctx, from := context.Background(), wire.Origin{Version: "my-version", Node: "etl", Workflow: "flow"}
	_, err := k.client.Save(ctx, from, "rooms", map[string]any{"beds": 1})
	require.NoError(t, err)
	require.NoError(t, k.client.SavePrediction(ctx, from, wire.Prediction{PredictedValue: "cat", TrueValue: "dog"}))
	require.NoError(t, k.client.SaveMeasurement(ctx, from, wire.Measurement{
		Name: "m", Fields: map[string]any{"x": 1}, Time: time.Now().UTC(),
	}))
}
