package gobuild

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Where it is carried is a cache, which lets go what was not used for long.
func TestAnSDKThatIsCarriedIsUsed(t *testing.T) {
	folder := t.TempDir()
	sdks, err := Carry(folder)
	require.NoError(t, err)
	long := time.Now().Add(-1000 * time.Hour)
	for _, s := range sdks {
		require.NoError(t, os.Chtimes(s.folder, long, long))
	}
	_, err = Carry(folder)
	require.NoError(t, err)
	for _, s := range sdks {
		info, err := os.Stat(s.folder)
		require.NoError(t, err)
		require.Greater(t, info.ModTime(), long.Add(time.Hour))
	}
}
