package sqlite

import (
	"context"
	"errors"
	"slices"
)

// gone has the indexes cleaned after many documents were deleted.
func (k *keys) gone(documents int64) {
	if documents == 0 || k.deleted.Add(documents) < deleteGroup {
		return
	}
	select {
	case k.unclean <- struct{}{}:
		k.deleted.Store(0)
	default: // it will be done
	}
}

// clean removes what indexes have of documents that are gone. It is no harm: what is found is
// read. It searches beside the writer and removes group by group, so that saves wait for a
// moment only.
func (k *keys) clean(ctx context.Context) error {
	for last := []any{-1, 0, 0}; last != nil; {
		gone, err := k.orphans(ctx, last)
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

// orphans are rows of indexes, key, value and document, behind one of them, whose documents are
// gone: a group.
func (k *keys) orphans(ctx context.Context, after []any) (found [][]any, err error) {
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
