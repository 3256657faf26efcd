package sqlite

import (
	"context"
	"errors"
	"slices"
)

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
