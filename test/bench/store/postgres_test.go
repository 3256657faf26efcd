package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/store"
	"krt.dev/kn-krt/test/store/server"
)

// bareServer is the bare client of PostgreSQL, with as many connections as the store has.
type bareServer struct{ *pgxpool.Pool }

func newBareServer(b *testing.B, s *server.Server) *bareServer {
	b.Helper()
	config, err := pgxpool.ParseConfig(s.URL)
	require.NoError(b, err)
	config.MaxConns = clients
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	require.NoError(b, err)
	b.Cleanup(pool.Close)
	c := &bareServer{pool}
	c.exec(b, "CREATE TABLE documents (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, doc jsonb NOT NULL)")
	return c
}

func (c *bareServer) exec(b *testing.B, statement string) {
	b.Helper()
	_, err := c.Exec(context.Background(), statement)
	require.NoError(b, err)
}

func (c *bareServer) insert(ctx context.Context, document store.Document) error {
	text, err := json.Marshal(document)
	if err != nil {
		return err
	}
	_, err = c.Exec(ctx, "INSERT INTO documents (doc) VALUES ($1)", text)
	return err
}

func (c *bareServer) fillDocuments(b *testing.B, n int) {
	b.Helper()
	some := fmt.Sprintf(`SELECT jsonb_build_object('_id', lpad(to_hex(n), 24, '0'), 'host', 'host-' || (n %% %d), 'beds', n %% 7,
	'price', n / 8.0, 'text', repeat('x', 100)) AS doc FROM generate_series(0, %d) n`, hosts(n), n-1)
	c.exec(b, "INSERT INTO documents (doc) "+some)
	c.exec(b, "CREATE INDEX documents_host ON documents ((doc ->> 'host'))")
	c.exec(b, fmt.Sprintf(`INSERT INTO krt_documents (runtime, coll, doc, version, node, workflow)
SELECT '%s', '%s', doc, '', '', '' FROM (%s) d`, store.LocalRuntime, coll, some))
	c.exec(b, "VACUUM ANALYZE documents")
	c.exec(b, "VACUUM ANALYZE krt_documents")
}

func (c *bareServer) find(b *testing.B, host string) (found []map[string]any) {
	b.Helper()
	rows, err := c.Query(context.Background(), "SELECT id, doc FROM documents WHERE doc ->> 'host' = $1 ORDER BY id", host)
	require.NoError(b, err)
	defer rows.Close()
	for rows.Next() {
		var id int64
		var text []byte
		var one map[string]any
		require.NoError(b, rows.Scan(&id, &text))
		require.NoError(b, json.Unmarshal(text, &one))
		found = append(found, one)
	}
	require.NoError(b, rows.Err())
	return found
}

func (c *bareServer) fillPredictions(b *testing.B) {
	b.Helper()
	values := fmt.Sprintf("SELECT 'label-' || (n %% 7), 'label-' || (n %% 11 %% 7) FROM generate_series(0, %d) n", *predictions-1)
	c.exec(b, fmt.Sprintf(`
INSERT INTO krt_predictions (predicted_value, true_value, date, runtime, nanos, extra, error, version, node, workflow)
SELECT 'label-' || (n %% 7), 'label-' || (n %% 11 %% 7), to_timestamp(1767225600 + n), '%s', 0, 'null', '', 'v', 'model', 'flow'
FROM generate_series(0, %d) n`, store.LocalRuntime, *predictions-1))
	c.exec(b, "CREATE TABLE predictions (predicted text, actual text)")
	c.exec(b, "INSERT INTO predictions "+values)
	c.exec(b, "VACUUM ANALYZE krt_predictions")
	c.exec(b, "VACUUM ANALYZE predictions")
}

func (c *bareServer) pairs(b *testing.B) (n int) {
	b.Helper()
	require.NoError(b, c.QueryRow(context.Background(), countPairs).Scan(&n))
	return n
}
