package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"modernc.org/sqlite"

	"krt.dev/kn-krt/pkg/store"
)

// maxGroup limits the writes of one transaction.
const maxGroup = 256

var errClosed = errors.New("the store is closed")

// writer has the one connection that writes. Writes that wait are committed together.
type writer struct {
	options    Options
	db         *sql.DB
	conn       *sql.Conn
	statements map[string]*sql.Stmt
	jobs       chan *job
	over       chan struct{}
	once       sync.Once
	ended      chan struct{}
	removed    removed
}

// removed is what was removed to make room.
type removed struct{ measurements, predictions, results atomic.Uint64 }

// job is a write that waits.
type job struct {
	ctx  context.Context
	do   func(*writer) error
	done chan error
}

func startWriter(db *sql.DB, o Options) (*writer, error) {
	conn, err := db.Conn(context.Background())
	if err != nil {
		return nil, err
	}
	w := &writer{
		options: o, db: db, conn: conn, statements: map[string]*sql.Stmt{},
		jobs: make(chan *job, maxGroup), over: make(chan struct{}), ended: make(chan struct{}),
	}
	go w.run()
	return w, nil
}

// write runs do in a transaction, maybe with other writes. When it returns nil, that is
// committed. Do may run more than once, and after ctx has ended still.
func (w *writer) write(ctx context.Context, do func(*writer) error) error {
	j := &job{ctx, do, make(chan error, 1)}
	select {
	case <-w.over:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	default:
	}
	select {
	case w.jobs <- j:
	case <-w.over:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-j.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-w.ended:
	}
	select {
	case err := <-j.done:
		return err
	default:
		return errClosed
	}
}

func (w *writer) close() error {
	var errs []error
	w.once.Do(func() {
		close(w.over)
		<-w.ended
		for _, statement := range w.statements {
			errs = append(errs, statement.Close())
		}
		errs = append(errs, w.conn.Close(), w.db.Close())
	})
	return errors.Join(errs...)
}

func (w *writer) run() {
	defer close(w.ended)
	for {
		select {
		case <-w.over:
			return
		case j := <-w.jobs:
			w.commit(w.group(j))
		}
	}
}

// group is first and the writes that wait behind it, without those that nobody waits for.
func (w *writer) group(first *job) []*job {
	var group []*job
	for j := first; ; j = <-w.jobs {
		if j.ctx.Err() == nil {
			group = append(group, j)
		}
		if len(w.jobs) == 0 || len(group) == maxGroup {
			return group
		}
	}
}

// commit commits a group at once. If that fails, each write is on its own.
func (w *writer) commit(group []*job) {
	errs, err := w.attempt(group)
	for i, j := range group {
		switch {
		case err == nil:
			j.done <- errs[i]
		case len(group) > 1:
			w.commit([]*job{j})
		default:
			j.done <- w.alone(j, err)
		}
	}
}

// alone repeats a write that failed for as long as room can be made for it.
func (w *writer) alone(j *job, err error) error {
	for isFull(err) && w.atLimit() {
		if removeErr := w.makeRoom(); removeErr != nil {
			return w.explain(removeErr)
		}
		var errs []error
		if errs, err = w.attempt([]*job{j}); err == nil {
			return errs[0]
		}
	}
	return w.explain(err)
}

// attempt runs a group in one transaction. Err is why nothing of it was committed; errs are
// those of writes that were refused, and wrote nothing.
func (w *writer) attempt(group []*job) (errs []error, err error) {
	if _, err := w.exec("BEGIN IMMEDIATE"); err != nil {
		return nil, err
	}
	errs = make([]error, len(group))
	for i, j := range group {
		err := j.do(w)
		if errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrClaimed) {
			errs[i], err = err, nil
		}
		if err != nil {
			w.rollback()
			return nil, err
		}
	}
	if _, err := w.exec("COMMIT"); err != nil {
		w.rollback()
		return nil, err
	}
	return errs, nil
}

// rollback ends a transaction, which SQLite may have ended by itself.
func (w *writer) rollback() { _, _ = w.exec("ROLLBACK") }

// exec runs a statement. It is prepared once.
func (w *writer) exec(text string, args ...any) (sql.Result, error) {
	statement := w.statements[text]
	if statement == nil {
		var err error
		if statement, err = w.conn.PrepareContext(context.Background(), text); err != nil {
			return nil, err
		}
		w.statements[text] = statement
	}
	return statement.ExecContext(context.Background(), args...)
}

// changed runs a statement and returns how many rows it changed.
func (w *writer) changed(text string, args ...any) (int64, error) {
	result, err := w.exec(text, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// explain makes of SQLite's error one that says what is to be done.
func (w *writer) explain(err error) error {
	var failed *sqlite.Error
	if !errors.As(err, &failed) {
		return err
	}
	var explained error
	switch failed.Code() & primary {
	case codeFull:
		explained = store.Full("the disk of the store is full")
	case codeReadOnly:
		explained = store.Unavailable("the store's file is read-only")
	case codeIO:
		explained = store.Unavailable("the store's file cannot be written: its disk is full, or fails")
	case codeCorrupt, codeNotADatabase:
		explained = store.Unavailable("the store's file is damaged")
	default:
		return err
	}
	w.options.Logger.Error("the store could not write", "error", err)
	return fmt.Errorf("%w: %w", explained, err)
}
