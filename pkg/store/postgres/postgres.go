// Package postgres keeps measurements, predictions and documents in PostgreSQL 15 or newer.
// Documents are jsonb, and queries become conditions on it that use its index.
package postgres

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// connectPatience bounds how long a connection may take to open.
const connectPatience = 5 * time.Second

// Options are those of a store. Zero fields mean the defaults.
type Options struct {
	// Connections is how many connections are open at most. Default: 16.
	Connections int
	// Logger logs that a request is tried again. Default: slog.Default().
	Logger *slog.Logger
}

// Store keeps all in one database. It is safe for concurrent use, also with other stores
// in the same database.
type Store struct {
	name   string // host:port/database, for errors
	pool   *pgxpool.Pool
	logger *slog.Logger
}

// Open connects to the database of a URL, postgres://user:password@host:port/database with
// the parameters of libpq, and makes its tables in the first schema of the search path. It
// fails when the database does not respond, or has tables of a newer kn-krt. Errors name the
// server, never the password.
func Open(ctx context.Context, rawURL string, o Options) (*Store, error) {
	config, err := pgxpool.ParseConfig(rawURL)
	if err != nil {
		return nil, fmt.Errorf("the URL of the database is not of the form postgres://user:password@host:port/database")
	}
	config.MaxConns = int32(cmp.Or(o.Connections, 16))
	config.ConnConfig.ConnectTimeout = cmp.Or(config.ConnConfig.ConnectTimeout, connectPatience)
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = "kn-krt"
	}
	c := config.ConnConfig
	s := &Store{
		name:   fmt.Sprintf("PostgreSQL at %s/%s", net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))), c.Database),
		logger: cmp.Or(o.Logger, slog.Default()),
	}
	if s.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, s.failure(err)
	}
	if err := s.retry(ctx, func(bool) error { return s.migrate(ctx) }); err != nil {
		s.pool.Close()
		return nil, err
	}
	return s, nil
}

// Ping reports why the database cannot be used; nil if it can.
func (s *Store) Ping(ctx context.Context) error { return s.failure(s.pool.Ping(ctx)) }

// Close closes the connections, when the requests in flight have ended.
func (s *Store) Close() error {
	s.pool.Close()
	return nil
}
