package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"sync"

	"krt.dev/kn-krt/pkg/runner/store/query"
	"krt.dev/kn-krt/pkg/store"
)

const (
	// A find that reads this many documents, and ten times as many as it finds, wants an index.
	manyRead = 2000
	// maxKeys limits the indexes of a collection, maxAllKeys those of all.
	maxKeys, maxAllKeys = 8, 256
	// maxKeyValues limits the values of one document in an index, maxKeyBytes their length.
	maxKeyValues, maxKeyBytes = 1000, 512
)

// The states of a key in the table document_keys.
const (
	filling = 0
	ready   = 1
	off     = 2 // a document has too many values: the key is not indexed any more
)

// key is a field of a collection whose values are indexed.
type key struct {
	id    int64
	path  string
	state int
}

// keys are the indexed fields of documents. An index is made when finds ask for it, while the
// store is used: first saves add what they save to it, then it is filled with what was there.
type keys struct {
	writer *writer
	reader *sql.DB
	wanted chan wanted
	ctx    context.Context
	end    context.CancelFunc
	ended  chan struct{}

	mu  sync.RWMutex
	all map[store.Collection][]key
	n   int
}

// wanted is an index that a find would have used.
type wanted struct {
	in   store.Collection
	path string
}

func startKeys(w *writer, reader *sql.DB) (*keys, error) {
	k := &keys{writer: w, reader: reader, wanted: make(chan wanted, 16), ended: make(chan struct{}), all: map[store.Collection][]key{}}
	k.ctx, k.end = context.WithCancel(context.Background())
	unfinished, err := k.load()
	if err != nil {
		k.end()
		return nil, err
	}
	go k.run(unfinished)
	return k, nil
}

func (k *keys) close() {
	k.end()
	<-k.ended
}

// load reads the table, and returns what is to be filled.
func (k *keys) load() (unfinished []wanted, err error) {
	rows, err := k.reader.QueryContext(k.ctx, "SELECT id, runtime, coll, path, state FROM document_keys")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var in store.Collection
		var one key
		if err := rows.Scan(&one.id, &in.Runtime, &in.Name, &one.path, &one.state); err != nil {
			return nil, err
		}
		k.all[in] = append(k.all[in], one)
		k.n++
		if one.state == filling {
			unfinished = append(unfinished, wanted{in, one.path})
		}
	}
	return unfinished, rows.Err()
}

// of returns the key of a collection with a path.
func (k *keys) of(one wanted) (key, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	i := slices.IndexFunc(k.all[one.in], func(other key) bool { return other.path == one.path })
	if i < 0 {
		return key{}, false
	}
	return k.all[one.in][i], true
}

// turn sets the state of a key, unless it is off.
func (k *keys) turn(in store.Collection, id int64, state int) error {
	err := k.writer.write(k.ctx, func(w *writer) error {
		_, err := w.exec("UPDATE document_keys SET state = ? WHERE id = ? AND state <> ?", state, id, off)
		return err
	})
	if err == nil {
		k.set(in, id, state)
	}
	return err
}

func (k *keys) set(in store.Collection, id int64, state int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := slices.Clone(k.all[in])
	for i := range all {
		if all[i].id == id && all[i].state != off {
			all[i].state = state
		}
	}
	k.all[in] = all
}

// add adds a document that is saved to the indexes of its collection.
func (k *keys) add(w *writer, in store.Collection, id int64, document store.Document) error {
	k.mu.RLock()
	all := k.all[in]
	k.mu.RUnlock()
	for _, one := range all {
		if err := k.insert(w, in, one, id, document); err != nil {
			return err
		}
	}
	return nil
}

// insert adds a document to an index, or turns that off if the document has too many values.
func (k *keys) insert(w *writer, in store.Collection, one key, id int64, document store.Document) error {
	if one.state == off {
		return k.off(w, one)
	}
	var found []any
	query.Scalars(document, strings.Split(one.path, "."), func(value any) {
		if text, ok := value.(string); (!ok || len(text) <= maxKeyBytes) && len(found) <= maxKeyValues {
			found = append(found, value)
		}
	})
	if len(found) > maxKeyValues {
		k.set(in, one.id, off)
		return k.off(w, one)
	}
	values, _ := scalars(found)
	for _, value := range values {
		if _, err := w.exec("INSERT OR IGNORE INTO document_values (key, value, doc) VALUES (?, ?, ?)", one.id, value, id); err != nil {
			return err
		}
	}
	return nil
}

// off notes that a key is off, with each write: the one that turned it off may have failed.
func (k *keys) off(w *writer, one key) error {
	_, err := w.exec("UPDATE document_keys SET state = ?1 WHERE id = ?2 AND state <> ?1", off, one.id)
	return err
}

// find returns an index that is ready and the values that q requires of its field, one of them.
func (k *keys) find(in store.Collection, q query.Query) (id int64, values []any) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for _, one := range k.all[in] {
		for _, c := range q {
			if one.state != ready || strings.Join(c.Path, ".") != one.path {
				continue
			}
			if found, ok := equals(c); ok && !slices.ContainsFunc(found, long) && (values == nil || len(found) < len(values)) {
				id, values = one.id, found
			}
		}
	}
	return id, values
}

func long(value any) bool {
	text, ok := value.(string)
	return ok && len(text) > maxKeyBytes
}

// want asks for an index if a search has read much more than it found.
func (k *keys) want(f search, read, matched int) {
	if read < manyRead || matched*10 > read {
		return
	}
	for _, c := range f.q {
		path := strings.Join(c.Path, ".")
		values, ok := equals(c)
		if _, there := k.of(wanted{f.in, path}); !ok || there || slices.ContainsFunc(values, long) {
			continue
		}
		select {
		case k.wanted <- wanted{f.in, path}:
		default: // many are waiting
		}
	}
}

// clean removes what indexes have of documents that are gone, after many were deleted. It
// does no harm: what is found is read. It searches beside the writer and removes group by
// group, so that saves wait for a moment only.
func (k *keys) clean(ctx context.Context, deleted int64) error {
	if deleted < deleteGroup {
		return nil
	}
	for last := []any{-1, 0, 0}; last != nil; {
		gone, err := k.gone(ctx, last)
		if err != nil {
			return err
		}
		last = nil
		if len(gone) == deleteGroup {
			last = gone[len(gone)-1]
		}
		err = k.writer.write(ctx, func(w *writer) error {
			for _, row := range gone { // a document that was saved since may have the id of one that is gone
				_, err := w.exec("DELETE FROM document_values WHERE key = ?1 AND value = ?2 AND doc = ?3 "+
					"AND NOT EXISTS (SELECT 1 FROM documents WHERE id = ?3)", row...)
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// gone are rows of indexes, key, value and document, behind one of them, whose documents are
// gone: a group.
func (k *keys) gone(ctx context.Context, after []any) (found [][]any, err error) {
	rows, err := k.reader.QueryContext(ctx, `SELECT key, value, doc FROM document_values v WHERE (key, value, doc) > (?, ?, ?)
AND NOT EXISTS (SELECT 1 FROM documents WHERE id = v.doc) ORDER BY key, value, doc LIMIT ?`, append(slices.Clone(after), deleteGroup)...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var id, doc int64
		var value any
		if err := rows.Scan(&id, &value, &doc); err != nil {
			return nil, err
		}
		found = append(found, []any{id, value, doc})
	}
	return found, rows.Err()
}
