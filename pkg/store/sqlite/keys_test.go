package sqlite

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/runner/store/query"
	"krt.dev/kn-krt/pkg/store"
)

func parse(t *testing.T, text string) query.Query {
	t.Helper()
	var raw map[string]any
	require.NoError(t, store.Decode([]byte(text), &raw))
	q, err := query.Parse(raw)
	require.NoError(t, err)
	return q
}

func save(t *testing.T, s *Store, text string) map[string]any {
	t.Helper()
	var document store.Document
	require.NoError(t, store.Decode([]byte(text), &document))
	wire.DocumentID(document)
	require.NoError(t, s.SaveDocument(t.Context(), from(), "c", document))
	return document
}

// TestIndex: while an index is made, and when it is there, a find has the same result as
// without, whatever is saved and deleted in the meantime.
func TestIndex(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openTest(t, path, Options{})
	long := strings.Repeat("x", maxKeyBytes)
	values := []string{
		"1", "1.0", `"1"`, "true", "null", `["x",1]`, `[[1]]`, `{"b":1}`, `[{"b":1},{"b":"x"}]`, `9007199254740993`, `"x"`, "1e999", `"y"`, "0.5",
		"-3", `[1,3]`, `["a","z"]`, fmt.Sprintf("%q", long+"b"),
	}
	random := func() string { return values[rand.IntN(len(values))] }
	queries := []string{
		`{"a":1}`, `{"a":"1"}`, `{"a":true}`, `{"a":{"$in":[1,"x"]}}`, `{"a":9007199254740993}`, `{"a":9007199254740992}`, `{"a.b":1}`,
		`{"a.b":{"$in":["x",2]}}`,
		`{"a":{"$gt":0}}`, `{"a":{"$gte":1,"$lt":9007199254740993}}`, `{"a":{"$lt":"y","$gte":""}}`, `{"a":{"$gt":"x"}}`, `{"a.b":{"$lte":"x"}}`,
		`{"a":{"$gt":9007199254740992.5}}`, `{"a":{"$gt":true}}`, `{"a":{"$gt":"x","$lt":9}}`, `{"a":{"$gt":2,"$lt":2}}`,
		fmt.Sprintf(`{"a":{"$gt":%q}}`, long+"a"), fmt.Sprintf(`{"a":{"$lt":%q}}`, long+"c"),
		fmt.Sprintf(`{"a":%q}`, long+"b"), `{"a":1,"n":{"$lt":50}}`, `{"a":null}`, `{"a":{"$in":[null,1]}}`, `{"a":1e999}`, `{"a.0":"x"}`,
	}
	var mu sync.Mutex
	var documents []map[string]any
	check := func() {
		for _, text := range queries {
			q, want := parse(t, text), 0
			for _, document := range documents {
				if q.Match(document) {
					want++
				}
			}
			require.Len(t, all(t, s, "c", q), want, text)
		}
	}
	fill := func(n int) {
		for i := range n {
			document := save(t, s, fmt.Sprintf(`{"a":%s,"n":%d}`, random(), i))
			mu.Lock()
			documents = append(documents, document)
			mu.Unlock()
		}
	}
	fill(100)
	var made sync.WaitGroup
	for _, field := range []string{"a", "a.b"} {
		made.Go(func() { s.keys.make(wanted{local("c"), field}) })
	}
	fill(300)
	made.Wait()
	used := s.keys.find(local("c"), parse(t, `{"a":1}`)).values
	require.Equal(t, []any{int64(1)}, used)
	check()
	fill(100)
	check()
	_, err := s.DeleteDocuments(t.Context(), local("c"), parse(t, `{"a":"x"}`), store.Part{})
	require.NoError(t, err)
	q, kept := parse(t, `{"a":"x"}`), []map[string]any{}
	for _, document := range documents {
		if !q.Match(document) {
			kept = append(kept, document)
		}
	}
	documents = kept
	fill(50)
	check()
	require.NoError(t, s.Close())
	s = openTest(t, path, Options{})
	check()
}

// TestIndexIsWanted: a find that reads much and finds little makes one.
func TestIndexIsWanted(t *testing.T) {
	s := openTest(t, filepath.Join(t.TempDir(), "store.db"), Options{})
	f := search{in: local("c"), q: parse(t, `{"a":1,"b":{"$gt":true},"d":{"$in":[1,{}]},"e":{"$lt":"x"}}`)}
	s.keys.want(f, manyRead-1, 0)
	s.keys.want(f, manyRead, manyRead/5)
	require.Empty(t, s.keys.wanted)
	s.keys.want(f, manyRead, 1)
	for _, path := range []string{"a", "e"} {
		require.Eventually(t, func() bool {
			key, _ := s.keys.of(wanted{f.in, path})
			return key.state == ready
		}, time.Minute, time.Millisecond)
	}
	for _, path := range []string{"b", "d"} {
		_, there := s.keys.of(wanted{f.in, path})
		require.False(t, there)
	}
}

// TestIndexIsTurnedOff by a document with too many values.
func TestIndexIsTurnedOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openTest(t, path, Options{})
	s.keys.make(wanted{local("c"), "a"})
	many := make([]int, maxKeyValues+1)
	for i := range many {
		many[i] = i
	}
	text, err := json.Marshal(map[string]any{"a": many})
	require.NoError(t, err)
	save(t, s, string(text))
	save(t, s, `{"a":1}`)
	require.Len(t, all(t, s, "c", parse(t, `{"a":1}`)), 2)
	require.NoError(t, s.Close())
	s = openTest(t, path, Options{})
	require.Len(t, all(t, s, "c", parse(t, `{"a":1}`)), 2)
	key, _ := s.keys.of(wanted{local("c"), "a"})
	require.Equal(t, off, key.state)
}

// TestIndexForgetsWhatIsGone, in several groups, and keeps what a document has that was saved
// since with the id of one that is gone.
func TestIndexForgetsWhatIsGone(t *testing.T) {
	s := openTest(t, filepath.Join(t.TempDir(), "store.db"), Options{})
	s.keys.make(wanted{local("c"), "a"})
	require.NoError(t, s.writer.write(t.Context(), func(w *writer) error {
		for id := int64(1); id <= 2*deleteGroup+100; id++ {
			_, err := w.exec("INSERT INTO document_values SELECT id, (?1 % 3) || 'x', ?1 FROM document_keys", id)
			if err != nil {
				return err
			}
		}
		return nil
	}))
	save(t, s, `{"a":"1x"}`) // with the id 1
	require.NoError(t, s.keys.clean(t.Context()))
	var left string
	require.NoError(t, s.reader.QueryRowContext(t.Context(), "SELECT group_concat(value || ' ' || doc) FROM document_values").Scan(&left))
	require.Equal(t, "1x 1", left)
	require.Len(t, all(t, s, "c", parse(t, `{"a":"1x"}`)), 1)
}
