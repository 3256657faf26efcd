package journal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func opened(t *testing.T, path string) (*Journal, map[uint64][]byte) {
	t.Helper()
	j, kept, err := Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = j.Close() })
	return j, kept
}

// texts are the payloads that are kept, in order.
func texts(kept map[uint64][]byte) []string {
	var all []string
	for _, id := range slices.Sorted(maps.Keys(kept)) {
		all = append(all, string(kept[id]))
	}
	return all
}

func TestKeepsUntilForgotten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j, kept := opened(t, path)
	require.Empty(t, kept)
	ids, err := j.Keep([]byte("a"), []byte("b"), nil)
	require.NoError(t, err)
	more, err := j.Keep([]byte("c"))
	require.NoError(t, err)
	require.EqualValues(t, 3, j.Bytes())
	j.Forget(ids[1])
	j.Forget(ids[1])
	require.EqualValues(t, 2, j.Bytes())
	require.NoError(t, j.Close())
	_, err = j.Keep([]byte("late"))
	require.ErrorIs(t, err, os.ErrClosed)

	j, kept = opened(t, path)
	require.Equal(t, []string{"a", "", "c"}, texts(kept))
	next, err := j.Keep([]byte("d"))
	require.NoError(t, err)
	require.Greater(t, next[0], more[0])
	_, err = j.Keep(make([]byte, MostBytes+1))
	require.ErrorContains(t, err, "the limit is 16777216")
}

// Whatever is left of the last record, those before it are read, and the next one follows them.
func TestATornEndIsCutOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j, _ := opened(t, path)
	_, err := j.Keep([]byte("first"))
	require.NoError(t, err)
	_, err = j.Keep([]byte("last"))
	require.NoError(t, err)
	require.NoError(t, j.Close())
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	first := headSize + idSize + len("first")
	for cut := first; cut < len(whole); cut++ {
		require.NoError(t, os.WriteFile(path, whole[:cut], 0o600))
		j, kept := opened(t, path)
		require.Equal(t, []string{"first"}, texts(kept), cut)
		_, err := j.Keep([]byte("next"))
		require.NoError(t, err)
		require.NoError(t, j.Close())
		j, kept = opened(t, path)
		require.Equal(t, []string{"first", "next"}, texts(kept), cut)
		require.NoError(t, j.Close())
	}
}

func TestForgottenBytesAreGivenBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j, _, err := open(path, 64<<10)
	require.NoError(t, err)
	stays, err := j.Keep([]byte("stays"))
	require.NoError(t, err)
	var last uint64
	for i := range 400 {
		ids, err := j.Keep(bytes.Repeat([]byte{byte(i)}, 1<<10))
		require.NoError(t, err)
		last = ids[0]
		j.Forget(last)
	}
	require.NoError(t, j.Close())
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Less(t, info.Size(), int64(100<<10))

	j, kept := opened(t, path)
	require.Equal(t, map[uint64][]byte{stays[0]: []byte("stays")}, kept)
	next, err := j.Keep(nil)
	require.NoError(t, err)
	require.Greater(t, next[0], last, "no id is given twice")
}

// What is written again has all that is kept, also what was kept last.
func TestWrittenAgainHasTheLatest(t *testing.T) {
	path, copied := filepath.Join(t.TempDir(), "journal"), filepath.Join(t.TempDir(), "copy")
	j, _, err := open(path, 64<<10)
	require.NoError(t, err)
	t.Cleanup(func() { _ = j.Close() })
	var all []uint64
	for i := range 100 { // it is written again after each 16 or so, before the next one is
		ids, err := j.Keep(bytes.Repeat([]byte{byte(i)}, 4<<10))
		require.NoError(t, err)
		if all = append(all, ids[0]); i < 2 {
			continue
		}
		j.Forget(all[i-2])
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(copied, content, 0o600))
		of, kept := opened(t, copied)
		require.Subset(t, slices.Collect(maps.Keys(kept)), all[i-1:])
		require.NoError(t, of.Close())
	}
}

// A disk without room refuses one payload, and takes the next that fits.
func TestAFullDiskIsReported(t *testing.T) {
	j, _ := opened(t, filepath.Join(t.TempDir(), "journal"))
	_, err := j.Keep([]byte("a"))
	require.NoError(t, err)
	good := j.file
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Skip("needs /dev/full")
	}
	j.file = full
	_, err = j.Keep([]byte("b"))
	require.ErrorContains(t, err, "no space left")
	j.file = good
	require.EqualValues(t, 1, j.Bytes())
	require.NoError(t, full.Close())
}

// writerOf makes this test a process that keeps numbers in a file and prints each that is kept.
const writerOf = "KRT_JOURNAL_WRITER"

func TestMain(m *testing.M) {
	if path := os.Getenv(writerOf); path != "" {
		if err := writeNumbers(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

func writeNumbers(path string) error {
	j, kept, err := Open(path)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var writers sync.WaitGroup
	for writer := range 8 {
		writers.Go(func() {
			for i := 0; err == nil; i++ {
				text := fmt.Sprintf("%d-%d-%d", len(kept), writer, i)
				if _, err = j.Keep([]byte(text)); err == nil {
					mu.Lock()
					fmt.Println(text)
					mu.Unlock()
				}
			}
		})
	}
	writers.Wait()
	return err
}

// A process that is killed loses nothing of what it said was kept.
func TestKilledInTheMiddle(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	var acknowledged []string
	for round := range 3 {
		c := exec.CommandContext(t.Context(), os.Args[0])
		c.Env = append(os.Environ(), writerOf+"="+path)
		c.Stderr = os.Stderr
		out, err := c.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, c.Start())
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			acknowledged = append(acknowledged, lines.Text())
			if n == 100*(round+1) {
				require.NoError(t, c.Process.Kill())
			}
		}
		require.Error(t, c.Wait())
	}
	require.Greater(t, len(acknowledged), 600)
	_, kept := opened(t, path)
	have := map[string]bool{}
	for _, text := range texts(kept) {
		have[text] = true
	}
	for _, text := range acknowledged {
		require.True(t, have[text], "%s was acknowledged", text)
	}
}

// Whatever a file has, reading it ends, and what it yields is a record.
func FuzzReadRecord(f *testing.F) {
	f.Add(appendRecord(nil, keep, 7, []byte("payload")))
	f.Add(appendRecord(appendRecord(nil, keep, 1, nil), forget, 1, nil))
	f.Add([]byte{0, 0, 0, 9, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, file []byte) {
		r := bufio.NewReader(bytes.NewReader(file))
		for read := int64(0); ; {
			does, id, payload, size, err := readRecord(r)
			if err != nil {
				if !errors.Is(err, errTorn) {
					require.ErrorIs(t, err, io.EOF)
					require.EqualValues(t, len(file), read)
				}
				return
			}
			require.Equal(t, file[read:read+size], appendRecord(nil, does, id, payload))
			read += size
		}
	})
}
