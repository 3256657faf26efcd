package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/runner/store/query"
	"krt.dev/kn-krt/pkg/store"
)

// timeFormat has a fixed width, so that times sort as text.
const timeFormat = "2006-01-02T15:04:05.000000000Z"

// SaveDocument keeps a document.
func (s *Store) SaveDocument(ctx context.Context, from store.Origin, coll string, document store.Document) error {
	text, err := store.Encode(document)
	if err != nil {
		return err
	}
	id, err := store.Encode(document[wire.KeyID])
	if err != nil {
		return err
	}
	saved := time.Now().UTC().Format(timeFormat)
	return s.writer.write(ctx, func(w *writer) error {
		result, err := w.exec(`
INSERT INTO documents (runtime, coll, doc, saved, version, node, workflow) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7
WHERE NOT EXISTS (SELECT 1 FROM documents WHERE runtime = ?1 AND coll = ?2
	AND json_extract(doc, '$._id') = json_extract(?8, '$') AND json_type(doc, '$._id') = json_type(?8))`,
			from.Runtime, coll, string(text), saved, from.Version, from.Node, from.Workflow, string(id))
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return cmp.Or(err, store.ErrExists)
		}
		row, err := result.LastInsertId()
		if err != nil {
			return err
		}
		return s.keys.add(w, store.Collection{Runtime: from.Runtime, Name: coll}, row, document)
	})
}

// FindDocuments returns a page of the documents of a collection that meet q.
func (s *Store) FindDocuments(ctx context.Context, in store.Collection, q query.Query, page store.Page) (wire.Found, error) {
	found := wire.Found{Documents: []json.RawMessage{}}
	after, err := store.IDOf(page.Cursor)
	if err != nil {
		return found, err
	}
	bytes := 0
	next, err := s.scan(ctx, search{in, q, after, page.Until}, func(_ int64, document []byte) bool {
		bytes += len(document)
		if len(found.Documents) == page.Limit || len(found.Documents) > 0 && bytes > page.Bytes {
			return false
		}
		found.Documents = append(found.Documents, append(json.RawMessage{}, document...))
		return true
	})
	found.Next = store.CursorBehind(next)
	return found, err
}

// search is where documents are searched for: those behind the one with the id after, until a
// time, unless that is zero.
type search struct {
	in    store.Collection
	q     query.Query
	after int64
	until time.Time
}

// scan calls take for each document that is searched for, until take returns false. Next is
// where to go on: 0 at the end.
func (s *Store) scan(ctx context.Context, f search, take func(id int64, document []byte) bool) (next int64, err error) {
	done, err := s.turns.wait(ctx, f.in.Runtime)
	if err != nil {
		return 0, err
	}
	defer done()
	rows, err := s.read(ctx, f)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	last, read, matched, meets := f.after, 0, 0, s.matching(ctx, f.q)
	defer func() { s.keys.want(f, read, matched) }()
	for rows.Next() {
		var id int64
		var document sql.RawBytes
		if err := rows.Scan(&id, &document); err != nil {
			return 0, err
		}
		matches, err := meets(document)
		if err != nil {
			return 0, err
		}
		if matches && !take(id, document) {
			return last, nil
		}
		if last, read = id, read+1; matches {
			matched++
		}
		if read%64 == 0 && !f.until.IsZero() && time.Now().After(f.until) {
			return last, nil
		}
	}
	return 0, rows.Err()
}

// read reads the documents that may meet what is searched for.
func (s *Store) read(ctx context.Context, f search) (*sql.Rows, error) {
	statement, args, err := s.candidates(ctx, f)
	if err != nil {
		return nil, err
	}
	return s.reader.QueryContext(ctx, statement, args...)
}

// candidates is an SQL query for the documents that may meet what is searched for, in their
// order: as few as an index allows.
func (s *Store) candidates(ctx context.Context, f search) (statement string, args []any, err error) {
	const of = "d.runtime = ? AND d.coll = ? AND d.id > ?"
	args = []any{f.in.Runtime, f.in.Name, f.after}
	if where, ids := byID(f.q); where != "" {
		return fmt.Sprintf("SELECT d.id, d.doc FROM documents d WHERE %s AND %s ORDER BY d.id", of, where), append(args, ids...), nil
	}
	by := s.keys.find(f.in, f.q)
	wide, err := s.isWide(ctx, by)
	if len(by.values) == 1 {
		return fmt.Sprintf(`SELECT d.id, d.doc FROM document_values v CROSS JOIN documents d ON d.id = v.doc
WHERE %s AND v.doc > ? AND v.key = ? AND v.value = ? ORDER BY v.doc`, of), append(args, f.after, by.key, by.values[0]), err
	}
	if len(by.values) > 1 {
		by.where, by.args = "value IN ("+places(len(by.values))+")", by.values
	}
	if by.where == "" || wide {
		return "SELECT d.id, d.doc FROM documents d WHERE " + of + " ORDER BY d.id", args, err
	}
	return fmt.Sprintf("SELECT d.id, d.doc FROM documents d WHERE %s AND "+
			"d.id IN (SELECT doc FROM document_values WHERE doc > ? AND key = ? AND %s) ORDER BY d.id", of, by.where),
		append(append(args, f.after, by.key), by.args...), err
}

// places are n parameters.
func places(n int) string { return strings.TrimSuffix(strings.Repeat("?,", n), ",") }

// byID returns what q says of a document's "_id", as an SQL condition with its parameters.
func byID(q query.Query) (where string, ids []any) {
	for _, c := range q {
		if values, ok := equals(c); ok && len(c.Path) == 1 && c.Path[0] == wire.KeyID {
			return "json_extract(d.doc, '$._id') IN (" + places(len(values)) + ")", values
		}
	}
	return "", nil
}

// equals returns the values, as SQLite has them, one of which a condition requires.
func equals(c query.Condition) (values []any, ok bool) {
	switch c.Op {
	case query.Equal:
		return scalars([]any{c.Value})
	case query.In:
		list, _ := c.Value.([]any)
		return scalars(list)
	}
	return nil, false
}

// scalars are values as SQLite has them, unless one is null, an object or an array.
func scalars(values []any) (converted []any, ok bool) {
	for _, value := range values {
		switch v := value.(type) {
		case json.Number:
			converted = append(converted, number(v))
		case string, bool:
			converted = append(converted, v)
		default:
			return nil, false
		}
	}
	return converted, len(converted) > 0
}

// number is a JSON number as SQLite would read it: an integer if it is one of 64
// bits, else floating point.
func number(n json.Number) any {
	if i, err := strconv.ParseInt(string(n), 10, 64); err == nil {
		return i
	}
	f, _ := strconv.ParseFloat(string(n), 64)
	return f
}

// Collections lists the collections of a runtime, or of all.
func (s *Store) Collections(ctx context.Context, runtime string) (found []store.CollectionSize, err error) {
	rows, err := s.reader.QueryContext(ctx,
		"SELECT runtime, coll, count(*) FROM documents WHERE ?1 = '' OR runtime = ?1 GROUP BY runtime, coll ORDER BY runtime, coll", runtime)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var c store.CollectionSize
		if err := rows.Scan(&c.Runtime, &c.Name, &c.Documents); err != nil {
			return nil, err
		}
		found = append(found, c)
	}
	return found, rows.Err()
}
