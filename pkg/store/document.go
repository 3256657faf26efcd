package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/runner/store"
)

const (
	maxCollectionName = 120 // bytes, as in MongoDB
	maxDocumentDepth  = 100 // as in MongoDB; SQLite reads 1,000
)

// timeFormat has a fixed width, so that times sort as text.
const timeFormat = "2006-01-02T15:04:05.000000000Z"

func (s *Store) saveDocument(r *http.Request) (any, error) {
	coll, err := collection(r)
	if err != nil {
		return nil, err
	}
	var body struct {
		Data map[string]any `json:"data"`
	}
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	if body.Data == nil {
		return nil, invalid("data: missing: a document is a JSON object")
	}
	if depth(body.Data) > maxDocumentDepth {
		return nil, invalid("data: more than %d levels of objects and arrays", maxDocumentDepth)
	}
	id := store.DocumentID(body.Data)
	doc, err := marshal(body.Data)
	if err != nil {
		return nil, err
	}
	from := origin(r)
	_, err = s.write(r.Context(),
		"INSERT INTO documents (coll, doc, saved, version, node, workflow) VALUES (?, ?, ?, ?, ?, ?)",
		coll, doc, time.Now().UTC().Format(timeFormat), from.Version, from.Node, from.Workflow)
	return saved{ID: id}, err
}

func (s *Store) findDocuments(r *http.Request) (any, error) {
	coll, err := collection(r)
	if err != nil {
		return nil, err
	}
	var body store.FindRequest
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	query, err := store.ParseQuery(body.Query)
	if err != nil {
		return nil, invalid("query: %v", err)
	}
	documents, err := s.find(r.Context(), coll, query)
	return map[string]any{"documents": documents}, err
}

// find returns the documents of coll that meet query, in the order they were
// saved.
func (s *Store) find(ctx context.Context, coll string, query store.Query) ([]json.RawMessage, error) {
	where, args := compile(query)
	args = append(args, coll)
	return list(ctx, s, func(rows *sql.Rows) (json.RawMessage, int, error) {
		var doc []byte
		err := rows.Scan(&doc)
		return doc, len(doc), err
	}, fmt.Sprintf("SELECT doc FROM documents WHERE coll = ?%d AND %s ORDER BY id", len(args), where), args...)
}

// list reads the rows of a query, within the store's bounds. Read returns a row
// and about how many bytes it has.
func list[T any](ctx context.Context, s *Store, read func(*sql.Rows) (T, int, error), query string, args ...any) (_ []T, err error) {
	rows, err := s.reader.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	found, bytes := []T{}, 0
	for rows.Next() {
		row, size, err := read(rows)
		if err != nil {
			return nil, err
		}
		if bytes += size; bytes > s.options.MaxResultBytes || len(found) == s.options.MaxResults {
			return nil, invalid("more than %d results or %d bytes: narrow the query", s.options.MaxResults, s.options.MaxResultBytes)
		}
		found = append(found, row)
	}
	return found, rows.Err()
}

func collection(r *http.Request) (string, error) {
	coll := r.PathValue("coll")
	if len(coll) > maxCollectionName || strings.ContainsRune(coll, 0) {
		return "", invalid("collection %q: a name has 1 to %d bytes, none of them 0", coll, maxCollectionName)
	}
	return coll, nil
}

// unmarshal decodes one JSON value, with its numbers as they are written.
func unmarshal(data []byte, v any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(v); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more text after its end")
	}
	return nil
}

// marshal encodes v, each key once and none escaped that need not be.
func marshal(v any) (string, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// depth is how deep objects and arrays are nested in v.
func depth(v any) int {
	most := 0
	switch v := v.(type) {
	case []any:
		for _, element := range v {
			most = max(most, depth(element))
		}
	case map[string]any:
		for _, member := range v {
			most = max(most, depth(member))
		}
	default:
		return 0
	}
	return most + 1
}
