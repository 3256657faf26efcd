package pip

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func write(t *testing.T, file, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
}

// What is installed says itself where it came from, should pip have been led elsewhere all the same.
func TestWhatIsInstalledIsOfTheIndexOrTheBundle(t *testing.T) {
	place := t.TempDir()
	for url, fine := range map[string]bool{
		"":                                  true, // of an index
		"file://" + place + "/wheels/a.whl": true,
		"file:///elsewhere/evil.whl":        false,
		"file://" + place + "/wheels/../../evil.whl": false,
		"https://example.com/evil.whl":               false,
	} {
		folder := t.TempDir()
		if url != "" {
			write(t, filepath.Join(folder, "a-1.dist-info", directURL), `{"url": "`+url+`"}`)
		}
		err := fromPlace(folder, place)
		if fine {
			require.NoError(t, err, url)
			continue
		}
		require.ErrorContains(t, err, `a requirement is installed from "`+url+`", which is neither an index nor a wheel of the bundle`)
	}
}

func TestDescriptionsOfPackagesAreBounded(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a-1.dist-info", "RECORD"), "")
	require.NoError(t, os.Truncate(filepath.Join(dir, "a-1.dist-info", "RECORD"), maxRecord+1))
	require.ErrorContains(t, tidy(dir), "RECORD of a-1.dist-info is larger than 67108864 bytes")
}
