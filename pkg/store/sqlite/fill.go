package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"krt.dev/kn-krt/pkg/store"
)

// backfillGroup is how many documents one write adds to an index.
const backfillGroup = 500

// run makes and fills indexes, and removes those that are dropped. One that fails is tried
// again when it is wanted again, or at the next start.
func (k *keys) run(unfinished []wanted, gone []int64) {
	defer close(k.ended)
	for _, id := range gone {
		k.failed(wanted{}, k.remove(id))
	}
	for _, one := range unfinished {
		k.make(one)
	}
	for {
		select {
		case <-k.ctx.Done():
			return
		case one := <-k.wanted:
			k.make(one)
		case <-k.unclean:
			k.failed(wanted{}, k.clean(k.ctx))
		}
	}
}

func (k *keys) make(one wanted) { k.failed(one, errors.Join(k.create(one), k.fill(one))) }

func (k *keys) failed(one wanted, err error) {
	if err != nil && k.ctx.Err() == nil {
		k.writer.options.Logger.Warn("an index of documents was not made, removed or cleaned",
			"collection", one.in.Name, "key", one.path, "error", err)
	}
}

// create adds a key, unless there is one or no room for it. From then on saves add to it.
func (k *keys) create(one wanted) error {
	if _, there := k.of(one); there {
		return nil
	}
	if room, err := k.makeRoom(one.in, time.Now()); err != nil || !room {
		return err
	}
	var id int64
	err := k.writer.write(k.ctx, func(w *writer) error {
		result, err := w.exec("INSERT INTO document_keys (runtime, coll, path, state, done) VALUES (?, ?, ?, ?, 0)",
			one.in.Runtime, one.in.Name, one.path, filling)
		if err == nil {
			id, err = result.LastInsertId()
		}
		return err
	})
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.all[one.in] = append(k.all[one.in], newKey(id, one.path, filling))
	return nil
}

// fill adds the documents of before to an index, group by group, so that saves wait for a
// moment only. The last one is asked for in a write: those of later writes add themselves.
func (k *keys) fill(one wanted) error {
	found, there := k.of(one)
	if !there || found.state != filling {
		return nil
	}
	var done, last int64
	err := k.writer.write(k.ctx, func(w *writer) error {
		return w.conn.QueryRowContext(context.Background(),
			"SELECT done, (SELECT coalesce(max(id), 0) FROM documents) FROM document_keys WHERE id = ?", found.id).Scan(&done, &last)
	})
	for err == nil && done < last {
		err = k.group(one.in, found, &done, last)
	}
	if err == nil {
		err = k.turn(one.in, found.id, ready)
	}
	return err
}

// group adds the next documents behind done to an index.
func (k *keys) group(in store.Collection, found key, done *int64, last int64) error {
	documents, next := map[int64]store.Document{}, last
	rows, err := k.reader.QueryContext(k.ctx,
		"SELECT id, doc FROM documents WHERE runtime = ? AND coll = ? AND id > ? AND id <= ? ORDER BY id LIMIT ?",
		in.Runtime, in.Name, *done, last, backfillGroup)
	if err != nil {
		return err
	}
	for rows.Next() {
		var id int64
		var text sql.RawBytes
		var document store.Document
		if err := errors.Join(rows.Scan(&id, &text), store.Decode(text, &document)); err != nil {
			return errors.Join(err, rows.Close())
		}
		documents[id] = document
		if len(documents) == backfillGroup {
			next = id
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	err = k.writer.write(k.ctx, func(w *writer) error {
		for id, document := range documents {
			if err := k.insert(w, in, found, id, document); err != nil {
				return err
			}
		}
		_, err := w.exec("UPDATE document_keys SET done = ? WHERE id = ?", next, found.id)
		return err
	})
	*done = next
	return err
}
