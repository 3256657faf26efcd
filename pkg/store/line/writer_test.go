package line

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A batch whose second half fails is sent again as a whole, and its points count once.
func TestHalvesCountOnce(t *testing.T) {
	statuses := []int{413, 204, 503, 413, 204, 204}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(statuses[0])
		statuses = statuses[1:]
	}))
	t.Cleanup(server.Close)
	to, err := parse("influx+" + server.URL + "/?db=d")
	require.NoError(t, err)
	w := &writer{server: to, database: "d", logger: slog.New(slog.DiscardHandler)}
	lines := strings.Repeat("m f=1i 1\n", 4)
	b := &batch{points: 4, size: len(lines), lines: []byte(lines)}
	_, err = w.write(t.Context(), b)
	require.Error(t, err)
	require.Zero(t, w.counts.written.Load())
	_, err = w.write(t.Context(), b)
	require.NoError(t, err)
	require.EqualValues(t, 4, w.counts.written.Load())
	require.Zero(t, w.counts.dropped.Load())
}
