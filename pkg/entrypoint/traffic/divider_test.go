package traffic

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
)

// TestTheFileIsFollowed: what cannot be used is logged once, and changes nothing.
func TestTheFileIsFollowed(t *testing.T) {
	folder := t.TempDir()
	var log bytes.Buffer
	write := func(text string) {
		require.NoError(t, os.WriteFile(filepath.Join(folder, File), []byte(text), 0o600))
	}
	with := func(version, port string, weight int) string {
		return fmt.Sprintf(`{"canary":{"version":%q,"grpc":"127.0.0.1:%s","web":"127.0.0.1:%s","weight":%d}}`, version, port, port, weight)
	}
	d := New(Options{Folder: folder, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	defer d.Close()
	require.Nil(t, d.Begin(without), "there is no file")
	write(with("v2", "1", 10))
	d.reload()
	first := d.Begin(without)
	require.Equal(t, 10, first.state.Weight)
	for range 3 {
		write(`{"canary":{"weight":`)
		d.reload()
	}
	require.Equal(t, 1, strings.Count(log.String(), "cannot read traffic.json"), log.String())
	require.Equal(t, 10, d.current.Load().Weight)

	write(with("v2", "1", 20))
	d.reload()
	second := d.Begin(without)
	require.Equal(t, 20, second.state.Weight)
	require.Same(t, first.state.peer, second.state.peer, "the connections are kept")
	require.Same(t, first.state.counts, second.state.counts)

	write(with("v3", "2", 20))
	d.reload()
	require.NotSame(t, first.state.peer, d.current.Load().peer)
	require.EqualValues(t, 2, first.state.peer.refs.Load(), "of the two requests")
	fallbacks := gather(t, d, "krt_traffic_fallbacks_total")
	require.Len(t, fallbacks, 1, "the series of v2 are gone")
	require.Equal(t, "v3", fallbacks[0].GetLabel()[0].GetValue())
	first.End()
	second.End()
	require.Zero(t, first.state.peer.refs.Load())
	require.False(t, first.state.peer.acquire(), "the connections are closed")

	counted := d.current.Load().counts
	require.NoError(t, os.Remove(filepath.Join(folder, File)))
	d.reload()
	require.Nil(t, d.Begin(without))
	require.Len(t, gather(t, d, "krt_traffic_fallbacks_total"), 1, "what was counted last can still be read")
	write(with("v3", "2", 20))
	d.reload()
	require.Same(t, counted, d.current.Load().counts, "the same version goes on with its counts")
}

func TestALargeFileIsNotRead(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, File), bytes.Repeat([]byte(" "), maxFileBytes+1), 0o600))
	var log bytes.Buffer
	d := New(Options{Folder: folder, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.Nil(t, d.Begin(without))
	require.Contains(t, log.String(), "is larger than 1048576 bytes")
}

func TestTheHistogramSpansTheTimes(t *testing.T) {
	d := New(Options{})
	c := d.series.canary("v2")
	c.canary.add(0, 0)
	buckets := gather(t, d, "krt_traffic_request_seconds")[0].GetHistogram().GetBucket()
	require.Equal(t, 0.0005, buckets[0].GetUpperBound())
	require.InDelta(t, 1.2, buckets[1].GetUpperBound()/buckets[0].GetUpperBound(), 1e-9)
	last := buckets[len(buckets)-1].GetUpperBound()
	require.True(t, last >= 600 && last < 720, last)
}

// gather returns the series of a metric.
func gather(t *testing.T, d *Divider, name string) []*dto.Metric {
	t.Helper()
	registry := prometheus.NewRegistry()
	require.NoError(t, registry.Register(d))
	families, err := registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() == name {
			return family.GetMetric()
		}
	}
	return nil
}
