package sqlite

import (
	"context"
	"database/sql"
	"fmt"
)

// migrations bring a file from the version of their place to the next; the
// version is SQLite's user_version. An entry is never changed.
func migrations() []string {
	return []string{`
CREATE TABLE documents (
	id INTEGER PRIMARY KEY, coll TEXT NOT NULL, doc TEXT NOT NULL, saved TEXT NOT NULL,
	version TEXT NOT NULL, node TEXT NOT NULL, workflow TEXT NOT NULL
) STRICT;
CREATE INDEX documents_coll ON documents (coll, id);
CREATE TABLE measurements (
	id INTEGER PRIMARY KEY, name TEXT NOT NULL, time TEXT NOT NULL, fields TEXT NOT NULL, tags TEXT NOT NULL
) STRICT;
CREATE INDEX measurements_name ON measurements (name, time);
CREATE TABLE predictions (
	id INTEGER PRIMARY KEY, date TEXT NOT NULL, predicted_value TEXT NOT NULL, true_value TEXT NOT NULL,
	extra TEXT NOT NULL, error TEXT NOT NULL,
	version TEXT NOT NULL, node TEXT NOT NULL, workflow TEXT NOT NULL
) STRICT;
CREATE INDEX predictions_date ON predictions (date);
`, `
UPDATE documents SET doc = json_set(doc, '$._id', printf('%024x', id)) WHERE json_type(doc, '$._id') IS NULL;
`, `
ALTER TABLE documents ADD COLUMN runtime TEXT NOT NULL DEFAULT 'local';
DROP INDEX documents_coll;
CREATE INDEX documents_coll ON documents (runtime, coll, id);
CREATE INDEX documents_id ON documents (runtime, coll, json_extract(doc, '$._id'));
ALTER TABLE measurements ADD COLUMN runtime TEXT NOT NULL DEFAULT 'local';
DROP INDEX measurements_name;
CREATE INDEX measurements_name ON measurements (runtime, name, time);
CREATE INDEX measurements_time ON measurements (runtime, time);
ALTER TABLE predictions ADD COLUMN runtime TEXT NOT NULL DEFAULT 'local';
DROP INDEX predictions_date;
CREATE INDEX predictions_date ON predictions (runtime, date);
`}
}

func migrate(db *sql.DB) error {
	ctx := context.Background()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // no effect once committed
	var version int
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	steps := migrations()
	if version > len(steps) {
		return fmt.Errorf("it was made by a newer kn-krt (schema %d, this one supports %d): use that version, or another file", version,
			len(steps))
	}
	for ; version < len(steps); version++ {
		if _, err := tx.ExecContext(ctx, steps[version]); err != nil {
			return fmt.Errorf("schema %d: %w", version+1, err)
		}
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version)); err != nil {
		return err
	}
	return tx.Commit()
}
