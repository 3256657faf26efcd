// Package store holds every backend of the store to one table: the same inserts and the same
// queries have the same answers. A backend's tests call Documents, Predictions and Measurements
// with one that is empty.
package store

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/runner/store/query"
	"krt.dev/kn-krt/pkg/runner/store/storetest"
	"krt.dev/kn-krt/pkg/store"
)

// Two runtimes that must not see each other.
const (
	ours   = "team-a"
	theirs = "team-b"
)

func from(runtime string) store.Origin {
	return store.Origin{Runtime: runtime, Origin: wire.Origin{Version: "v1", Node: "model", Workflow: "flow"}}
}

func within(coll string) store.Collection { return store.Collection{Runtime: ours, Name: coll} }

func object(t *testing.T, text string) store.Document {
	t.Helper()
	var document store.Document
	require.NoError(t, store.Decode([]byte(text), &document))
	wire.DocumentID(document)
	return document
}

func parse(t *testing.T, text string) query.Query {
	t.Helper()
	q, err := query.Parse(raw(t, text))
	require.NoError(t, err)
	return q
}

func raw(t *testing.T, text string) map[string]any {
	t.Helper()
	var object map[string]any
	require.NoError(t, store.Decode([]byte(text), &object))
	return object
}

// find returns all documents, reading pages of the given size.
func find(t *testing.T, b store.Documents, in store.Collection, q query.Query, size int) []json.RawMessage {
	t.Helper()
	var all []json.RawMessage
	page := store.Page{Limit: size, Bytes: 1 << 20}
	for {
		found, err := b.FindDocuments(t.Context(), in, q, page)
		require.NoError(t, err)
		require.LessOrEqual(t, len(found.Documents), size)
		all = append(all, found.Documents...)
		if found.Next == "" {
			return all
		}
		require.NotEqual(t, page.Cursor, found.Next)
		page.Cursor = found.Next
	}
}

// Documents holds a backend of documents to the table.
func Documents(t *testing.T, b store.Documents) {
	t.Run("queries", func(t *testing.T) { queries(t, b) })
	t.Run("pages", func(t *testing.T) { pages(t, b) })
	t.Run("runtimes", func(t *testing.T) { runtimes(t, b) })
	t.Run("ids", func(t *testing.T) { ids(t, b) })
	t.Run("values", func(t *testing.T) { values(t, b) })
	t.Run("refused", func(t *testing.T) { refused(t, b) })
	t.Run("deletion", func(t *testing.T) { deletion(t, b) })
	t.Run("deletion in parts", func(t *testing.T) { deletionInParts(t, b) })
	t.Run("writers", func(t *testing.T) { writers(t, b) })
	t.Run("ended", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.Error(t, b.SaveDocument(ctx, from(ours), "ended", object(t, `{}`)))
		_, err := b.FindDocuments(ctx, within("ended"), nil, store.Page{Limit: 1, Bytes: 1})
		require.Error(t, err)
	})
}

func queries(t *testing.T, b store.Documents) {
	n := 0
	storetest.Queries(t, func(t *testing.T, documents []json.RawMessage, text json.RawMessage) ([]json.RawMessage, error) {
		q, err := query.Parse(raw(t, string(text)))
		if err != nil {
			return nil, err
		}
		n++
		coll := "case" + strconv.Itoa(n)
		for _, document := range documents {
			require.NoError(t, b.SaveDocument(t.Context(), from(ours), coll, object(t, string(document))))
		}
		return find(t, b, within(coll), q, 1000), nil
	})
}

