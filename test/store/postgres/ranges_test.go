package postgres_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/runner/store/query"
	"krt.dev/kn-krt/pkg/store"
	"krt.dev/kn-krt/test/store/random"
	"krt.dev/kn-krt/test/store/server"
)

// The indexes that docs/reference/databases.md names serve ranges.
func TestRangesUseAnIndex(t *testing.T) {
	s := server.Postgres(t)
	require.NoError(t, open(t, s).Close()) // it has made the tables
	for _, statement := range []string{
		`INSERT INTO krt_documents (runtime, coll, doc, version, node, workflow)
SELECT 'r', 'c', jsonb_build_object('_id', n, 'date', to_char(to_timestamp(n * 60) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
	'of', jsonb_build_object('n', n)), '', '', '' FROM generate_series(1, 20000) n`,
		`INSERT INTO krt_documents (runtime, coll, doc, version, node, workflow)
VALUES ('r', 'c', '{"_id": "array", "date": ["1960", "2030"], "of": [{"n": -1}, {"n": 100000}]}', '', '', '')`,
		`CREATE INDEX dates ON krt_documents (runtime, coll, (krt_text(doc, '{date}') COLLATE "C"))`,
		`CREATE INDEX numbers ON krt_documents (runtime, coll, krt_number(doc, '{of,n}'))`,
		"VACUUM ANALYZE krt_documents",
	} {
		run(t, s.URL, statement)
	}
	for index, one := range map[string]struct {
		q    map[string]any
		want int
	}{
		"dates":   {map[string]any{"date": map[string]any{"$gte": "1970-01-02T00:00:00Z", "$lt": "1970-01-02T01:00:00Z"}}, 60},
		"numbers": {map[string]any{"of.n": map[string]any{"$gt": json.Number("500"), "$lte": json.Number("520")}}, 20},
	} {
		b := open(t, s)
		q, err := query.Parse(one.q)
		require.NoError(t, err)
		found, err := b.FindDocuments(t.Context(), store.Collection{Runtime: "r", Name: "c"}, q, store.Page{Limit: 5000, Bytes: 1 << 20})
		require.NoError(t, err)
		require.Len(t, found.Documents, one.want+1, "and that of the array")
		require.NoError(t, b.Close()) // the server counts when a connection ends
		require.Eventually(t, func() bool { return scans(t, s.URL, index) > 0 }, time.Minute, 20*time.Millisecond, "%s is not used", index)
	}
}

// With indexes of ranges, queries have the meaning that they have without.
func TestRandomQueriesWithIndexes(t *testing.T) {
	s := server.Postgres(t)
	b := open(t, s)
	for _, field := range []string{"a", "b"} {
		run(t, s.URL, `CREATE INDEX ON krt_documents (runtime, coll, krt_number(doc, '{`+field+`}'));
CREATE INDEX ON krt_documents (runtime, coll, (krt_text(doc, '{`+field+`}') COLLATE "C"))`)
	}
	random.Compare(t, b, 2, 1000)
}

// TestIntegersBeyond64Bits are compared as floats, as package query does, with an index and without.
func TestIntegersBeyond64Bits(t *testing.T) {
	b := open(t, server.Postgres(t))
	in := store.Collection{Runtime: "r", Name: "c"}
	for i, n := range []json.Number{
		"18446744073709551616", "18446744073709551617", "1e399", "-9223372036854775809", "9223372036854775807", "1",
	} {
		document := store.Document{"_id": json.Number(fmt.Sprint(i)), "a": n, "list": []any{n}}
		require.NoError(t, b.SaveDocument(t.Context(), store.Origin{Runtime: in.Runtime}, in.Name, document))
	}
	for text, want := range map[string]int{
		`{"a":18446744073709551617}`:                           2,
		`{"a":{"$in":[1,18446744073709551617]}}`:               3,
		`{"a":{"$ne":18446744073709551617}}`:                   4,
		`{"list":[18446744073709551616]}`:                      2,
		`{"list":{"$elemMatch":{"$eq":18446744073709551616}}}`: 2,
		`{"a":{"$lte":-9223372036854775808}}`:                  1,
		`{"a":-9223372036854775808}`:                           1,
		`{"a":{"$gt":18446744073709551616}}`:                   1,
		`{"a":{"$gte":18446744073709551617,"$lt":1e300}}`:      2,
		`{"a":{"$gt":9223372036854775807}}`:                    3,
		`{"a":{"$not":{"$eq":1,"$lt":1e300}}}`:                 5,
		`{"a":1e398}`:                                          1,
	} {
		var raw map[string]any
		require.NoError(t, store.Decode([]byte(text), &raw))
		q, err := query.Parse(raw)
		require.NoError(t, err)
		found, err := b.FindDocuments(t.Context(), in, q, store.Page{Limit: 100, Bytes: 1 << 20})
		require.NoError(t, err)
		require.Len(t, found.Documents, want, text)
	}
}
