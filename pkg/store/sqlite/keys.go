package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"krt.dev/kn-krt/pkg/runner/store/query"
	"krt.dev/kn-krt/pkg/store"
)

const (
	// A find that reads this many documents, and ten times as many as it finds, wants an index.
	manyRead = 2000
	// maxKeyValues limits the values of one document in an index, maxKeyBytes their length: of
	// longer ones it has the beginning.
	maxKeyValues, maxKeyBytes = 1000, 512
)

// The states of a key in the table document_keys.
const (
	filling = 0
	ready   = 1
	off     = 2 // a document has too many values: the key is not indexed any more
	dropped = 3 // its values are to be removed
)

// key is a field of a collection whose values are indexed.
type key struct {
	id    int64
	path  string
	state int
	multi bool          // a document has several values
	used  *atomic.Int64 // when a find has used it last, in seconds since 1970
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

	deleted atomic.Int64  // documents, since the indexes were cleaned
	unclean chan struct{} // they are to be cleaned

	mu  sync.RWMutex
	all map[store.Collection][]key
}

// wanted is an index that a find would have used.
type wanted struct {
	in   store.Collection
	path string
}

func startKeys(w *writer, reader *sql.DB) (*keys, error) {
	k := &keys{writer: w, reader: reader, wanted: make(chan wanted, 16), ended: make(chan struct{}),
		unclean: make(chan struct{}, 1), all: map[store.Collection][]key{}}
	k.ctx, k.end = context.WithCancel(context.Background())
	unfinished, gone, err := k.load()
	if err != nil {
		k.end()
		return nil, err
	}
	go k.run(unfinished, gone)
	return k, nil
}

func (k *keys) close() {
	k.end()
	<-k.ended
}

// load reads the table, and returns what is to be filled and the keys that are to be dropped.
func (k *keys) load() (unfinished []wanted, gone []int64, err error) {
	rows, err := k.reader.QueryContext(k.ctx, "SELECT id, runtime, coll, path, state, multi FROM document_keys")
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var in store.Collection
		one := newKey(0, "", 0)
		if err := rows.Scan(&one.id, &in.Runtime, &in.Name, &one.path, &one.state, &one.multi); err != nil {
			return nil, nil, err
		}
		if one.state == dropped {
			gone = append(gone, one.id)
			continue
		}
		k.all[in] = append(k.all[in], one)
		if one.state == filling {
			unfinished = append(unfinished, wanted{in, one.path})
		}
	}
	return unfinished, gone, rows.Err()
}

// newKey is one that is used now.
func newKey(id int64, path string, state int) key {
	one := key{id: id, path: path, state: state, used: &atomic.Int64{}}
	one.used.Store(time.Now().Unix())
	return one
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
		k.set(in, id, func(one *key) { one.state = state })
	}
	return err
}

// set changes a key, unless it is off.
func (k *keys) set(in store.Collection, id int64, change func(*key)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := slices.Clone(k.all[in])
	for i := range all {
		if all[i].id == id && all[i].state != off {
			change(&all[i])
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
		if len(found) <= maxKeyValues {
			found = append(found, beginning(value))
		}
	})
	if len(found) > maxKeyValues {
		k.set(in, one.id, func(one *key) { one.state = off })
		return k.off(w, one)
	}
	if len(found) > 1 {
		if err := k.multi(w, in, one); err != nil {
			return err
		}
	}
	values, _ := scalars(found)
	for _, value := range values {
		if _, err := w.exec("INSERT OR IGNORE INTO document_values (key, value, doc) VALUES (?, ?, ?)", one.id, value, id); err != nil {
			return err
		}
	}
	return nil
}

// multi notes that a document has several values, with each write, as off does.
func (k *keys) multi(w *writer, in store.Collection, one key) error {
	if !one.multi {
		k.set(in, one.id, func(one *key) { one.multi = true })
	}
	_, err := w.exec("UPDATE document_keys SET multi = 1 WHERE id = ? AND multi = 0", one.id)
	return err
}

// off notes that a key is off, with each write: the one that turned it off may have failed.
func (k *keys) off(w *writer, one key) error {
	_, err := w.exec("UPDATE document_keys SET state = ?1 WHERE id = ?2 AND state NOT IN (?1, ?3)", off, one.id, dropped)
	return err
}

// want asks for an index if a search has read much more than it found.
func (k *keys) want(f search, read, matched int) {
	if read < manyRead || matched*10 > read {
		return
	}
	for _, c := range f.q {
		path := strings.Join(c.Path, ".")
		if _, there := k.of(wanted{f.in, path}); there || !indexable(c) {
			continue
		}
		select {
		case k.wanted <- wanted{f.in, path}:
		default: // many are waiting
		}
	}
}
