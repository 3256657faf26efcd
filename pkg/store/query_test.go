package store

import (
	"encoding/json"
	"fmt"
	"path/filepath"
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

func TestQueries(t *testing.T) {
	s := openTest(t, filepath.Join(t.TempDir(), "store.db"), Options{})
	for _, c := range []struct {
		query string
		yes   []string
		no    []string
	}{
		{`{}`, []string{`{}`, `{"a":1}`}, nil},
		{`{"a":1}`, []string{`{"a":1}`, `{"a":1.0}`, `{"a":1e0,"b":2}`, `{"a":[2,1]}`},
			[]string{`{}`, `{"a":2}`, `{"a":"1"}`, `{"a":true}`, `{"a":null}`, `{"a":[[1]]}`, `{"a":{"b":1}}`, `{"b":1}`}},
		{`{"a":"x"}`, []string{`{"a":"x"}`, `{"a":["y","x"]}`}, []string{`{"a":"X"}`, `{"a":"xx"}`, `{"a":["xx"]}`, `{"a":{"x":"x"}}`}},
		{`{"a":"1"}`, []string{`{"a":"1"}`}, []string{`{"a":1}`}},
		{`{"a":true}`, []string{`{"a":true}`, `{"a":[true]}`}, []string{`{"a":1}`, `{"a":false}`, `{"a":"true"}`}},
		{`{"a":false}`, []string{`{"a":false}`}, []string{`{"a":0}`, `{}`, `{"a":null}`}},
		{`{"a":null}`, []string{`{"a":null}`, `{}`, `{"a":[1,null]}`}, []string{`{"a":0}`, `{"a":""}`, `{"a":[]}`, `{"a":{}}`, `{"a":[[null]]}`}},
		{`{"a.b":1}`, []string{`{"a":{"b":1}}`, `{"a":{"b":[1]}}`}, []string{`{"a.b":1}`, `{"a":[{"b":1}]}`, `{"a":1}`, `{"b":1}`}},
		{`{"a.0":1}`, []string{`{"a":{"0":1}}`}, []string{`{"a":[1]}`}},
		{`{"a.b":null}`, []string{`{}`, `{"a":1}`, `{"a":{"b":null}}`, `{"a":{"c":1}}`}, []string{`{"a":{"b":1}}`}},
		{`{"a":{"b":1,"c":[null,{}]}}`, []string{`{"a":{"c":[null,{}],"b":1.0}}`, `{"a":[{"b":1,"c":[null,{}]}]}`},
			[]string{`{"a":{"b":1}}`, `{"a":{"b":1,"c":[null,{}],"d":1}}`, `{"a":{"b":1,"c":[null]}}`, `{"a":{"b":[1],"c":[null,{}]}}`}},
		{`{"a":{"b":null}}`, []string{`{"a":{"b":null}}`}, []string{`{"a":{}}`, `{"a":{"c":null}}`, `{}`}},
		{`{"a":{}}`, []string{`{"a":{}}`, `{"a":[{}]}`}, []string{`{"a":{"b":1}}`, `{}`, `{"a":[]}`, `{"a":null}`}},
		{`{"a":[1,2]}`, []string{`{"a":[1,2]}`, `{"a":[[1,2]]}`}, []string{`{"a":[2,1]}`, `{"a":[1,2,3]}`, `{"a":1}`, `{"a":[1]}`}},
		{`{"a":[]}`, []string{`{"a":[]}`, `{"a":[[]]}`}, []string{`{}`, `{"a":[1]}`, `{"a":{}}`}},
		{`{"a":{"$ne":1}}`, []string{`{}`, `{"a":null}`, `{"a":2}`, `{"a":"1"}`, `{"a":[2]}`, `{"a":{"b":1}}`}, []string{`{"a":1}`, `{"a":[2,1]}`}},
		{`{"a":{"$ne":null}}`, []string{`{"a":0}`, `{"a":[]}`}, []string{`{}`, `{"a":null}`, `{"a":[null]}`}},
		{`{"a":{"$gt":1}}`, []string{`{"a":1.5}`, `{"a":2}`, `{"a":[0,2]}`}, []string{`{}`, `{"a":1}`, `{"a":"2"}`, `{"a":true}`, `{"a":null}`, `{"a":{"b":2}}`, `{"a":[[2]]}`}},
		{`{"a":{"$gte":1,"$lt":3}}`, []string{`{"a":1}`, `{"a":2.9}`, `{"a":[0,5]}`}, []string{`{"a":3}`, `{"a":0}`, `{"a":[5]}`}},
		{`{"a":{"$lte":"b"}}`, []string{`{"a":""}`, `{"a":"b"}`, `{"a":"aü"}`}, []string{`{"a":"ba"}`, `{"a":1}`, `{"a":"ü"}`}},
		{`{"a":{"$gt":false}}`, []string{`{"a":true}`}, []string{`{"a":false}`, `{"a":1}`}},
		{`{"a":{"$gt":9007199254740992}}`, []string{`{"a":9007199254740993}`, `{"a":1e300}`}, []string{`{"a":9007199254740992}`, `{"a":9007199254740992.0}`}},
		{`{"a":{"$lt":9223372036854775807}}`, []string{`{"a":9223372036854775806}`}, []string{`{"a":9223372036854775807}`, `{"a":9223372036854775808}`}},
		{`{"a":18446744073709551616}`, []string{`{"a":18446744073709551616}`, `{"a":18446744073709551616.0}`}, []string{`{"a":9223372036854775807}`}},
		{`{"a":{"$in":[1,"x",null,true,[2],{"b":3}]}}`,
			[]string{`{}`, `{"a":1}`, `{"a":"x"}`, `{"a":null}`, `{"a":true}`, `{"a":[2]}`, `{"a":{"b":3}}`, `{"a":["x"]}`, `{"a":[{"b":3}]}`},
			[]string{`{"a":2}`, `{"a":"y"}`, `{"a":false}`, `{"a":[3]}`, `{"a":{"b":4}}`}},
		{`{"a":{"$in":[]}}`, nil, []string{`{}`, `{"a":null}`, `{"a":[]}`}},
		{`{"a":1,"b":{"$gt":1}}`, []string{`{"a":1,"b":2}`}, []string{`{"a":1}`, `{"b":2}`, `{"a":1,"b":1}`}},
		{`{"ключ ' -- %s $ [0] * @":1}`, []string{`{"ключ ' -- %s $ [0] * @":1}`}, []string{`{"ключ":1}`}},
		{`{"[0]":1}`, []string{`{"[0]":1}`}, []string{`{"0":1}`}},
		{`{"a\u2028<&>":1}`, []string{`{"a\u2028<&>":1}`}, nil},
		{`{"a":"\u2028<&>\"\\\n"}`, []string{`{"a":"\u2028<&>\"\\\n"}`}, nil},
		{`{"a":"x'; DROP TABLE documents; --"}`, []string{`{"a":"x'; DROP TABLE documents; --"}`}, []string{`{}`}},
	} {
		t.Run(c.query, func(t *testing.T) {
			bySQL, byMatch := found(t, s, parse(t, c.query), append(append([]string{}, c.yes...), c.no...))
			require.Len(t, byMatch, len(c.yes), "by Match: %v", byMatch)
			require.Equal(t, byMatch, bySQL)
			for i, doc := range c.yes {
				require.JSONEq(t, doc, bySQL[i])
			}
		})
	}
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
