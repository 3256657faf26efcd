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
`, predictionCounts, `
CREATE TABLE document_keys (
	id INTEGER PRIMARY KEY, runtime TEXT NOT NULL, coll TEXT NOT NULL, path TEXT NOT NULL,
	state INTEGER NOT NULL, done INTEGER NOT NULL, UNIQUE (runtime, coll, path)
) STRICT;
CREATE TABLE document_values (
	key INTEGER NOT NULL, value ANY NOT NULL, doc INTEGER NOT NULL, PRIMARY KEY (key, value, doc)
) STRICT, WITHOUT ROWID;
`, predictionsDeleted, numbersAreBounded, `
DELETE FROM document_values;
DELETE FROM document_keys;
ALTER TABLE document_keys ADD COLUMN multi INTEGER NOT NULL DEFAULT 0;
`, predictionsMirrored(), lettersKept}
}

// predictionParts is what predictions are counted by. JSON's numbers are what a value must look
// like to be one, up to store.MaxNumber: sums of larger ones could become infinite, from which
// nothing can be subtracted again.
const predictionParts = `
CREATE VIEW prediction_parts AS
SELECT id, runtime, date, substr(date, 1, 13) AS hour, version, error,
	iif(numbers AND NOT label, '', true_value) AS true_value, iif(numbers AND NOT label, '', predicted_value) AS predicted_value,
	labelled, labelled AND predicted_value = true_value AS correct, numbers,
	iif(numbers, abs(difference), 0.0) AS absolute, iif(numbers, difference * difference, 0.0) AS squared
FROM (
	SELECT *, labelled AND predicted_type IS NOT NULL AND true_type IS NOT NULL AS numbers,
		predicted_type = 'integer' AND true_type = 'integer'
			AND length(ltrim(predicted_value, '-')) <= 3 AND length(ltrim(true_value, '-')) <= 3 AS label
	FROM (
		SELECT *, error = '' AND predicted_value <> '' AND true_value <> '' AS labelled,
			CASE WHEN json_valid(predicted_value) AND json_type(predicted_value) IN ('integer', 'real')
				AND abs(CAST(predicted_value AS REAL)) <= 1e100 THEN json_type(predicted_value) END AS predicted_type,
			CASE WHEN json_valid(true_value) AND json_type(true_value) IN ('integer', 'real')
				AND abs(CAST(true_value AS REAL)) <= 1e100 THEN json_type(true_value) END AS true_type,
			CAST(predicted_value AS REAL) - CAST(true_value AS REAL) AS difference
		FROM predictions
	)
);
`

const fillCounts = `
INSERT INTO prediction_counts
SELECT runtime, hour, version, error, true_value, predicted_value, count(*), sum(labelled), sum(correct), sum(numbers),
	total(absolute), total(squared)
FROM prediction_parts GROUP BY runtime, hour, version, error, true_value, predicted_value;
`

// numbersAreBounded makes predictionParts anew for files of before there was store.MaxNumber.
const numbersAreBounded = "DROP VIEW prediction_parts;" + predictionParts + "DELETE FROM prediction_counts;" + fillCounts

// predictionCounts adds what summaries of predictions are made of: per hour and pair of
// values, kept by triggers, so that a summary of millions reads thousands of rows. Pairs of numbers
// that are no labels, see store.IsLabel, have one row together.
const predictionCounts = predictionParts + `
CREATE TABLE prediction_counts (
	runtime TEXT NOT NULL, hour TEXT NOT NULL, version TEXT NOT NULL, error TEXT NOT NULL,
	true_value TEXT NOT NULL, predicted_value TEXT NOT NULL,
	n INTEGER NOT NULL, labelled INTEGER NOT NULL, correct INTEGER NOT NULL, numbers INTEGER NOT NULL,
	absolute REAL NOT NULL, squared REAL NOT NULL,
	PRIMARY KEY (runtime, hour, version, error, true_value, predicted_value)
) STRICT, WITHOUT ROWID;
` + fillCounts + `
CREATE TRIGGER predictions_counted AFTER INSERT ON predictions BEGIN
	INSERT INTO prediction_counts
	SELECT runtime, hour, version, error, true_value, predicted_value, 1, labelled, correct, numbers, absolute, squared
	FROM prediction_parts WHERE id = NEW.id
	ON CONFLICT DO UPDATE SET n = n + 1, labelled = labelled + excluded.labelled, correct = correct + excluded.correct,
		numbers = numbers + excluded.numbers, absolute = absolute + excluded.absolute, squared = squared + excluded.squared;
END;
CREATE TRIGGER predictions_deleted BEFORE DELETE ON predictions BEGIN
	UPDATE prediction_counts AS c SET n = n - 1, labelled = c.labelled - p.labelled, correct = c.correct - p.correct,
		numbers = c.numbers - p.numbers, absolute = c.absolute - p.absolute, squared = c.squared - p.squared
	FROM (SELECT * FROM prediction_parts WHERE id = OLD.id) AS p
	WHERE c.runtime = p.runtime AND c.hour = p.hour AND c.version = p.version AND c.error = p.error
		AND c.true_value = p.true_value AND c.predicted_value = p.predicted_value;
	DELETE FROM prediction_counts WHERE n = 0 AND runtime = OLD.runtime AND hour = substr(OLD.date, 1, 13)
		AND version = OLD.version;
END;
`

// predictionsDeleted names the table in full instead of by an alias: programs with an older
// SQLite, such as 3.40, refuse to open a file that has an alias there.
const predictionsDeleted = `
DROP TRIGGER predictions_deleted;
CREATE TRIGGER predictions_deleted BEFORE DELETE ON predictions BEGIN
	UPDATE prediction_counts SET n = n - 1, labelled = prediction_counts.labelled - p.labelled,
		correct = prediction_counts.correct - p.correct, numbers = prediction_counts.numbers - p.numbers,
		absolute = prediction_counts.absolute - p.absolute, squared = prediction_counts.squared - p.squared
	FROM (SELECT * FROM prediction_parts WHERE id = OLD.id) AS p
	WHERE prediction_counts.runtime = p.runtime AND prediction_counts.hour = p.hour AND prediction_counts.version = p.version
		AND prediction_counts.error = p.error AND prediction_counts.true_value = p.true_value
		AND prediction_counts.predicted_value = p.predicted_value;
	DELETE FROM prediction_counts WHERE n = 0 AND runtime = OLD.runtime AND hour = substr(OLD.date, 1, 13)
		AND version = OLD.version;
END;
`

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
	if version < 0 {
		return fmt.Errorf("it was not made by kn-krt (schema %d)", version)
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