func pages(t *testing.T, b store.Documents) {
	for i := range 25 {
		require.NoError(t, b.SaveDocument(t.Context(), from(ours), "pages", object(t, fmt.Sprintf(`{"i":%d,"odd":%t}`, i, i%2 == 1))))
	}
	for _, size := range []int{1, 4, 5, 12, 13, 100} {
		found := find(t, b, within("pages"), parse(t, `{"odd":true}`), size)
		require.Len(t, found, 12)
		for i, document := range found {
			require.Contains(t, string(document), fmt.Sprintf(`"i":%d`, 2*i+1))
		}
	}
	whole, err := b.FindDocuments(t.Context(), within("pages"), nil, store.Page{Limit: 100, Bytes: 1})
	require.NoError(t, err)
	require.Len(t, whole.Documents, 1, "a page has one document, however large")
	require.NotEmpty(t, whole.Next)
	for _, cursor := range []string{"x", "-1", "'"} {
		_, err := b.FindDocuments(t.Context(), within("pages"), nil, store.Page{Limit: 1, Bytes: 1, Cursor: cursor})
		var problem *store.Problem
		require.ErrorAs(t, err, &problem, cursor)
	}
}

func runtimes(t *testing.T, b store.Documents) {
	for i, runtime := range []string{ours, theirs} {
		require.NoError(t, b.SaveDocument(t.Context(), from(runtime), "shared", object(t, fmt.Sprintf(`{"_id":"same","i":%d}`, i))))
	}
	other := store.Collection{Runtime: theirs, Name: "shared"}
	for _, text := range []string{`{}`, `{"_id":"same"}`, `{"i":{"$gte":0}}`, `{"$or":[{"i":0},{"i":1}]}`} {
		q := parse(t, text)
		require.JSONEq(t, `{"_id":"same","i":0}`, string(find(t, b, within("shared"), q, 5)[0]))
		found := find(t, b, other, q, 5)
		require.Len(t, found, 1)
		require.JSONEq(t, `{"_id":"same","i":1}`, string(found[0]))
	}
	collections, err := b.Collections(t.Context(), theirs)
	require.NoError(t, err)
	require.Equal(t, []store.CollectionSize{{Collection: other, Documents: 1}}, collections)
	all, err := b.Collections(t.Context(), "")
	require.NoError(t, err)
	require.Contains(t, all, store.CollectionSize{Collection: within("shared"), Documents: 1})
	deleted, err := b.DeleteDocuments(t.Context(), other, nil, store.Part{})
	require.NoError(t, err)
	require.Equal(t, store.Deleted{Count: 1}, deleted)
	require.Len(t, find(t, b, within("shared"), nil, 5), 1)
}

func ids(t *testing.T, b store.Documents) {
	made := object(t, `{"a":1}`)
	require.NoError(t, b.SaveDocument(t.Context(), from(ours), "ids", made))
	id := made[wire.KeyID].(string)
	require.Regexp(t, "^[0-9a-f]{24}$", id)
	for _, document := range []string{`{"_id":5}`, `{"_id":"5"}`, `{"_id":{"a":1}}`, `{"_id":true}`} {
		require.NoError(t, b.SaveDocument(t.Context(), from(ours), "ids", object(t, document)))
		require.ErrorIs(t, b.SaveDocument(t.Context(), from(ours), "ids", object(t, document)), store.ErrExists)
	}
	require.ErrorIs(t, b.SaveDocument(t.Context(), from(ours), "ids", made), store.ErrExists)
	for _, text := range []string{`{"_id":"` + id + `"}`, `{"_id":{"$in":["` + id + `"]}}`, `{"_id":{"$eq":"` + id + `"},"a":1}`} {
		found := find(t, b, within("ids"), parse(t, text), 5)
		require.Len(t, found, 1, text)
		require.JSONEq(t, `{"_id":"`+id+`","a":1}`, string(found[0]))
	}
	require.Len(t, find(t, b, within("ids"), parse(t, `{"_id":5}`), 5), 1)
	require.Len(t, find(t, b, within("ids"), nil, 2), 5)
}

