package local

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDefaultStateDir(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", "/state")
	a, err := DefaultStateDir("/home/ana/greeter")
	require.NoError(t, err)
	require.Regexp(t, `^/state/kn-krt/greeter-[0-9a-f]{8}$`, a)
	b, err := DefaultStateDir("/home/bea/greeter")
	require.NoError(t, err)
	require.NotEqual(t, a, b)

	t.Setenv("XDG_STATE_HOME", "")
	t.Setenv("HOME", "/home/ana")
	a, err = DefaultStateDir("/home/ana/greeter")
	require.NoError(t, err)
	require.Equal(t, "/home/ana/.local/state/kn-krt", filepath.Dir(a))
}

func TestStateIsOfOneRunAtATime(t *testing.T) {
	dir := t.TempDir()
	s, err := openState(dir)
	require.NoError(t, err)
	_, err = openState(dir)
	require.ErrorIs(t, err, ErrRunning)
	require.NoError(t, s.close())
	s, err = openState(dir)
	require.NoError(t, err)
	require.NoError(t, s.close())
}

func TestStateKeepsTheStoreAndClearsTheRest(t *testing.T) {
	dir := t.TempDir()
	s, err := openState(dir)
	require.NoError(t, err)
	write(t, s.path("store.db"), "kept")
	write(t, filepath.Join(s.run(), "CERT"), "secret")
	// As after kill -9: the lock is gone, the files are not.
	require.NoError(t, s.lock.Close())
	s, err = openState(dir)
	require.NoError(t, err)
	require.NoFileExists(t, filepath.Join(s.run(), "CERT"))
	require.FileExists(t, s.path("store.db"))
	require.NoError(t, s.close())
	require.NoDirExists(t, s.run())
}

func TestStateSocketFits(t *testing.T) {
	t.Setenv("TMPDIR", "/tmp")
	s, err := openState(filepath.Join(t.TempDir(), strings.Repeat("long/", 30)))
	require.NoError(t, err)
	listener, err := net.Listen("unix", s.socket)
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	require.NoError(t, s.close())
	_, err = os.Stat(s.outside)
	require.ErrorIs(t, err, os.ErrNotExist)
}
