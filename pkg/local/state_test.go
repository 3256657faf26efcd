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
	s, err := openState(dir, false)
	require.NoError(t, err)
	_, err = openState(dir, false)
	require.ErrorIs(t, err, ErrRunning)
	require.NoError(t, s.close())
	s, err = openState(dir, false)
	require.NoError(t, err)
	require.NoError(t, s.close())
}

func TestStateKeepsTheStoreAndClearsTheRest(t *testing.T) {
	dir := t.TempDir()
	s, err := openState(dir, false)
	require.NoError(t, err)
	write(t, s.path("store.db"), "kept")
	write(t, filepath.Join(s.run(), "CERT"), "secret")
	// As after kill -9: the lock is gone, the files are not.
	require.NoError(t, s.lock.Close())
	s, err = openState(dir, false)
	require.NoError(t, err)
	require.NoFileExists(t, filepath.Join(s.run(), "CERT"))
	require.FileExists(t, s.path("store.db"))
	require.NoError(t, s.close())
	require.NoDirExists(t, s.run())
}

func TestNoStateFolderIsShortEnoughForASocket(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("long/", 30))
	require.NoError(t, os.MkdirAll(long, 0o700))
	t.Setenv("TMPDIR", long)
	_, err := openState(filepath.Join(long, "state"), false)
	require.ErrorContains(t, err, "the path of a Unix socket has at most 103 characters")
	require.ErrorContains(t, err, "are both too long")
	left, err := filepath.Glob(filepath.Join(long, "kn-krt-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestStateSocketFits(t *testing.T) {
	t.Setenv("TMPDIR", "/tmp")
	s, err := openState(filepath.Join(t.TempDir(), strings.Repeat("long/", 30)), false)
	require.NoError(t, err)
	listener, err := net.Listen("unix", s.socket)
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	require.NoError(t, s.close())
	_, err = os.Stat(s.outside)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestStateTouchesNoFolderOfSomebodyElse(t *testing.T) {
	dir := t.TempDir()
	mine := write(t, filepath.Join(dir, "run", "results.csv"), "kept")
	_, err := openState(dir, false)
	var refused *StateDirError
	require.ErrorAs(t, err, &refused)
	require.FileExists(t, mine)
	require.NoFileExists(t, filepath.Join(dir, "lock"))

	// What a run has made is one of ours, whatever is in it since.
	dir = t.TempDir()
	s, err := openState(dir, false)
	require.NoError(t, err)
	require.NoError(t, s.close())
	write(t, filepath.Join(dir, "notes.txt"), "kept")
	s, err = openState(dir, false)
	require.NoError(t, err)
	require.NoError(t, s.close())

	// So is the folder that nobody has named.
	dir = t.TempDir()
	write(t, filepath.Join(dir, "store.db"), "of an earlier release")
	s, err = openState(dir, true)
	require.NoError(t, err)
	require.NoError(t, s.close())
}

// Releases before the mark left folders without one, with what nodes had saved.
func TestStateOfAnEarlierReleaseIsTaken(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "lock"), "")
	for _, name := range []string{"store.db", "store.db-wal", "bin/etl", "sdk/go.mod", "run/CERT"} {
		write(t, filepath.Join(dir, name), "x")
	}
	for range 2 {
		s, err := openState(dir, false)
		require.NoError(t, err)
		require.FileExists(t, filepath.Join(dir, "store.db"))
		require.FileExists(t, filepath.Join(dir, ".gitignore"))
		require.NoFileExists(t, filepath.Join(dir, "run", "CERT"))
		require.NoError(t, s.close())
	}

	for name, text := range map[string]string{"notes.txt": "x", "lock": "somebody's", "store.db/x": "x"} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "lock"), "")
		kept := write(t, filepath.Join(dir, "run", "results.csv"), "kept")
		write(t, filepath.Join(dir, name), text)
		_, err := openState(dir, false)
		var refused *StateDirError
		require.ErrorAs(t, err, &refused, name)
		require.FileExists(t, kept)
	}
}
