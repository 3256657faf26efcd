package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"krt.dev/kn-krt/pkg/runner/store/query"
	"krt.dev/kn-krt/pkg/store"
)

const (
	// deleteGroup is how many rows one statement deletes at most, so that what it did counts
	// when the deletion is interrupted.
	deleteGroup = 1000
	// deleteRead is how many documents are searched for at a time, to be deleted.
	deleteRead = 50_000
)

// DeleteDocuments deletes the documents of a collection that meet q.
func (s *Store) DeleteDocuments(ctx context.Context, in store.Collection, q query.Query, part store.Part) (done store.Deleted, err error) {
	f := compile(in, q)
	f.ids, f.until = true, part.Until
	if f.after, err = store.IDOf(part.Cursor); err != nil {
		return done, err
	}
	for {
		var ids []int64
		// No connection is held while others delete: many deletions could hold all.
		next, err := s.scan(ctx, f, func(id int64, _ []byte) bool {
			ids = append(ids, id)
			return len(ids) < deleteRead
		})
		if err != nil {
			return done, s.failure(err)
		}
		for group := range slices.Chunk(ids, deleteGroup) {
			n, err := s.exec(ctx, "DELETE FROM krt_documents WHERE id = ANY($1)", group)
			done.Count += n
			if err != nil {
				return done, err
			}
		}
		if next == 0 {
			return done, nil
		}
		if f.after = next; part.Over() {
			done.Next = store.CursorBehind(next)
			return done, nil
		}
	}
}

// deleteAll deletes the rows of a table that meet where, group by group.
func (s *Store) deleteAll(ctx context.Context, table string, part store.Part, where string, args ...any) (store.Deleted, error) {
	statement := fmt.Sprintf("DELETE FROM %[1]s WHERE id = ANY(ARRAY(SELECT id FROM %[1]s WHERE %[2]s LIMIT %[3]d))",
		table, where, deleteGroup)
	return part.Groups(deleteGroup, func() (int64, error) { return s.exec(ctx, statement, args...) })
}

// DeleteMeasurements deletes the selected measurements.
func (s *Store) DeleteMeasurements(ctx context.Context, of store.Selection, part store.Part) (store.Deleted, error) {
	where, args := selection(of, false)
	return s.deleteAll(ctx, "krt_measurements", part, where, args...)
}

// DeletePredictions deletes the selected predictions.
func (s *Store) DeletePredictions(ctx context.Context, of store.Selection, part store.Part) (store.Deleted, error) {
	where, args := selection(of, true)
	return s.deleteAll(ctx, "krt_predictions", part, where, args...)
}

// ForgetDocuments deletes the documents saved before a time.
func (s *Store) ForgetDocuments(ctx context.Context, runtime string, before time.Time) (int64, error) {
	done, err := s.deleteAll(ctx, "krt_documents", store.Part{}, "($1 = '' OR runtime = $1) AND saved < $2", runtime, before)
	return done.Count, err
}
