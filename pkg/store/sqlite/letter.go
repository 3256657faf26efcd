package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/store"
)

// lettersKept adds letters. Meta is the letter as JSON but for its data, which is the last column: what
// does not need it does not read its pages. Times are nanoseconds since 1970.
const lettersKept = `
CREATE TABLE letters (
	id INTEGER PRIMARY KEY, runtime TEXT NOT NULL, kind TEXT NOT NULL, version TEXT NOT NULL, letter TEXT NOT NULL,
	workflow TEXT NOT NULL, time INTEGER NOT NULL, expires INTEGER NOT NULL, bytes INTEGER NOT NULL, meta TEXT NOT NULL, data BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX letters_letter ON letters (runtime, kind, version, letter);
CREATE INDEX letters_time ON letters (runtime, kind, time);
CREATE INDEX letters_count ON letters (runtime, kind, version, workflow, time, expires, bytes);
CREATE INDEX letters_expires ON letters (expires);
`

// expiredGroup is how many letters that have expired one save deletes: a local run has nothing else
// that does.
const expiredGroup = 4

// SaveLetter keeps a letter.
func (s *Store) SaveLetter(ctx context.Context, runtime string, l letter.Letter) error {
	bytes, data := l.Bytes(), append([]byte{}, l.Data...) // the write may still run when ctx has ended and the caller has its data back
	l.Data = nil
	meta, err := json.Marshal(l)
	if err != nil {
		return err
	}
	now := time.Now().UnixNano()
	return s.writer.write(ctx, func(w *writer) error {
		_, err := w.exec("DELETE FROM letters WHERE id IN (SELECT id FROM letters WHERE expires <= ? LIMIT ?)", now, expiredGroup)
		if err != nil {
			return err
		}
		saved, err := w.changed(`
INSERT INTO letters (runtime, kind, version, letter, workflow, time, expires, bytes, meta, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (runtime, kind, version, letter) DO UPDATE SET workflow = excluded.workflow, time = excluded.time,
	expires = excluded.expires, bytes = excluded.bytes, meta = excluded.meta, data = excluded.data
	WHERE expires <= ? OR kind = 'dead' OR kind = 'result' AND (excluded.meta ->> 'status' IS NULL OR meta ->> 'status' IS NOT NULL)
		OR kind = 'claim' AND meta ->> 'causation_id' = excluded.meta ->> 'causation_id'`,
			runtime, string(l.Kind), l.Version, l.ID, l.Workflow, l.Time.UnixNano(), store.Expiry(l).UnixNano(), bytes, string(meta), data, now)
		if err == nil && saved == 0 {
			err = store.NotReplaced(l)
		}
		return err
	})
}

// lettersOf is an SQL condition on letters.
func lettersOf(of store.LetterSelection) (where string, args []any) {
	return of.Where(func(int) string { return "?" })
}

// ReadLetter returns a letter.
func (s *Store) ReadLetter(ctx context.Context, of store.LetterSelection, hold func(int64) error) (l letter.Letter, err error) {
	where, args := lettersOf(of)
	var id, size int64
	err = s.reader.QueryRowContext(ctx, "SELECT id, length(data) FROM letters WHERE "+where, args...).Scan(&id, &size)
	if err == nil {
		err = hold(size)
	}
	var meta string
	var data []byte
	if err == nil {
		// One that has taken its place since may be larger than what is held.
		const statement = "SELECT meta, data FROM letters WHERE id = ? AND length(data) <= ? AND expires > ?"
		row := s.reader.QueryRowContext(ctx, statement, id, size, time.Now().UnixNano())
		err = row.Scan(&meta, &data)
	}
	if errors.Is(err, sql.ErrNoRows) {
		err = store.ErrNoLetter
	}
	if err != nil {
		return l, err
	}
	err = json.Unmarshal([]byte(meta), &l)
	l.Data = data
	return l, err
}

// ListLetters returns a page of letters, newest first.
func (s *Store) ListLetters(ctx context.Context, of store.LetterSelection, page store.Page) (found store.Listed[letter.Letter], err error) {
	where, args := lettersOf(of)
	if page.Cursor != "" {
		at, id, err := store.LetterPlace(page.Cursor)
		if err != nil {
			return found, err
		}
		where, args = where+" AND (time, id) < (?, ?)", append(args, at, id)
	}
	rows, err := s.query(ctx)("SELECT time, id, meta FROM letters WHERE "+where+" ORDER BY time DESC, id DESC", args...)
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	return store.ReadLetters(rows, page)
}

// CountLetters counts letters.
func (s *Store) CountLetters(ctx context.Context, of store.LetterSelection) (found []letter.Count, err error) {
	where, args := lettersOf(of)
	rows, err := s.query(ctx)("SELECT kind, version, workflow, count(*), sum(bytes), min(time) FROM letters WHERE "+where+
		" GROUP BY kind, version, workflow ORDER BY kind, version, workflow", args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var c letter.Count
		var oldest int64
		if err := rows.Scan(&c.Kind, &c.Version, &c.Workflow, &c.Letters, &c.Bytes, &oldest); err != nil {
			return nil, err
		}
		c.Oldest = time.Unix(0, oldest).UTC()
		found = append(found, c)
	}
	return found, rows.Err()
}

// DropLetters deletes the oldest letters.
func (s *Store) DropLetters(ctx context.Context, of store.LetterSelection, n int) (int64, error) {
	where, args := lettersOf(of)
	statement := fmt.Sprintf("DELETE FROM letters WHERE id IN (SELECT id FROM letters WHERE %s ORDER BY time, id LIMIT ?)", where)
	return s.writer.delete(ctx, statement, append(args, min(n, deleteGroup))...)
}

// DeleteLetters deletes the selected letters.
func (s *Store) DeleteLetters(ctx context.Context, of store.LetterSelection, part store.Part) (store.Deleted, error) {
	where, args := lettersOf(of)
	return s.deleteAll(ctx, "letters", part, where, args...)
}
