package sqlite

import "strings"

// predictionsMirrored adds the mark of predictions that were made for copies of requests, and
// counts these apart. What has been counted before is kept: no prediction is read.
func predictionsMirrored() string {
	return `
ALTER TABLE predictions ADD COLUMN mirror INTEGER NOT NULL DEFAULT 0;
DROP TRIGGER predictions_counted;
DROP TRIGGER predictions_deleted;
DROP VIEW prediction_parts;
` + strings.Replace(predictionParts, "version, error,", "version, mirror, error,", 1) + mirroredCounts
}

const mirroredCounts = `
ALTER TABLE prediction_counts RENAME TO prediction_counts_before;
CREATE TABLE prediction_counts (
	runtime TEXT NOT NULL, hour TEXT NOT NULL, version TEXT NOT NULL, mirror INTEGER NOT NULL, error TEXT NOT NULL,
	true_value TEXT NOT NULL, predicted_value TEXT NOT NULL,
	n INTEGER NOT NULL, labelled INTEGER NOT NULL, correct INTEGER NOT NULL, numbers INTEGER NOT NULL,
	absolute REAL NOT NULL, squared REAL NOT NULL,
	PRIMARY KEY (runtime, hour, version, mirror, error, true_value, predicted_value)
) STRICT, WITHOUT ROWID;
INSERT INTO prediction_counts
SELECT runtime, hour, version, 0, error, true_value, predicted_value, n, labelled, correct, numbers, absolute, squared
FROM prediction_counts_before;
DROP TABLE prediction_counts_before;
CREATE TRIGGER predictions_counted AFTER INSERT ON predictions BEGIN
	INSERT INTO prediction_counts
	SELECT runtime, hour, version, mirror, error, true_value, predicted_value, 1, labelled, correct, numbers, absolute, squared
	FROM prediction_parts WHERE id = NEW.id
	ON CONFLICT DO UPDATE SET n = n + 1, labelled = labelled + excluded.labelled, correct = correct + excluded.correct,
		numbers = numbers + excluded.numbers, absolute = absolute + excluded.absolute, squared = squared + excluded.squared;
END;
CREATE TRIGGER predictions_deleted BEFORE DELETE ON predictions BEGIN
	UPDATE prediction_counts SET n = n - 1, labelled = prediction_counts.labelled - p.labelled,
		correct = prediction_counts.correct - p.correct, numbers = prediction_counts.numbers - p.numbers,
		absolute = prediction_counts.absolute - p.absolute, squared = prediction_counts.squared - p.squared
	FROM (SELECT * FROM prediction_parts WHERE id = OLD.id) AS p
	WHERE prediction_counts.runtime = p.runtime AND prediction_counts.hour = p.hour AND prediction_counts.version = p.version
		AND prediction_counts.mirror = p.mirror AND prediction_counts.error = p.error
		AND prediction_counts.true_value = p.true_value AND prediction_counts.predicted_value = p.predicted_value;
	DELETE FROM prediction_counts WHERE n = 0 AND runtime = OLD.runtime AND hour = substr(OLD.date, 1, 13)
		AND version = OLD.version;
END;
`
