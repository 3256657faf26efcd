// Package mongo keeps documents and predictions in MongoDB, or in what speaks its protocol,
// as the original platform kept them: in the database "<runtime>-data", predictions in the
// collection "classificationMetrics". What the original wrote is read as it is.
package mongo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"krt.dev/kn-krt/pkg/store"
)

const (
	// suffix is that of a runtime's database, and predictions its collection of predictions,
	// as the original has them.
	suffix      = "-data"
	predictions = "classificationMetrics"
	// maxDatabase is how many bytes MongoDB allows for the name of a database.
	maxDatabase = 63
	// selectPatience bounds how long a request waits for a server that can take it.
	selectPatience = 5 * time.Second
	// learnPatience bounds how long it waits for one that has never responded.
	learnPatience = 700 * time.Millisecond
)

// Options are those of a store. Zero fields mean the defaults.
type Options struct {
	// Connections is how many connections are open at most. Default: 64.
	Connections int
	// Logger logs that a request is tried again. Default: slog.Default().
	Logger *slog.Logger
}

// Store keeps documents and predictions. It is safe for concurrent use.
type Store struct {
	name    string // with the hosts, for errors
	config  func() *options.ClientOptions
	known   atomic.Pointer[server]
	client  atomic.Pointer[mongo.Client]
	logger  *slog.Logger
	decoded *store.Decoding
	clock   atomic.Int64
	indexed sync.Map // database and collection with an index of ours

	connecting sync.Mutex
	claiming   chan struct{} // full while a claim is written; see alone
}

// server is what is known of the server; before it has responded it is nil.
type server struct {
	dialect dialect
	// sortsOnDisk is whether a find may be told to, as from MongoDB 4.4 on.
	sortsOnDisk bool
}

// Ping reports why the database cannot be used; nil if it can.
func (s *Store) Ping(ctx context.Context) error {
	client, err := s.connected(ctx)
	if err != nil {
		return err
	}
	// The names of databases are for users only; everyone may ping.
	_, err = client.ListDatabaseNames(ctx, bson.D{{Key: "name", Value: "admin"}}, options.ListDatabases().SetAuthorizedDatabases(true))
	return s.failure(err)
}

// learn asks what the server is, once. Until it knows, a request gets the cause before nodes
// stop waiting, after a second.
func (s *Store) learn(ctx context.Context) error {
	if s.known.Load() != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, learnPatience)
	defer cancel()
	client, err := s.connected(ctx)
	if err != nil {
		return err
	}
	info, err := client.Database("admin").RunCommand(ctx, bson.D{{Key: "buildInfo", Value: 1}}).Raw()
	if err != nil {
		return s.failure(err)
	}
	_, err = info.LookupErr("ferretdbVersion")
	is := &server{dialect: dialect{flat: err == nil}}
	var major, minor int
	_, err = fmt.Sscanf(text(info, "version"), "%d.%d", &major, &minor)
	is.sortsOnDisk = err == nil && (major > 4 || major == 4 && minor >= 4)
	s.known.Store(is)
	return nil
}

// Close closes the connections.
func (s *Store) Close() error {
	if client := s.client.Load(); client != nil {
		return client.Disconnect(context.Background())
	}
	return nil
}

// collection returns a collection of a runtime on a server that is known. A namespace may have
// a name that is too long for a database.
func (s *Store) collection(ctx context.Context, runtime, name string) (*mongo.Collection, error) {
	database := runtime + suffix
	if runtime == "" || len(database) > maxDatabase {
		return nil, store.Refuse("namespace %q: MongoDB allows 1 to %d bytes for the name of one", runtime, maxDatabase-len(suffix))
	}
	if strings.ContainsAny(name, "$") || strings.HasPrefix(name, "system.") || strings.HasPrefix(name, ".") {
		return nil, store.Refuse(`collection %q: MongoDB allows no "$" in a name, and no "." and "system." at its beginning`, name)
	}
	if err := s.learn(ctx); err != nil {
		return nil, err
	}
	return s.client.Load().Database(database).Collection(name), nil
}

// index makes an index of a collection, once.
func (s *Store) index(ctx context.Context, c *mongo.Collection, keys bson.D) error {
	name := indexName(c, keys)
	if _, ok := s.indexed.Load(name); ok {
		return nil
	}
	if _, err := c.Indexes().CreateOne(ctx, mongo.IndexModel{Keys: keys}); err != nil {
		return err
	}
	s.indexed.Store(name, true)
	return nil
}

// indexName is the name under which an index of a collection is known to be there.
func indexName(c *mongo.Collection, keys bson.D) string {
	name := c.Database().Name() + "/" + c.Name()
	for _, key := range keys {
		name += " " + key.Key
	}
	return name
}

// savedIn reports whether the store has saved documents in a collection: it has the index that
// SaveDocument makes.
func savedIn(ctx context.Context, c *mongo.Collection) (bool, error) {
	indexes, err := c.Indexes().ListSpecifications(ctx)
	return slices.ContainsFunc(indexes, func(index mongo.IndexSpecification) bool {
		_, err := index.KeysDocument.LookupErr(keyAt)
		return err == nil
	}), err
}

