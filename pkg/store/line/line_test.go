package line

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/runner/store"
)

// However many databases there have been, one more finds room, unless measurements wait for all of them.
func TestDatabasesMakeRoom(t *testing.T) {
	var up atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !up.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(server.Close)
	const most = 3
	folder := t.TempDir()
	sink, err := Open("influx+"+server.URL, Options{Folder: folder, databases: most})
	require.NoError(t, err)
	save := func(database string) error {
		return sink.SaveMeasurements(t.Context(), database, []store.Measurement{point(map[string]any{"f": true}, nil)})
	}
	for i := range most {
		require.NoError(t, save(strconv.Itoa(i)))
	}
	require.ErrorContains(t, save("more"), "measurements for 3 other databases wait to be written")
	up.Store(true)
	require.NoError(t, save("0"))
	require.Eventually(t, func() bool { // what is written is counted before its room is free
		c := sink.Counts()
		return c.Written == most+1 && c.Memory == 0 && c.Disk == 0
	}, time.Minute, 10*time.Millisecond)

	require.NoError(t, save("more"))
	require.DirExists(t, filepath.Join(folder, "0"), "it was used after others")
	require.NoDirExists(t, filepath.Join(folder, "1"))
	require.NoError(t, save("1"))
	require.NoDirExists(t, filepath.Join(folder, "2"))
	require.NoError(t, sink.Close(t.Context()))
	require.Equal(t, Counts{Accepted: most + 3, Written: most + 3}, sink.Counts())
	left, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Empty(t, left)
}
