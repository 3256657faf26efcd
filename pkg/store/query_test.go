package store

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/runner/store/storetest"
)

// save replaces the documents of the collection "c", and returns them as they are
// saved.
func save(t testing.TB, s *Store, documents []json.RawMessage) (saved []map[string]any) {
	t.Helper()
	_, err := s.writer.Exec("DELETE FROM documents")
	require.NoError(t, err)
	for _, document := range documents {
		var object map[string]any
		require.NoError(t, unmarshal(document, &object))
		store.DocumentID(object)
		text, err := marshal(object)
		require.NoError(t, err)
		_, err = s.writer.Exec("INSERT INTO documents (coll, doc, saved, version, node, workflow) VALUES ('c', ?, '', '', '', '')", text)
		require.NoError(t, err)
		saved = append(saved, object)
	}
	return saved
}

// found returns the documents that SQLite and store.Query.Match find.
func found(t testing.TB, s *Store, query store.Query, documents []json.RawMessage) (bySQL, byMatch []string) {
	t.Helper()
	for _, object := range save(t, s, documents) {
		if query.Match(object) {
			text, err := marshal(object)
			require.NoError(t, err)
			byMatch = append(byMatch, text)
		}
	}
	rows, err := s.find(t.Context(), "c", query)
	where, _ := compile(query)
	require.NoError(t, err, where)
	for _, row := range rows {
		bySQL = append(bySQL, string(row))
	}
	return bySQL, byMatch
}

func parse(t testing.TB, text string) store.Query {
	t.Helper()
	var raw map[string]any
	require.NoError(t, unmarshal([]byte(text), &raw))
	query, err := store.ParseQuery(raw)
	require.NoError(t, err)
	return query
}

func TestQueries(t *testing.T) {
	s := openTest(t, filepath.Join(t.TempDir(), "store.db"), Options{})
	storetest.Queries(t, func(t *testing.T, documents []json.RawMessage, text json.RawMessage) ([]json.RawMessage, error) {
		var raw map[string]any
		require.NoError(t, unmarshal(text, &raw))
		query, err := store.ParseQuery(raw)
		if err != nil {
			return nil, err
		}
		save(t, s, documents)
		return s.find(t.Context(), "c", query)
	})
}

// TestLargestQueries shows that what ParseQuery lets by, SQLite does too.
func TestLargestQueries(t *testing.T) {
	s := openTest(t, filepath.Join(t.TempDir(), "store.db"), Options{})
	list := func(n int, format string) string {
		values := make([]string, n)
		for i := range values {
			values[i] = strings.ReplaceAll(format, "#", fmt.Sprint(i))
		}
		return strings.Join(values, ",")
	}
	for name, query := range map[string]string{
		"numbers": `{"a":{"$in":[` + list(store.MaxQueryValues-1, "#") + `]}}`,
		"lists":   `{"a":{"$in":[` + list(store.MaxQueryValues/2-1, "[#]") + `]}}`,
		"objects": `{"a":{"$in":[` + list(store.MaxQueryValues/2-1, `{"k":#}`) + `]}}`,
		"fields":  `{` + list(store.MaxQueryValues, `"a#":{"$ne":#}`) + `}`,
		"members": `{"a":{` + list(store.MaxQueryValues-1, `"k#":#`) + `}}`,
		"deep":    `{"a":` + strings.Repeat("[", store.MaxQueryDepth) + "1" + strings.Repeat("]", store.MaxQueryDepth) + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			bySQL, byMatch := found(t, s, parse(t, query), []json.RawMessage{[]byte(`{"a":7}`), []byte(`{"a":[7]}`),
				[]byte(`{"a":{"k":7}}`), []byte(`{}`)})
			require.Equal(t, byMatch, bySQL)
		})
	}
}

// FuzzQuery holds the SQL to the meaning that Match says.
func FuzzQuery(f *testing.F) {
	for _, seed := range [][2]string{
		{`{"a":1}`, `{"a":[1,"1",true,null,{}]}`},
		{`{"a.b":{"$in":[null,1,[1],{"c":1}]},"d":{"$ne":"x"}}`, `{"a":{"b":{"c":1}}}`},
		{`{"a":{"$gte":1,"$lt":"x"}}`, `{"a":[1.5,"w"]}`},
		{`{"a":{"$gt":9007199254740993}}`, `{"a":9007199254740992.5}`},
		{`{"\u2028 '":"\u0001\ud83d\ude00"}`, `{"\u2028 '":"\u0001\ud83d\ude00"}`},
		{`{"a":{"b":{"c":[1,{"d":null}]}}}`, `{"a":{"b":{"c":[1.0,{"d":null}]}}}`},
		{`{"a":-0.0}`, `{"a":0}`},
		{`{"a":1e999}`, `{"a":2e999}`},
	} {
		f.Add(seed[0], seed[1])
	}
	s, err := Open(filepath.Join(f.TempDir(), "store.db"), Options{})
	require.NoError(f, err)
	f.Cleanup(func() { _ = s.Close() })
	f.Fuzz(func(t *testing.T, query, document string) {
		var raw, doc map[string]any
		if !json.Valid([]byte(document)) || unmarshal([]byte(query), &raw) != nil || unmarshal([]byte(document), &doc) != nil ||
			doc == nil || depth(doc) > maxDocumentDepth {
			return
		}
		parsed, err := store.ParseQuery(raw)
		if err != nil {
			return
		}
		bySQL, byMatch := found(t, s, parsed, []json.RawMessage{json.RawMessage(document)})
		where, args := compile(parsed)
		require.Equal(t, byMatch, bySQL, "%s %v", where, args)
	})
}
