package bundles_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"krt.dev/kn-krt/test/localrun"
)

// TestEarlyLong: the work behind an early reply goes on, whatever the caller's
// deadline, and the nodes after it run.
func TestEarlyLong(t *testing.T) {
	localrun.NeedPython(t)
	v := localrun.Start(t, "cases/early-long")
	method, err := v.Method(t.Context(), "entrypoint.Entrypoint/One")
	require.NoError(t, err)
	ran := func(times int) {
		require.Eventually(t, func() bool { return strings.Count(v.Log(), "b ran") == times }, time.Minute, 10*time.Millisecond)
	}
	_, err = method.Call(t.Context(), `{"arg": "0"}`) // the first may take longer
	require.NoError(t, err)
	ran(1)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	answer, err := method.Call(ctx, `{"arg": "11"}`)
	require.NoError(t, err)
	require.JSONEq(t, `{"text": "accepted"}`, answer)
	ran(2)
	require.Error(t, ctx.Err(), "it has taken longer than the caller would have waited")
	require.Zero(t, v.Stop(t), "exit code")
}

// TestTimeouts: what krt.yml says of times holds in a local run.
func TestTimeouts(t *testing.T) {
	localrun.NeedPython(t)
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("cases/early-long")))
	change := func(file, old, other string) {
		text, err := os.ReadFile(filepath.Join(dir, file))
		require.NoError(t, err)
		require.Contains(t, string(text), old)
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), bytes.Replace(text, []byte(old), []byte(other), 1), 0o600))
	}
	change("krt.yml", "entrypoint:\n", "entrypoint:\n  backgroundTimeout: 300ms\n")
	change("krt.yml", "src: src/b/main.py", "src: src/b/main.py\n    timeout: 250ms")
	change("src/a/main.py", "    await ctx.early_reply", "    if req.arg == '0': return req\n    await ctx.early_reply")
	change("src/b/main.py", "    ctx.logger", "    import asyncio; await asyncio.sleep(60)\n    ctx.logger")

	v := localrun.Start(t, dir)
	method, err := v.Method(t.Context(), "entrypoint.Entrypoint/One")
	require.NoError(t, err)
	_, err = method.Call(t.Context(), `{"arg": "0"}`)
	require.Equal(t, codes.DeadlineExceeded, status.Code(err))
	require.Equal(t, "error in 'b': no response within 250ms, the node's timeout", status.Convert(err).Message())
	_, err = method.Call(t.Context(), `{"arg": "60"}`)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		return strings.Contains(v.Log(), "after its deadline") || strings.Contains(v.Log(), "background timeout")
	},
		time.Minute, 10*time.Millisecond)
	require.Zero(t, v.Stop(t), "exit code")
	require.NotContains(t, v.Log(), "work done")
}
