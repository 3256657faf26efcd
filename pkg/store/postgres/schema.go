package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// migrations bring the tables from the version of their place to the next, which the table
// krt_schema has. An entry is never changed.
//
// Krt_visit has the meaning of a path in a query: it goes through objects and, by an element's
// place or through all elements that are objects, through arrays. A field that is missing is
// not found.
func migrations() []string {
	return []string{`
CREATE TABLE krt_documents (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, runtime text NOT NULL, coll text NOT NULL, doc jsonb NOT NULL,
	saved timestamptz NOT NULL DEFAULT now(), version text NOT NULL, node text NOT NULL, workflow text NOT NULL
);
CREATE INDEX krt_documents_coll ON krt_documents (runtime, coll, id);
CREATE UNIQUE INDEX krt_documents_id ON krt_documents (runtime, coll, (doc -> '_id'));
CREATE INDEX krt_documents_doc ON krt_documents USING gin (doc jsonb_path_ops);
CREATE INDEX krt_documents_saved ON krt_documents USING brin (saved);
CREATE TABLE krt_predictions (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, runtime text NOT NULL, date timestamptz NOT NULL, nanos smallint NOT NULL,
	predicted_value text NOT NULL, true_value text NOT NULL, extra jsonb NOT NULL, error text NOT NULL,
	version text NOT NULL, node text NOT NULL, workflow text NOT NULL
);
CREATE INDEX krt_predictions_date ON krt_predictions (runtime, date, nanos, id);
CREATE TABLE krt_measurements (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, runtime text NOT NULL, name text NOT NULL, date timestamptz NOT NULL,
	nanos smallint NOT NULL, fields jsonb NOT NULL, tags jsonb NOT NULL
);
CREATE INDEX krt_measurements_date ON krt_measurements (runtime, date, nanos, id);
CREATE INDEX krt_measurements_name ON krt_measurements (runtime, name, date);
CREATE FUNCTION krt_visit(doc jsonb, path text[]) RETURNS TABLE (value jsonb, found boolean)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
	element jsonb;
BEGIN
	IF cardinality(path) = 0 THEN
		RETURN QUERY SELECT doc, true;
	ELSIF jsonb_typeof(doc) = 'object' AND jsonb_exists(doc, path[1]) THEN
		RETURN QUERY SELECT v.value, v.found FROM krt_visit(doc -> path[1], path[2:]) v;
	ELSIF jsonb_typeof(doc) = 'array' THEN
		IF path[1] ~ '^(0|[1-9][0-9]{0,8})$' AND path[1]::int < jsonb_array_length(doc) THEN
			RETURN QUERY SELECT v.value, v.found FROM krt_visit(doc -> path[1]::int, path[2:]) v;
		END IF;
		FOR element IN SELECT e.value FROM jsonb_array_elements(doc) e WHERE jsonb_typeof(e.value) = 'object' LOOP
			RETURN QUERY SELECT v.value, v.found FROM krt_visit(element, path) v;
		END LOOP;
	ELSE
		RETURN QUERY SELECT NULL::jsonb, false;
	END IF;
END $$;
`, rangeFunctions, "ALTER TABLE krt_predictions ADD COLUMN mirror boolean NOT NULL DEFAULT false;", lettersKept}
}

// rangeFunctions are what administrators make indexes of: a field that is one text, cut and
// with a character before it, or one number. Of a field that is neither they have a value that
// no range has, and NULL where an array is on the path or at its end: a range decides nothing
// there. They cost more than conditions on documents, so that these are evaluated first.
const rangeFunctions = `
CREATE FUNCTION krt_text(doc jsonb, path text[]) RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 1000 AS $$
DECLARE
	value jsonb := doc;
	key text;
BEGIN
	FOREACH key IN ARRAY path LOOP
		IF jsonb_typeof(value) = 'array' THEN RETURN NULL; END IF;
		value := value -> key;
		IF value IS NULL THEN RETURN ''; END IF;
	END LOOP;
	RETURN CASE jsonb_typeof(value) WHEN 'array' THEN NULL WHEN 'string' THEN '=' || left(value #>> '{}', 500) ELSE '' END;
END $$;
CREATE FUNCTION krt_number(doc jsonb, path text[]) RETURNS numeric LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 1000 AS $$
DECLARE
	value jsonb := doc;
	key text;
BEGIN
	FOREACH key IN ARRAY path LOOP
		IF jsonb_typeof(value) = 'array' THEN RETURN NULL; END IF;
		value := value -> key;
		IF value IS NULL THEN RETURN 'NaN'; END IF;
	END LOOP;
	IF jsonb_typeof(value) <> 'number' THEN
		RETURN CASE jsonb_typeof(value) WHEN 'array' THEN NULL ELSE 'NaN'::numeric END;
	END IF;
	RETURN CASE WHEN length(value #>> '{}') <= 1000 THEN value::numeric END;
END $$;
`

// migrationLock is the key of the lock that lets one store at a time change the tables.
const migrationLock = 0x6b7274

// migrate makes the tables, or brings them up to date, all or nothing.
func migrate(ctx context.Context, c *pgx.Conn) error {
	return pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", migrationLock); err != nil {
			return err
		}
		version, err := schemaVersion(ctx, tx)
		if err != nil {
			return err
		}
		steps := migrations()
		if version > len(steps) {
			return fmt.Errorf("its tables were made by a newer kn-krt (schema %d, this one supports %d): use that version, or another database",
				version, len(steps))
		}
		if version == len(steps) {
			return nil
		}
		for ; version < len(steps); version++ {
			if _, err := tx.Exec(ctx, steps[version]); err != nil {
				return fmt.Errorf("schema %d: %w", version+1, err)
			}
		}
		_, err = tx.Exec(ctx, "UPDATE krt_schema SET version = $1", version)
		return err
	})
}

// schemaVersion returns the version of the tables; 0 if there are none.
func schemaVersion(ctx context.Context, tx pgx.Tx) (version int, err error) {
	var there bool
	if err := tx.QueryRow(ctx, "SELECT to_regclass('krt_schema') IS NOT NULL").Scan(&there); err != nil {
		return 0, err
	}
	if !there {
		if _, err := tx.Exec(ctx, "CREATE TABLE krt_schema AS SELECT 0 AS version"); err != nil {
			return 0, err
		}
	}
	err = tx.QueryRow(ctx, "SELECT version FROM krt_schema").Scan(&version)
	return version, err
}