// values are found as they were saved.
func values(t *testing.T, b store.Documents) {
	for i, text := range []string{
		`{"_id":"1","n":[9223372036854775807,-9223372036854775808,9007199254740993,0,-1]}`,
		`{"_id":"2","n":[0.1,1e-300,1.7976931348623157e308]}`,
		`{"_id":"3","s":["","é","\ud83d\ude00","a\u2028<&>\"\\\n","'; DROP TABLE documents; --","$where"]}`,
		`{"_id":"4","o":{"a":{"b":[{},[],null,true,false,[[1]]]},"$odd":1,"a.b":2,"":3}}`,
		`{"_id":"5","s":"` + strings.Repeat("long ", 100_000) + `"}`,
	} {
		require.NoError(t, b.SaveDocument(t.Context(), from(ours), "values/ü", object(t, text)))
		found := find(t, b, within("values/ü"), parse(t, fmt.Sprintf(`{"_id":"%d"}`, i+1)), 5)
		require.Len(t, found, 1)
		require.Equal(t, numbers(raw(t, text)), numbers(raw(t, string(found[0]))))
	}
}

// refused documents are not kept, whichever the backend.
func refused(t *testing.T, b store.Documents) {
	handler := store.New(store.Backends{Documents: b}, store.Options{}).Handler()
	for document, want := range storetest.Refused() {
		w := httptest.NewRecorder()
		body := strings.NewReader(`{"data":` + document + `}`)
		handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, wire.PathCollections+"refused", body))
		require.Equal(t, http.StatusBadRequest, w.Code, document)
		require.Contains(t, w.Body.String(), want)
	}
	require.Empty(t, find(t, b, store.Collection{Runtime: store.LocalRuntime, Name: "refused"}, nil, 5))
}

// numbers makes integers comparable as they are written, others by value.
func numbers(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key := range v {
			v[key] = numbers(v[key])
		}
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	case json.Number:
		if f, err := v.Float64(); err == nil && strings.ContainsAny(v.String(), ".eE") {
			return f
		}
	}
	return value
}

func deletion(t *testing.T, b store.Documents) {
	for i := range 10 {
		require.NoError(t, b.SaveDocument(t.Context(), from(ours), "deletion", object(t, fmt.Sprintf(`{"i":%d}`, i))))
	}
	q := parse(t, `{"$or":[{"i":{"$lt":3}},{"i":{"$not":{"$lte":7}}}]}`)
	deleted, err := b.DeleteDocuments(t.Context(), within("deletion"), q, store.Part{})
	require.NoError(t, err)
	require.Equal(t, store.Deleted{Count: 5}, deleted)
	require.Len(t, find(t, b, within("deletion"), nil, 100), 5)
	forgotten, err := b.ForgetDocuments(t.Context(), ours, time.Now().Add(-time.Hour))
	require.NoError(t, err)
	require.Zero(t, forgotten)
	require.NoError(t, b.SaveDocument(t.Context(), from(theirs), "kept", object(t, `{}`)))
	forgotten, err = b.ForgetDocuments(t.Context(), ours, time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.GreaterOrEqual(t, forgotten, int64(5))
	require.Empty(t, find(t, b, within("deletion"), nil, 100))
	require.Len(t, find(t, b, store.Collection{Runtime: theirs, Name: "kept"}, nil, 5), 1)
}

// writers save at the same time; what was acknowledged is found at once.
func writers(t *testing.T, b store.Documents) {
	var all sync.WaitGroup
	for writer := range 8 {
		all.Go(func() {
			q := query.Query{{Path: []string{"writer"}, Op: query.Equal, Value: json.Number(strconv.Itoa(writer))}}
			for i := range 20 {
				document := store.Document{wire.KeyID: wire.NewID(), "writer": json.Number(strconv.Itoa(writer)), "i": json.Number(strconv.Itoa(i))}
				if err := b.SaveDocument(t.Context(), from(ours), "writers", document); err != nil {
					t.Error(err)
				}
			}
			found, err := b.FindDocuments(t.Context(), within("writers"), q, store.Page{Limit: 100, Bytes: 1 << 20})
			if err != nil || len(found.Documents) != 20 {
				t.Errorf("writer %d finds %d of 20: %v", writer, len(found.Documents), err)
			}
			if !slices.IsSortedFunc(found.Documents, func(a, b json.RawMessage) int { return number(a) - number(b) }) {
				t.Errorf("writer %d finds them in another order", writer)
			}
		})
	}
	all.Wait()
}

func number(document json.RawMessage) int {
	var d struct{ I int }
	_ = json.Unmarshal(document, &d)
	return d.I
}
