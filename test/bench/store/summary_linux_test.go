package store_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	wire "krt.dev/kn-krt/pkg/runner/store"
)

// BenchmarkSummary is the time and the memory of a summary of all predictions, beside the time
// in which a bare client counts the pairs of their values.
func BenchmarkSummary(b *testing.B) {
	each(b, func(p *pair) {
		bare := p.bare.(summarised)
		bare.fillPredictions(p.B)
		p.compare(fmt.Sprintf("summary of %d predictions", *predictions), 0, p.summary, func() time.Duration {
			begin := time.Now()
			require.Equal(p, 77/11*7, bare.pairs(p.B))
			return time.Since(begin)
		})
		debug.FreeOSMemory()
		own, ofServer := peak(p.B, p.server, func() { p.summary() })
		p.ReportMetric(float64(own>>20), "MiB")
		memory := megabytes(own)
		if p.server != nil {
			memory += ", and " + megabytes(ofServer) + " in the database"
		}
		found.add("its peak memory", p.database, memory, "", "", "–", "for information", "")
	})
}

// summary requests the summary of all predictions.
func (p *pair) summary() time.Duration {
	p.Helper()
	var summary struct{ Total int }
	begin := time.Now()
	response, err := http.Get(p.address + wire.PathSummary)
	require.NoError(p, err)
	require.NoError(p, json.NewDecoder(response.Body).Decode(&summary))
	require.NoError(p, response.Body.Close())
	took := time.Since(begin)
	require.Equal(p, *predictions, summary.Total)
	return took
}
