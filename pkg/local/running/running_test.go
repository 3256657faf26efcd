package running_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/local/running"
)

func TestRoot(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", "/state")
	root, err := running.Root()
	require.NoError(t, err)
	require.Equal(t, "/state/kn-krt", root)
	t.Setenv("XDG_STATE_HOME", "relative")
	t.Setenv("HOME", "/home/ana")
	root, err = running.Root()
	require.NoError(t, err)
	require.Equal(t, "/home/ana/.local/state/kn-krt", root)
}

func TestRunsAreFound(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_STATE_HOME", home)
	runs, err := running.List(t.Context())
	require.NoError(t, err)
	require.Empty(t, runs, "no run has ever been there")

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	state := func(name string) string {
		dir := filepath.Join(home, "kn-krt", name)
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "run"), 0o700))
		return dir
	}
	here := running.Run{Version: "b-v1", Path: "/b", GRPC: "127.0.0.1:9000", Inspection: listener.Addr().String()}
	also := running.Run{Version: "a-v1", Path: "/a", Inspection: listener.Addr().String()}
	require.NoError(t, running.Write(state("b"), here))
	require.NoError(t, running.Write(state("a"), also))
	require.NoError(t, running.Write(state("killed"), running.Run{Version: "k-v1", Inspection: "127.0.0.1:1"}))
	require.NoError(t, running.Write(state("off"), running.Run{Version: "o-v1"}))
	require.NoError(t, running.Write(state("elsewhere"), running.Run{Version: "e-v1", Inspection: "192.0.2.1:80"}))
	for name, text := range map[string]string{"broken": "{", "large": strings.Repeat(" ", 100<<10)} {
		require.NoError(t, os.WriteFile(filepath.Join(state(name), "run", "running.json"), []byte(text), 0o600))
	}
	require.NoError(t, running.Write(state("relative"), running.Run{Version: "r-v1", Store: "store.sock"}))
	state("ended")
	socket, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	require.NoError(t, err)
	defer socket.Close()
	quiet := running.Run{Version: "c-v1", Path: "/c", Store: socket.Addr().String()}
	require.NoError(t, running.Write(state("c"), quiet))

	runs, err = running.List(t.Context())
	require.NoError(t, err)
	require.Equal(t, []running.Run{also, here, quiet}, runs)
	one, found := running.In(t.Context(), state("c"))
	require.True(t, found)
	require.Equal(t, quiet, one)
	_, found = running.In(t.Context(), state("killed"))
	require.False(t, found)
	require.Error(t, running.Write(filepath.Join(home, "none"), here))
}

func TestServes(t *testing.T) {
	for own, is := range map[string]map[string]bool{
		"127.0.0.1:9000": {"127.0.0.1:9000": true, "localhost:9000": true, "127.0.0.1:9001": false, "192.0.2.1:9000": false, "x": false},
		"[::]:9000":      {"127.0.0.1:9000": true, "localhost:9000": true, "192.0.2.1:9000": false},
		"192.0.2.1:9000": {"192.0.2.1:9000": true, "localhost:9000": false},
		"127.0.0.2:9000": {"127.0.0.2:9000": true, "127.0.0.1:9000": false, "localhost:9000": false, "[::1]:9000": false},
		"[::1]:9000":     {"[0::1]:9000": true, "localhost:9000": true, "127.0.0.1:9000": false},
		"":               {"": false},
	} {
		for address, want := range is {
			for _, r := range []running.Run{{GRPC: own}, {GRPC: "127.0.0.1:1", Web: own}, {GRPC: "127.0.0.1:1", Inspection: own}} {
				require.Equal(t, want, r.Serves(address), "%s at %v", address, r)
				require.Equal(t, want && r.GRPC == own, r.ServesGRPC(address), "%s at %v", address, r)
			}
		}
	}
}