// runtimes returns the runtimes that have a database: the given one, or all.
func (s *Store) runtimes(ctx context.Context, runtime string) ([]string, error) {
	if runtime != "" {
		return []string{runtime}, nil
	}
	client, err := s.connected(ctx)
	if err != nil {
		return nil, err
	}
	names, err := client.ListDatabaseNames(ctx, bson.D{})
	if err != nil {
		return nil, s.failure(err)
	}
	var runtimes []string
	for _, name := range names {
		if runtime, ok := strings.CutSuffix(name, suffix); ok && runtime != "" {
			runtimes = append(runtimes, runtime)
		}
	}
	slices.Sort(runtimes)
	return runtimes, nil
}

// all calls do for the runtimes that have a database: the given one, or all.
func (s *Store) all(ctx context.Context, runtime string, do func(runtime string) error) error {
	runtimes, err := s.runtimes(ctx, runtime)
	if err != nil {
		return err
	}
	return s.tryAll(ctx, runtimes, do)
}

// tryAll calls do for all names. What fails for one does not keep it from the others, unless the server cannot be used.
func (s *Store) tryAll(ctx context.Context, names []string, do func(name string) error) error {
	return tryAll(names, do, func() bool { return ctx.Err() == nil && s.Ping(ctx) == nil })
}

func tryAll(names []string, do func(name string) error, goesOn func() bool) error {
	var failed []error
	for _, name := range names {
		err := do(name)
		if err == nil {
			continue
		}
		failed = append(failed, err)
		if !goesOn() {
			break
		}
	}
	if len(failed) == 1 {
		return failed[0]
	}
	return errors.Join(failed...)
}

// now is the time in nanoseconds, later than at every call before.
func (s *Store) now() int64 {
	for {
		last := s.clock.Load()
		now := max(time.Now().UnixNano(), last+1)
		if s.clock.CompareAndSwap(last, now) {
			return now
		}
	}
}

// MongoDB's codes of errors that mean something for the client.
const (
	codeUnauthorized = 13
	codeAuthenticate = 18
	codeDiskFull     = 14031
	codeTooLarge     = 10334
	codeReadOnly     = 20
)

// failure is err as the client should see it, with the name of the database.
func (s *Store) failure(err error) error {
	var p *store.Problem
	var server mongo.ServerError
	switch {
	case err == nil || errors.As(err, &p) || errors.Is(err, store.ErrExists) || errors.Is(err, context.Canceled):
		return err
	case mongo.IsNetworkError(err) || unselected(err):
		return store.Unavailable("%s does not respond: %s", s.name, cause(err))
	case strings.Contains(err.Error(), "auth error"): // the driver has no other name for it
		return s.refuses(err)
	case errors.As(err, &server):
		return s.ofServer(server)
	}
	return fmt.Errorf("%s: %w", s.name, err)
}

func (s *Store) refuses(err error) error {
	return store.Unavailable("%s refuses the user, the password or what they may do: %s", s.name, cause(err))
}

func (s *Store) ofServer(err mongo.ServerError) error {
	switch {
	case err.HasErrorCode(codeUnauthorized) || err.HasErrorCode(codeAuthenticate):
		return s.refuses(err)
	case err.HasErrorCode(codeDiskFull):
		return store.Full("%s has no space left on its disk", s.name)
	case err.HasErrorCode(codeTooLarge):
		return store.Refuse("a document is larger than MongoDB keeps: 16 MiB")
	case err.HasErrorCode(codeReadOnly) || err.HasErrorLabel("RetryableWriteError"):
		return store.Unavailable("%s does not accept writes: %s", s.name, cause(err))
	}
	return fmt.Errorf("%s: %w", s.name, err)
}

// unselected reports whether there was no server for a request in time.
func unselected(err error) bool {
	return strings.Contains(err.Error(), "server selection error") || strings.Contains(err.Error(), "server selection timeout")
}

// cause is the last part of a text of the driver, which begins with what it knows of the
// servers.
func cause(err error) string {
	text := err.Error()
	if i := strings.LastIndex(text, "Last error: "); i >= 0 {
		text, _, _ = strings.Cut(text[i+len("Last error: "):], " }")
	}
	return text
}

// attempts of a request whose connection is lost.
const attempts = 3

// retry calls try until it succeeds, fails for good, or ctx is done. The driver waits
// for a server on its own.
func (s *Store) retry(ctx context.Context, try func(again bool) error) error {
	for n := 1; ; n++ {
		err := try(n > 1)
		if err == nil || !mongo.IsNetworkError(err) || unselected(err) || n == attempts || ctx.Err() != nil {
			return s.failure(err)
		}
		s.logger.Warn("a request to the database is tried again", "database", s.name, "error", cause(err))
	}
}
