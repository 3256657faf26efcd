package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/store"
)

// lettersKept adds letters. Meta is the letter as JSON but for its data. Times are nanoseconds since
// 1970: those of a column of time would be less exact.
const lettersKept = `
CREATE TABLE krt_letters (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, runtime text NOT NULL, kind text NOT NULL, version text NOT NULL,
	letter text NOT NULL, workflow text NOT NULL, time bigint NOT NULL, expires bigint NOT NULL, bytes bigint NOT NULL,
	meta text NOT NULL, data bytea NOT NULL
);
ALTER TABLE krt_letters ALTER COLUMN data SET STORAGE EXTERNAL;
CREATE UNIQUE INDEX krt_letters_letter ON krt_letters (runtime, kind, version, letter);
CREATE INDEX krt_letters_time ON krt_letters (runtime, kind, time, id);
CREATE INDEX krt_letters_count ON krt_letters (runtime, kind, version, workflow, time) INCLUDE (expires, bytes);
CREATE INDEX krt_letters_expires ON krt_letters (expires);
`

// SaveLetter keeps a letter. It may be repeated.
func (s *Store) SaveLetter(ctx context.Context, runtime string, l letter.Letter) error {
	bytes, data := l.Bytes(), l.Data
	l.Data = nil
	meta, err := json.Marshal(l)
	if err != nil {
		return err
	}
	if data == nil {
		data = []byte{}
	}
	saved, err := s.exec(ctx, `
INSERT INTO krt_letters (runtime, kind, version, letter, workflow, time, expires, bytes, meta, data)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (runtime, kind, version, letter) DO UPDATE SET workflow = excluded.workflow, time = excluded.time,
	expires = excluded.expires, bytes = excluded.bytes, meta = excluded.meta, data = excluded.data
	WHERE krt_letters.expires <= $11 OR krt_letters.kind = 'dead'
		OR krt_letters.kind = 'result' AND (excluded.meta::json -> 'status' IS NULL OR krt_letters.meta::json -> 'status' IS NOT NULL)
		OR krt_letters.kind = 'claim' AND krt_letters.meta::json ->> 'causation_id' = excluded.meta::json ->> 'causation_id'`,
		runtime, string(l.Kind), l.Version, l.ID, l.Workflow, l.Time.UnixNano(), store.Expiry(l).UnixNano(), bytes, string(meta), data,
		time.Now().UnixNano())
	if err == nil && saved == 0 {
		err = store.NotReplaced(l)
	}
	return err
}

// lettersOf is an SQL condition on letters.
func lettersOf(of store.LetterSelection) (where string, args []any) {
	return of.Where(func(n int) string { return fmt.Sprintf("$%d", n) })
}

// ReadLetter returns a letter.
func (s *Store) ReadLetter(ctx context.Context, of store.LetterSelection, hold func(int64) error) (l letter.Letter, err error) {
	where, args := lettersOf(of)
	var size int64
	err = s.retry(ctx, func(bool) error {
		err := s.pool.QueryRow(ctx, "SELECT length(data) FROM krt_letters WHERE "+where, args...).Scan(&size)
		return noLetter(err)
	})
	if err != nil {
		return l, err
	}
	if err := hold(size); err != nil {
		return l, err
	}
	var meta string
	var data []byte
	err = s.retry(ctx, func(bool) error {
		// One that has taken its place since may be larger than what is held.
		err := s.pool.QueryRow(ctx, "SELECT meta, data FROM krt_letters WHERE "+where+fmt.Sprintf(" AND length(data) <= $%d", len(args)+1),
			append(args[:len(args):len(args)], size)...).Scan(&meta, &data)
		return noLetter(err)
	})
	if err != nil {
		return l, err
	}
	err = json.Unmarshal([]byte(meta), &l)
	if len(data) > 0 {
		l.Data = data
	}
	return l, err
}

func noLetter(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return store.ErrNoLetter
	}
	return err
}

// ListLetters returns a page of letters, newest first.
func (s *Store) ListLetters(ctx context.Context, of store.LetterSelection, page store.Page) (found store.Listed[letter.Letter], err error) {
	where, args := lettersOf(of)
	if page.Cursor != "" {
		at, id, err := store.LetterPlace(page.Cursor)
		if err != nil {
			return found, err
		}
		where, args = where+fmt.Sprintf(" AND (time, id) < ($%d, $%d)", len(args)+1, len(args)+2), append(args, at, id)
	}
	statement := fmt.Sprintf("SELECT time, id, meta FROM krt_letters WHERE %s ORDER BY time DESC, id DESC LIMIT %d", where, page.Limit+1)
	err = s.retry(ctx, func(bool) error {
		found, err = s.pageOfLetters(ctx, statement, args, page)
		return err
	})
	return found, err
}

func (s *Store) pageOfLetters(
	ctx context.Context, statement string, args []any, page store.Page,
) (found store.Listed[letter.Letter], err error) {
	// Rows that are left unread close the connection, which is cheaper than to read them.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	rows, err := s.pool.Query(ctx, statement, args...)
	if err != nil {
		return found, err
	}
	defer rows.Close()
	found, err = store.ReadLetters(rows, page)
	cancel()
	return found, err
}

// CountLetters counts letters.
func (s *Store) CountLetters(ctx context.Context, of store.LetterSelection) (found []letter.Count, err error) {
	where, args := lettersOf(of)
	err = s.retry(ctx, func(bool) error {
		rows, err := s.pool.Query(ctx, "SELECT kind, version, workflow, count(*), sum(bytes)::bigint, min(time) FROM krt_letters WHERE "+where+
			` GROUP BY kind, version, workflow ORDER BY kind, version COLLATE "C", workflow COLLATE "C"`, args...)
		if err != nil {
			return err
		}
		found, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (c letter.Count, err error) {
			var oldest int64
			err = row.Scan(&c.Kind, &c.Version, &c.Workflow, &c.Letters, &c.Bytes, &oldest)
			c.Oldest = time.Unix(0, oldest).UTC()
			return c, err
		})
		return err
	})
	return found, err
}

// DropLetters deletes the oldest letters.
func (s *Store) DropLetters(ctx context.Context, of store.LetterSelection, n int) (int64, error) {
	where, args := lettersOf(of)
	statement := fmt.Sprintf("DELETE FROM krt_letters WHERE id = ANY(ARRAY(SELECT id FROM krt_letters WHERE %s ORDER BY time, id LIMIT %d))",
		where, min(n, deleteGroup))
	return s.exec(ctx, statement, args...)
}

// DeleteLetters deletes the selected letters.
func (s *Store) DeleteLetters(ctx context.Context, of store.LetterSelection, part store.Part) (store.Deleted, error) {
	where, args := lettersOf(of)
	return s.deleteAll(ctx, "krt_letters", part, where, args...)
}
