package bundles_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/test/localrun"
)

// TestGoNodeKeepsState calls a Go node of the original's module many times at once. It
// keeps a map between calls and no lock, for kre-go called it for one message at a time.
func TestGoNodeKeepsState(t *testing.T) {
	v := localrun.Start(t, "cases/go-state")
	const calls, each = 20, 4000
	var mu sync.Mutex
	var counts []int
	var group sync.WaitGroup
	for range calls {
		group.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			method, err := v.Method(ctx, "entrypoint.Entrypoint/One")
			if !assert.NoError(t, err) {
				return
			}
			text, err := method.Call(ctx, "{}")
			answer := struct{ N int }{}
			if assert.NoError(t, err) && assert.NoError(t, json.Unmarshal([]byte(text), &answer)) {
				mu.Lock()
				defer mu.Unlock()
				counts = append(counts, answer.N)
			}
		})
	}
	group.Wait()
	slices.Sort(counts)
	var want []int
	for i := 1; i <= calls; i++ {
		want = append(want, i*each)
	}
	require.Equal(t, want, counts)
	require.Zero(t, v.Stop(t), "exit code")
}

// TestGoProgramIsBuilt runs a bundle that names a program as src, as KRT V1 demanded, and
// has only its sources, without the code that protoc made.
func TestGoProgramIsBuilt(t *testing.T) {
	const note = `krt.yml:5:59: note: node "shout": src "bin/shout" is not in the bundle; "src/shout" is built and run instead`
	before := contents(t, "cases/bin-src")
	printed, code := localrun.Command(t, "validate", "cases/bin-src")
	require.Zero(t, code, printed)
	require.NotContains(t, printed, "note:")
	printed, code = localrun.Command(t, "validate", "-v", "cases/bin-src")
	require.Zero(t, code, printed)
	require.Contains(t, printed, note)
	printed, code = localrun.Command(t, "pack", "cases/bin-src", "-o", filepath.Join(t.TempDir(), "x.krt"))
	require.Zero(t, code, printed)
	require.Contains(t, printed, note)

	v := localrun.Start(t, "cases/bin-src")
	check(t, v, call{rpc: "main.Entrypoint/Shout", request: `{"word": "ha"}`, want: `{"text": "HA"}`})
	require.Zero(t, v.Stop(t), "exit code")
	require.Equal(t, before, contents(t, "cases/bin-src"))
}

// TestGoProgramIsTested runs the tests of such a node.
func TestGoProgramIsTested(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("cases/bin-src")))
	text := "package main\n\nimport \"testing\"\n\nfunc TestShout(t *testing.T) { t.Log(handlerInit) }\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "src/shout/main_test.go"), []byte(text), 0o600))
	gomod := filepath.Join(dir, "src/shout/go.mod") // go test cannot test a module that is named main
	old, err := os.ReadFile(gomod)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(gomod, []byte(strings.Replace(string(old), "module main", "module shout", 1)), 0o600))
	code := filepath.Join(dir, "src/shout/main.go")
	old, err = os.ReadFile(code)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(code, []byte(strings.Replace(string(old), "main/proto", "shout/proto", 1)), 0o600))
	printed, status := localrun.Command(t, "test", dir)
	require.Zero(t, status, printed)
}

// TestGoNodesExchangeJSON runs Go nodes as they were written before kre-go 1.9.
func TestGoNodesExchangeJSON(t *testing.T) {
	localrun.NeedPython(t)
	const dir = "cases/go-json"
	printed, code := localrun.Command(t, "validate", "-v", dir)
	require.Zero(t, code, printed)
	require.Contains(t, printed, `note: node "report" exchanges dicts, as runners up to 1.22 (Go: 1.8) did: src/report/main.go:12 has a handler that takes []byte`)

	calls := []call{
		{rpc: "main.Entrypoint/Report", request: `{"text": "to be or not", "ticketId": "9007199254740993", "urgent": true}`,
			want: `{"text": "to-be-or-not v7!", "ticketId": "9007199254740993", "lengths": {"to": 2, "be": 2, "or": 2, "not": 3}}`},
		{rpc: "main.Entrypoint/Report", request: `{}`, want: `{"text": " v7."}`},
		{rpc: "main.Entrypoint/Report", request: `{"text": "a b c d e f"}`, fails: "error in 'split': too many words"},
		{rpc: "main.Entrypoint/Mix", request: `{"text": "to be", "ticketId": "9007199254740993", "urgent": true}`,
			want: `{"text": "to-be v7!", "ticketId": "9007199254740993", "lengths": {"to": 2, "be": 2}}`},
		{rpc: "main.Entrypoint/Split", request: `{"text": "a b"}`, want: `{"words": ["a", "b"], "model": "v7"}`},
	}
	var kept [][3]string
	untilNothingIsLost(t, func() *localrun.Version {
		v := localrun.Start(t, dir)
		for _, c := range calls {
			check(t, v, c)
		}
		kept = predictions(t, v)
		require.Zero(t, v.Stop(t), "exit code")
		return v
	})
	short := [3]string{"short", "short"}
	require.ElementsMatch(t, [][3]string{short, short, short, short, {"", "", "missing_values"}}, kept)
}
