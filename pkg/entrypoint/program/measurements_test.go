package program

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/entrypoint/record"
	client "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/store"
	"krt.dev/kn-krt/pkg/store/sqlite"
)

// startStore runs a store until the test ends, and returns its URL.
func startStore(t *testing.T) string {
	t.Helper()
	db, err := sqlite.Open(filepath.Join(t.TempDir(), "store.db"), sqlite.Options{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- store.New(store.All(db), store.Options{}).Serve(ctx, listener) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		stop()
		require.NoError(t, <-served)
		require.NoError(t, db.Close())
	})
	return "http://" + listener.Addr().String()
}

func TestAutomaticMeasurements(t *testing.T) {
	url := startStore(t)
	for name, c := range map[string]struct {
		config Config
		want   int // measurements of the version by that name
	}{
		"no store":    {Config{Measurements: "each"}, 0},
		"off":         {Config{Store: url, Measurements: "off"}, 0},
		"each":        {Config{Store: url, Measurements: "each"}, 2},
		"aggregated":  {Config{Store: url, Measurements: "aggregated"}, 1},
		"the default": {Config{Store: url}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var o entrypoint.Options
			end, err := c.config.observe(&o)
			require.NoError(t, err)
			for range 2 {
				for _, to := range o.Observers {
					to.Observe(&record.Record{Version: name, Workflow: "w"})
				}
			}
			end()
			response, err := http.Get(url + client.PathMeasurements)
			require.NoError(t, err)
			defer response.Body.Close()
			var list struct{ Measurements []client.Measurement }
			require.NoError(t, json.NewDecoder(response.Body).Decode(&list))
			got := 0
			for _, m := range list.Measurements {
				if m.Tags["version"] == name {
					got++
				}
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestAutomaticMeasurementsAreRefused(t *testing.T) {
	_, err := (&Config{Measurements: "on"}).observe(&entrypoint.Options{})
	require.EqualError(t, err, `measurements: "on" is not one of off, aggregated, each`)
	_, err = (&Config{Store: "ftp://store"}).observe(&entrypoint.Options{})
	require.ErrorContains(t, err, `store: "ftp://store" is not of the form`)
}

func TestNodesAreWoken(t *testing.T) {
	var o entrypoint.Options
	end, err := (&Config{}).wake(&o)
	require.NoError(t, err)
	end()
	require.Nil(t, o.Waker)
	end, err = (&Config{Wake: map[string]string{"model": "http://model.n.svc.cluster.local"}}).wake(&o)
	require.NoError(t, err)
	defer end()
	require.Equal(t, []record.Observer{o.Waker}, o.Observers)
	require.Equal(t, []prometheus.Collector{o.Waker}, o.Collectors)
	require.NotNil(t, o.Waker.Chain([]string{"etl", "model"}))
	_, err = (&Config{Wake: map[string]string{"model": "model"}}).wake(&o)
	require.ErrorContains(t, err, `wake: node "model": "model" is not a URL`)
}
