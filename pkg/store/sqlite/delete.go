package sqlite

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/runner/store/query"
	"krt.dev/kn-krt/pkg/store"
)

// deleteGroup is how many rows one write deletes at most, so that others wait for a moment only.
const deleteGroup = 1000

// DeleteDocuments deletes the documents of a collection that meet q.
func (s *Store) DeleteDocuments(ctx context.Context, in store.Collection, q query.Query, part store.Part) (done store.Deleted, err error) {
	after, err := store.IDOf(part.Cursor)
	if err != nil {
		return done, err
	}
	for {
		var ids []string
		next, err := s.scan(ctx, search{in, q, after, part.Until}, func(id int64, _ []byte) bool {
			ids = append(ids, strconv.FormatInt(id, 10))
			return len(ids) < deleteGroup
		})
		if err != nil {
			return done, err
		}
		n, err := s.writer.delete(ctx, "DELETE FROM documents WHERE id IN (SELECT value FROM json_each(?))", "["+strings.Join(ids, ",")+"]")
		done.Count += n
		s.keys.gone(n)
		if err != nil || next == 0 {
			return done, err
		}
		if after = next; part.Over() {
			done.Next = store.CursorBehind(after)
			return done, nil
		}
	}
}

// delete runs a statement that deletes, as a write of its own, and returns how many rows it has.
func (w *writer) delete(ctx context.Context, statement string, args ...any) (int64, error) {
	var deleted int64
	err := w.write(ctx, func(w *writer) (err error) {
		deleted, err = w.changed(statement, args...)
		return err
	})
	if err != nil { // it may still run
		return 0, err
	}
	return deleted, nil
}

// deleteAll deletes the rows of table that meet where, group by group.
func (s *Store) deleteAll(ctx context.Context, table string, part store.Part, where string, args ...any) (store.Deleted, error) {
	statement := fmt.Sprintf("DELETE FROM %[1]s WHERE id IN (SELECT id FROM %[1]s WHERE %[2]s LIMIT %[3]d)", table, where, deleteGroup)
	return part.Groups(deleteGroup, func() (int64, error) { return s.writer.delete(ctx, statement, args...) })
}

// ForgetDocuments deletes the documents saved before a time.
func (s *Store) ForgetDocuments(ctx context.Context, runtime string, before time.Time) (int64, error) {
	const where = "(?1 = '' OR runtime = ?1) AND saved < ?2"
	done, err := s.deleteAll(ctx, "documents", store.Part{}, where, runtime, before.UTC().Format(timeFormat))
	s.keys.gone(done.Count)
	return done.Count, err
}
