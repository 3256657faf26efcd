package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/runner/store/query"
	"krt.dev/kn-krt/pkg/store"
)

func openTest(t *testing.T, path string, o Options) *Store {
	t.Helper()
	o.Logger = slog.New(slog.DiscardHandler)
	s, err := Open(path, o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// change runs a statement as the store's writer.
func change(t *testing.T, s *Store, statement string, args ...any) {
	t.Helper()
	_, err := s.writer.delete(t.Context(), statement, args...)
	require.NoError(t, err)
}

func local(coll string) store.Collection {
	return store.Collection{Runtime: store.LocalRuntime, Name: coll}
}

func from() store.Origin {
	return store.Origin{Runtime: store.LocalRuntime, Origin: wire.Origin{Version: "v1"}}
}

// all returns the documents of a collection.
func all(t *testing.T, s *Store, coll string, q query.Query) []json.RawMessage {
	t.Helper()
	found, err := s.FindDocuments(t.Context(), local(coll), q, store.Page{Limit: 1000, Bytes: 1 << 20})
	require.NoError(t, err)
	require.Empty(t, found.Next)
	return found.Documents
}

// TestOlderFilesAreMigrated opens a file as the first release made it.
func TestOlderFilesAreMigrated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	db, err := connect(path, 1)
	require.NoError(t, err)
	for _, statement := range []string{
		migrations()[0],
		`INSERT INTO documents (coll, doc, saved, version, node, workflow)
			VALUES ('c', '{"a":1}', '', '', '', ''), ('c', '{"_id":"own"}', '', '', '', '')`,
		`INSERT INTO measurements (name, time, fields, tags) VALUES ('m', '2024-05-06T05:08:09.123456789Z', '{"a":1}', '{}')`,
		"PRAGMA user_version = 1",
	} {
		_, err := db.Exec(statement)
		require.NoError(t, err)
	}
	require.NoError(t, db.Close())
	s := openTest(t, path, Options{MaxBytes: 4 * pageBytes}) // smaller than the file
	require.Equal(t, []json.RawMessage{json.RawMessage(`{"a":1,"_id":"000000000000000000000001"}`), json.RawMessage(`{"_id":"own"}`)},
		all(t, s, "c", nil))
	measured, err := s.ListMeasurements(t.Context(), store.Selection{Runtime: store.LocalRuntime}, store.Page{Limit: 5, Bytes: 1000})
	require.NoError(t, err)
	require.Len(t, measured.Items, 1)
}

func TestRestartKeepsAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a ?#%41.db") // all of which mean something in a URI
	for i := 1; i <= 3; i++ {
		s := openTest(t, path, Options{})
		require.NoError(t, s.SaveDocument(t.Context(), from(), "c", store.Document{wire.KeyID: i}))
		require.Len(t, all(t, s, "c", nil), i)
		require.NoError(t, s.Close())
	}
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	newer, text := filepath.Join(dir, "newer"), filepath.Join(dir, "text")
	foreign := filepath.Join(dir, "foreign")
	for path, version := range map[string]string{newer: "99", foreign: "-1"} {
		s := openTest(t, path, Options{})
		change(t, s, "PRAGMA user_version = "+version)
		require.NoError(t, s.Close())
	}
	require.NoError(t, os.WriteFile(text, []byte(strings.Repeat("no database ", 100)), 0o600))
	for path, want := range map[string]string{
		newer:                         fmt.Sprintf("it was made by a newer kn-krt (schema 99, this one supports %d)", len(migrations())),
		foreign:                       "it was not made by kn-krt (schema -1)",
		text:                          "file is not a database",
		dir:                           "is a directory",
		filepath.Join(dir, "no", "x"): "no such file or directory",
	} {
		_, err := Open(path, Options{})
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "cannot open the store")
	}
}

// TestReadOnly: a file that cannot be written is reported as such, and can be read.
func TestReadOnly(t *testing.T) {
	s := openTest(t, filepath.Join(t.TempDir(), "store.db"), Options{})
	require.NoError(t, s.SaveDocument(t.Context(), from(), "c", store.Document{wire.KeyID: "1"}))
	pragma := func(text string) {
		_, err := s.writer.conn.ExecContext(t.Context(), text)
		require.NoError(t, err)
	}
	pragma("PRAGMA query_only = 1")
	err := s.SaveDocument(t.Context(), from(), "c", store.Document{wire.KeyID: "2"})
	require.ErrorContains(t, err, "the store's file is read-only")
	require.Len(t, all(t, s, "c", nil), 1)
	pragma("PRAGMA query_only = 0")
	require.NoError(t, s.SaveDocument(t.Context(), from(), "c", store.Document{wire.KeyID: "2"}))
}

// TestSlowSearchesEndAndLeaveOthersRoom: however many one runtime sends.
func TestSlowSearchesEndAndLeaveOthersRoom(t *testing.T) {
	s := openTest(t, filepath.Join(t.TempDir(), "store.db"), Options{})
	save(t, s, `{"a":1,"s":"`+strings.Repeat("a", 1_000_000)+`"}`)
	slow := parse(t, `{"$or":[`+strings.TrimSuffix(strings.Repeat(`{"s":{"$regex":"(?:a|b|c|aa|ab){1,60}(?:x|y){1,40}qN$"}},`, 100), ",")+`]}`)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	for range readers {
		go func() {
			_, err := s.FindDocuments(ctx, local("c"), slow, store.Page{Limit: 1})
			ended <- err
		}()
	}
	_, err := s.FindDocuments(t.Context(), store.Collection{Runtime: "other", Name: "c"}, slow, store.Page{Limit: 1})
	require.NoError(t, err)
	require.NoError(t, s.Ping(t.Context()))
	cancel()
	for range readers {
		require.Error(t, <-ended)
	}
}

// TestSearchesOfOneDoNotHoldUpOthers: as many as one version of a cluster may send at a time.
func TestSearchesOfOneDoNotHoldUpOthers(t *testing.T) {
	s := openTest(t, filepath.Join(t.TempDir(), "store.db"), Options{})
	save(t, s, `{"a":1}`)
	for range 12 {
		search, err := s.reader.Conn(t.Context())
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, search.Close()) })
	}
	require.Len(t, all(t, s, "c", parse(t, `{"a":1}`)), 1)
}

// TestOneStoreHasAFile: a second one is refused, by whatever name it knows the file.
func TestOneStoreHasAFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "store.db")
	first, err := Open(path, Options{})
	require.NoError(t, err)
	link := filepath.Join(dir, "link.db")
	require.NoError(t, os.Symlink(path, link))
	for _, name := range []string{path, link} {
		_, err = Open(name, Options{})
		require.ErrorIs(t, err, ErrInUse)
		require.ErrorContains(t, err, "cannot open the store")
	}
	require.NoError(t, first.Close())
	second, err := Open(link, Options{})
	require.NoError(t, err)
	require.NoError(t, second.Close())
}
