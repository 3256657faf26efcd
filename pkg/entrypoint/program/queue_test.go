package program

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/entrypoint/durable"
	"krt.dev/kn-krt/pkg/queue"
)

// configured returns what an entrypoint is made of, as [Main] reads it.
func configured(t *testing.T, config string) (*Config, entrypoint.Version, entrypoint.Options) {
	t.Helper()
	dir := folder(t, config)
	c, err := readConfig(filepath.Join(dir, "entrypoint.json"))
	require.NoError(t, err)
	v, err := c.version(t.Context(), dir)
	require.NoError(t, err)
	o, err := c.options()
	require.NoError(t, err)
	return c, v, o
}

func TestQueueIsConfigured(t *testing.T) {
	_, v, o := configured(t, `{"version": "v", "namespace": "n", "proto": "public.proto",
		"workflows": [{"name": "w", "entrypoint": "S.R", "steps": [{"node": "a", "url": "http://a"}]}],
		"queue": {"url": "nats://127.0.0.1:1", "stream": "KRT_n_v", "replicas": 3, "maxBytes": 1000}}`)
	require.Equal(t, &queue.Settings{URL: "nats://127.0.0.1:1", Stream: "KRT_n_v", Replicas: 3, MaxBytes: 1000}, o.Durable)
	_, err := entrypoint.New(v, o)
	require.ErrorContains(t, err, "this program has none")
	durable.Extend(v, &o)()
	_, err = entrypoint.New(v, o)
	require.NoError(t, err, "it connects later")
}

func TestQueueThatCannotBeUsed(t *testing.T) {
	_, v, o := configured(t, `{"version": "v", "namespace": "n", "proto": "public.proto",
		"workflows": [{"name": "w", "entrypoint": "S.R", "steps": [{"node": "a", "url": "http://a"}]}],
		"queue": {"url": "nats://user:secret@127.0.0.1:x"}}`)
	durable.Extend(v, &o)()
	_, err := entrypoint.New(v, o)
	require.ErrorContains(t, err, "cannot use the queue nats://127.0.0.1:x")
	require.NotContains(t, err.Error(), "secret")
}
