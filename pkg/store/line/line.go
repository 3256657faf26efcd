// Package line sends measurements to a database that takes InfluxDB's line protocol by
// POST /write: InfluxDB 1.x, 2 and 3, VictoriaMetrics and others. They are buffered in
// memory, and in files while the database takes none.
package line

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/store"
)

// maxDatabases limits the databases that are known at a time, one for each runtime: each has a writer. For one more,
// the one that was used the longest ago is forgotten, of those for which nothing waits.
const maxDatabases = 1000

// tagRuntime is the tag that keeps runtimes apart in one database.
const tagRuntime = "runtime"

// Options limit a sink. Zero fields mean the defaults.
type Options struct {
	// Folder is where measurements are kept while there are too many for memory, and
	// when the sink is closed. Without one they are dropped.
	Folder string
	// MaxMemory and MaxDisk limit what is kept for each database, in bytes; the oldest measurements above
	// them are dropped. Default: 16 MiB and 256 MiB.
	MaxMemory int
	MaxDisk   int64
	// TotalMemory and TotalDisk limit that of all databases together, in the same way: the one
	// that takes more drops its own. Default: 64 MiB and 1 GiB.
	TotalMemory, TotalDisk int64
	// Logger logs what cannot be written. Default: slog.Default().
	Logger *slog.Logger

	databases int
	total     *totals
}

// totals are the bytes of all databases that wait.
type totals struct{ memory, disk atomic.Int64 }

// Sink is a store.MeasurementSink for the line protocol.
type Sink struct {
	server  *remote
	options Options

	mu        sync.Mutex
	writers   map[string]*writer
	forgotten Counts // of databases that are not known any more
	closed    bool
}

// Counts are the measurements of a sink since it was opened, and those that wait.
type Counts struct {
	// Accepted is how many were saved, Written how many of them the database has taken,
	// and Dropped how many it has refused or there was no room for.
	Accepted, Written, Dropped uint64
	// Memory and Disk are the bytes of those that wait.
	Memory, Disk int64
}

// Open returns a sink for a URL of the form
//
//	influx+http://user:password@host:port/path?db=name&rp=policy
//
// or influx+https. Without a database each runtime has its own, of its name, which is made
// if it is missing; in one for all the tag "runtime" keeps them apart. A password without a
// user is a token. Nothing is sent yet but what an earlier sink has left in the folder.
func Open(rawURL string, o Options) (*Sink, error) {
	server, err := parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("measurements: %w", err)
	}
	o.MaxMemory = cmp.Or(o.MaxMemory, 16<<20)
	o.MaxDisk = cmp.Or(o.MaxDisk, 256<<20)
	o.TotalMemory, o.TotalDisk = cmp.Or(o.TotalMemory, 64<<20), cmp.Or(o.TotalDisk, 1<<30)
	o.databases = cmp.Or(o.databases, maxDatabases)
	o.total = &totals{}
	o.Logger = cmp.Or(o.Logger, slog.Default())
	s := &Sink{server: server, options: o, writers: map[string]*writer{}}
	if o.Folder == "" {
		return s, nil
	}
	left, err := spools(o.Folder)
	for _, name := range left {
		if database, decodeErr := url.PathUnescape(name); decodeErr == nil && err == nil {
			_, err = s.begin(database)
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("measurements cannot be kept in %q: %w", o.Folder, err), s.Close(expired()))
	}
	return s, nil
}

// expired returns a context that is done.
func expired() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// SaveMeasurements accepts measurements, all or none; they are written within about a
// second, or when the database takes them. It waits for nothing. It refuses a field whose
// type differs from that in the database once the database has reported one such.
func (s *Sink) SaveMeasurements(_ context.Context, runtime string, measurements []wire.Measurement) error {
	database := s.server.database
	if database == "" {
		database = runtime
	} else {
		for i := range measurements {
			measurements[i].Tags = withRuntime(measurements[i].Tags, runtime)
		}
	}
	w, err := s.enter(database)
	if err != nil {
		return fmt.Errorf("measurements cannot be sent to %s: %w", s.server.name, err)
	}
	defer s.leave(w)
	if err := w.add(measurements); err != nil {
		return store.Refuse("%v", err)
	}
	return nil
}

func withRuntime(tags map[string]string, runtime string) map[string]string {
	with := map[string]string{}
	for key, value := range tags {
		with[key] = value
	}
	with[tagRuntime] = runtime
	return with
}

// enter returns the writer of a database, which is not forgotten until leave is called.
func (s *Sink) enter(database string) (*writer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.writers[database]
	if w == nil {
		var err error
		if w, err = s.begin(database); err != nil {
			return nil, err
		}
	}
	w.users++
	return w, nil
}

func (s *Sink) leave(w *writer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.users--
	w.used = time.Now()
}

// begin makes the writer of a database that is not known. s is locked.
func (s *Sink) begin(database string) (*writer, error) {
	if s.closed {
		return nil, errors.New("the store ends")
	}
	if len(s.writers) >= s.options.databases {
		if err := s.makeRoom(); err != nil {
			return nil, err
		}
	}
	var files *spool
	var left []*batch
	if s.options.Folder != "" {
		var err error
		if files, left, err = openSpool(filepath.Join(s.options.Folder, url.PathEscape(database))); err != nil {
			return nil, err
		}
	}
	w := newWriter(s.server, database, files, left, s.options)
	s.writers[database] = w
	return w, nil
}

// makeRoom forgets a database. s is locked: nobody may begin to use the database again, and its folder, before its
// writer has ended. That one has nothing to send, so it ends at once.
func (s *Sink) makeRoom() error {
	var oldest *writer
	for _, w := range s.writers {
		if (oldest == nil || w.used.Before(oldest.used)) && w.idle() {
			oldest = w
		}
	}
	if oldest == nil {
		return fmt.Errorf("measurements for %d other databases wait to be written", len(s.writers))
	}
	delete(s.writers, oldest.database)
	err := oldest.close(expired())
	s.forgotten.add(oldest)
	return err
}

// Counts returns the counts of all databases.
func (s *Sink) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	total := s.forgotten
	for _, w := range s.writers {
		total.add(w)
	}
	return total
}

func (c *Counts) add(w *writer) {
	c.Accepted += w.counts.accepted.Load()
	c.Written += w.counts.written.Load()
	c.Dropped += w.counts.dropped.Load()
	memory, disk := w.queue.size()
	c.Memory += memory
	c.Disk += disk
}

// Err returns why the newest request failed, of each database for which it did; nil when
// the database takes measurements.
func (s *Sink) Err() error {
	var failures []error
	for _, w := range s.all() {
		failures = append(failures, w.failure())
	}
	return errors.Join(failures...)
}

func (s *Sink) all() []*writer {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*writer
	for _, w := range s.writers {
		all = append(all, w)
	}
	return all
}

// Close writes what was accepted, until ctx is done, and keeps the rest in the folder.
func (s *Sink) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	var failures []error
	for _, w := range s.all() {
		failures = append(failures, w.close(ctx))
	}
	s.server.http.CloseIdleConnections()
	return errors.Join(failures...)
}
