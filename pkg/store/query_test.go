package store

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/runner/store"
)

// found asks SQLite and store.Query.Match for the documents that meet a query.
func found(t testing.TB, s *Store, query store.Query, documents []string) (bySQL, byMatch []string) {
	t.Helper()
	_, err := s.writer.Exec("DELETE FROM documents")
	require.NoError(t, err)
	for _, doc := range documents {
		var object map[string]any
		require.NoError(t, unmarshal([]byte(doc), &object))
		store.DocumentID(object)
		normal, err := marshal(object)
		require.NoError(t, err)
		_, err = s.writer.Exec("INSERT INTO documents (coll, doc, saved, version, node, workflow) VALUES ('c', ?, '', '', '', '')", normal)
		require.NoError(t, err)
		if query.Match(object) {
			byMatch = append(byMatch, normal)
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

// queryCase is one of those that every store is held to, the doubles of tests too.
type queryCase struct {
	Query  json.RawMessage
	Found  []json.RawMessage
	Others []json.RawMessage
	Error  string
}

func queryCases(t testing.TB) (cases []queryCase) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "runner", "store", "testdata", "queries.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &cases))
	return cases
}

func TestQueries(t *testing.T) {
	s := openTest(t, filepath.Join(t.TempDir(), "store.db"), Options{})
	for _, c := range queryCases(t) {
		t.Run(string(c.Query), func(t *testing.T) {
			var raw map[string]any
			require.NoError(t, unmarshal(c.Query, &raw))
			query, err := store.ParseQuery(raw)
			if c.Error != "" {
				require.ErrorContains(t, err, c.Error)
				return
			}
			require.NoError(t, err)
			var documents []string
			for _, doc := range slices.Concat(c.Found, c.Others) {
				documents = append(documents, string(doc))
			}
			bySQL, byMatch := found(t, s, query, documents)
			require.Len(t, byMatch, len(c.Found), "by Match: %v", byMatch)
			require.Equal(t, byMatch, bySQL)
			for i, doc := range c.Found {
				require.Subset(t, keys(t, bySQL[i]), keys(t, string(doc)))
			}
		})
	}
}

func keys(t testing.TB, text string) map[string]any {
	t.Helper()
	var object map[string]any
	require.NoError(t, unmarshal([]byte(text), &object))
	return object
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
			bySQL, byMatch := found(t, s, parse(t, query), []string{`{"a":7}`, `{"a":[7]}`, `{"a":{"k":7}}`, `{}`})
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
		bySQL, byMatch := found(t, s, parsed, []string{document})
		where, args := compile(parsed)
		require.Equal(t, byMatch, bySQL, "%s %v", where, args)
	})
}
