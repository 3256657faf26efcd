package e2e_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/test/localrun"
)

// data runs kn krt data with an input, on the data of a local run, or of the test's namespace.
func (c cli) data(input string, of *localrun.Version, args ...string) string {
	c.t.Helper()
	if of == nil {
		return c.Run(input, "env", c.words(append([]string{"data"}, args...))...)
	}
	words := append([]string{c.path, "kn", "krt", "data"}, args...)
	return c.Run(input, "env", append(words, "--state-dir", of.StateDir())...)
}

// entries are the lines of an export, sorted: a cluster keeps the order of its own saves.
func entries(export string) []string {
	return slices.Sorted(strings.Lines(strings.TrimSpace(export) + "\n"))
}

// documentsOf are the documents of an export: entrypoints save measurements, too, every ten seconds.
func documentsOf(export string) string {
	var kept strings.Builder
	for line := range strings.Lines(export) {
		if strings.HasPrefix(line, `{"kind":"documents"`) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// What a local run has saved moves to the cluster, and from there to another local run, as
// docs/how-to/stores.md says: an export is also the backup that works everywhere.
func TestStoreDataMoves(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.storeReady()
	start := func() *localrun.Version {
		return localrun.StartWith(t, filepath.Join(programs, "kn-krt"), "../bundles/cases/documents")
	}
	first := start()
	saves, err := first.Method(t.Context(), documentsRPC)
	require.NoError(t, err)
	for _, name := range []string{"Ada", "Grace"} {
		_, err := saves.Call(t.Context(), `{"op": "save", "arg": "`+name+`"}`)
		require.NoError(t, err)
	}
	exported := documentsOf(c.data("", first, "export"))
	require.Len(t, entries(exported), 2)

	remote := c.documents()
	require.Contains(t, c.data(exported, nil, "import"), "2 saved, 0 skipped")
	require.Contains(t, c.data(exported, nil, "import"), "0 saved, 2 skipped")
	c.answers(remote, documentsRPC, "one", `{"op": "tag", "arg": "poetry"}`, `{"text": "Ada Grace"}`)
	require.Contains(t, c.data("", nil, "list"), "people")
	backup := documentsOf(c.data("", nil, "export"))
	require.Equal(t, entries(exported), entries(backup))

	second := start()
	require.Contains(t, c.data(backup, second, "import"), "2 saved, 0 skipped")
	finds, err := second.Method(t.Context(), documentsRPC)
	require.NoError(t, err)
	text, err := finds.Call(t.Context(), `{"op": "name", "arg": "Grace"}`)
	require.NoError(t, err)
	require.JSONEq(t, `{"text": "Grace"}`, text)

	require.Contains(t, c.data("", nil, "delete", "documents", "people", "--all", "--yes"), "2 deleted")
	c.answers(remote, documentsRPC, "one", `{"op": "name", "arg": "Ada"}`, `{"text": "nobody"}`)
	require.Contains(t, c.data(backup, nil, "import"), "2 saved, 0 skipped", "a backup is restored")
	c.answers(remote, documentsRPC, "one", `{"op": "name", "arg": "Ada"}`, `{"text": "Ada"}`)
	c.summary()
}

// summary reads figures through a port-forward, with the credential in the version's Secret.
func (c cli) summary() {
	c.t.Helper()
	forward := exec.CommandContext(c.t.Context(), "kubectl", "-n", "krt-system", "port-forward", "pod/krt-store-0", ":8080")
	out, err := forward.StdoutPipe()
	require.NoError(c.t, err)
	require.NoError(c.t, forward.Start())
	defer func() {
		_ = forward.Process.Kill()
		_ = forward.Wait()
	}()
	lines := bufio.NewScanner(out)
	require.True(c.t, lines.Scan(), "the port-forward has ended")
	address := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(lines.Text())
	require.NotEmpty(c.t, address, lines.Text())
	url := "http://" + address + store.PathSummary + "?version=documents-v1&per=day"
	request, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, url, nil)
	require.NoError(c.t, err)
	request.Header.Set("Authorization", "Bearer "+c.credential("documents-v1", "owner"))
	status, text, err := do(http.DefaultClient, request)
	require.NoError(c.t, err)
	require.Equal(c.t, http.StatusOK, status, text)
	var summary struct{ Total *int }
	require.NoError(c.t, json.Unmarshal([]byte(text), &summary))
	require.NotNil(c.t, summary.Total)
}
