package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/store"
	"krt.dev/kn-krt/pkg/store/line"
	"krt.dev/kn-krt/test/store/server"
)

const (
	offered     = 100_000 // measurements in a second
	offeredFor  = 10 * time.Second
	offeredAt   = 100 // a time, as the automatic measurements of an entrypoint come
	offeredWait = 64  // how many of these may wait for the store; others are given up
)

// BenchmarkOffered is what becomes of more measurements than a machine can keep: how many
// the store accepts, how many are lost, and what the store and the database use meanwhile.
func BenchmarkOffered(b *testing.B) {
	each(b, func(p *pair) { p.offer(p.backends.Measurements, func() (dropped uint64) { return 0 }) })
	b.Run("InfluxDB", func(b *testing.B) {
		influx := server.Influx(b)
		sink, err := line.Open(influx.URL+"/?db=krt", line.Options{Folder: b.TempDir(), Logger: slog.New(slog.DiscardHandler)})
		require.NoError(b, err)
		p := &pair{B: b, database: "InfluxDB", server: influx}
		p.offer(sink, func() uint64 {
			require.NoError(b, sink.Close(context.Background())) // all that is kept is written
			return sink.Counts().Dropped
		})
	})
}

// offer offers measurements to a sink. Dropped waits until all that it has accepted is written
// or lost, and returns how much is lost.
func (p *pair) offer(to store.MeasurementSink, dropped func() uint64) {
	p.Helper()
	var accepted, refused atomic.Int64
	waiting := make(chan []wire.Measurement, offeredWait)
	var clients sync.WaitGroup
	for range 16 {
		clients.Go(func() {
			for some := range waiting {
				require.NoError(p, to.SaveMeasurements(context.Background(), store.LocalRuntime, some))
				accepted.Add(int64(len(some)))
			}
		})
	}
	own, ofServer := cpu(p.B, p.server)
	begin := time.Now()
	tick := time.NewTicker(10 * time.Millisecond)
	for n := 0; n < offered*int(offeredFor/time.Second); {
		<-tick.C
		for due := int(time.Since(begin).Seconds() * offered); n < due; n += offeredAt {
			select {
			case waiting <- measurements(n):
			default:
				refused.Add(offeredAt)
			}
		}
	}
	tick.Stop()
	close(waiting)
	clients.Wait()
	lost := dropped()
	took := time.Since(begin)
	ownAfter, ofServerAfter := cpu(p.B, p.server)
	p.ReportMetric(float64(accepted.Load()), "accepted")
	p.ReportMetric(float64(refused.Load()), "refused")
	p.ReportMetric(float64(lost), "dropped")
	text := fmt.Sprintf("%d accepted, %d not in time, %d lost; %s, CPU %s",
		accepted.Load(), refused.Load(), lost, short(took), short(ownAfter-own))
	if p.server != nil {
		text += " and " + short(ofServerAfter-ofServer) + " in the database"
	}
	found.add(fmt.Sprintf("%d measurements/s for %s", offered, offeredFor), p.database, text, "", "", "–", "for information", "")
}

// measurements are some from the nth on, of a few series.
func measurements(n int) []wire.Measurement {
	some := make([]wire.Measurement, offeredAt)
	for i := range some {
		some[i] = wire.Measurement{
			Name: "node_elapsed_time", Time: time.Unix(1767225600, int64(n+i)*int64(time.Second)/offered).UTC(),
			Fields: map[string]any{"elapsed_ms": json.Number(fmt.Sprint(n%1000, ".5")), "waiting_ms": json.Number("0.25")},
			Tags:   map[string]string{"workflow": "flow", "version": "v", "node": fmt.Sprint("node-", i%10)},
		}
	}
	return some
}
