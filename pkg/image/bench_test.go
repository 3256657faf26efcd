package image

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkOneLine measures the bar "node image, one line of Python changed": from the
// changed file to the pushed digest, each time by a new Builder, as a command would be.
// The bundle has 16 MB of models.
func BenchmarkOneLine(b *testing.B) {
	h := newHub(b)
	first, events := newTestBuilder(b, h, nil)
	bundle := bundle(b, twoNodes())
	for i := range 4 {
		weights := make([]byte, 4<<20)
		for at := range weights {
			weights[at] = byte(at * (i + 3) >> 7)
		}
		require.NoError(b, os.WriteFile(filepath.Join(bundle.Dir, "models", fmt.Sprint("weights-", i)), weights, 0o600))
	}
	_, err := first.BuildAll(b.Context(), bundle)
	require.NoError(b, err)
	var sent int64
	for i := 0; b.Loop(); i++ {
		write(b, bundle.Dir, map[string]string{"src/etl/main.py": fmt.Sprintf("# %d\n%s", i, handler)})
		again, err := New(first.o)
		require.NoError(b, err)
		events.events = nil
		_, err = again.BuildAll(b.Context(), bundle)
		require.NoError(b, err)
		for _, e := range events.of(EventDone) {
			sent += e.Sent
		}
	}
	b.ReportMetric(float64(sent)/float64(b.N), "sent-B/op")
}
