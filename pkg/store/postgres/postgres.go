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
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"krt.dev/kn-krt/pkg/store"
)

// connectPatience bounds how long a connection may take to open.
const connectPatience = 5 * time.Second

// preparePatience bounds how long the tables may take to be made, or another store that makes
// them.
const preparePatience = time.Minute

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

	decoded *store.Decoding
	groups  *groups

	preparing sync.Mutex
	prepared  bool // the tables are up to date
}

// Open returns a store in the database of a URL, postgres://user:password@host:port/database
// with the parameters of libpq. Its first connection makes the tables in the first schema of
// the search path. A database that does not respond yet, or refuses, is logged: requests fail
// until it responds, and [Store.Ping] reports why. Open fails when the tables are of a newer
// kn-krt. Errors name the server, never the password.
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
		logger: cmp.Or(o.Logger, slog.Default()), decoded: store.NewDecoding(),
	}
	s.groups = &groups{write: s.saveGroup}
	config.AfterConnect = s.prepare
	if s.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, s.failure(err)
	}
	if err := store.Reach(ctx, s.Ping, s.logger); err != nil {
		s.pool.Close()
		return nil, err
	}
	return s, nil
}

// prepare makes the tables by the first connection. Those that open meanwhile wait for it, so
// that no request is sent before.
func (s *Store) prepare(ctx context.Context, c *pgx.Conn) error {
	s.preparing.Lock()
	defer s.preparing.Unlock()
	if s.prepared {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, preparePatience)
	defer cancel()
	err := migrate(ctx, c)
	s.prepared = err == nil
	return err
}

// Ping reports why the database cannot be used; nil if it can.
func (s *Store) Ping(ctx context.Context) error { return s.failure(s.pool.Ping(ctx)) }

// Close closes the connections, when the requests in flight have ended.
func (s *Store) Close() error {
	s.pool.Close()
	return nil
}
