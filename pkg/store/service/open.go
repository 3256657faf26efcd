package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
	"sync"

	"krt.dev/kn-krt/pkg/store"
	"krt.dev/kn-krt/pkg/store/line"
	"krt.dev/kn-krt/pkg/store/mongo"
	"krt.dev/kn-krt/pkg/store/postgres"
	"krt.dev/kn-krt/pkg/store/sqlite"
)

// pinger is a backend that can report whether it can be used.
type pinger interface {
	Ping(ctx context.Context) error
}

// opened are the backends of a configuration.
type opened struct {
	store.Backends

	sinks map[string]string // the scheme of what keeps each kind
	keeps map[string]any    // its backend
	all   []database
}

// database is one backend, whichever kinds it keeps.
type database struct {
	name    string // the scheme of its URL
	backend any
	close   func(context.Context) error // what waits to be written is kept, or written until ctx ends
}

// open opens what the URLs of a configuration name, each once.
func open(ctx context.Context, c Config, log *slog.Logger) (_ *opened, err error) {
	o := &opened{sinks: map[string]string{}, keeps: map[string]any{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.close(ctx))
		}
	}()
	byURL := map[string]any{}
	get := func(text string) (any, error) {
		if backend := byURL[text]; backend != nil {
			return backend, nil
		}
		d, err := openOne(ctx, text, c, log)
		if err != nil {
			return nil, err
		}
		o.all, byURL[text] = append(o.all, d), d.backend
		return d.backend, nil
	}
	for _, kind := range []kept{
		{kindDocument, EnvDocuments, c.Documents, func(b any) (ok bool) { o.Documents, ok = b.(store.Documents); return ok }},
		{kindPrediction, EnvPredictions, c.Predictions, func(b any) (ok bool) { o.Predictions, ok = b.(store.Predictions); return ok }},
		{kindMeasurement, EnvMeasurements, c.Measurements,
			func(b any) (ok bool) { o.Measurements, ok = b.(store.MeasurementSink); return ok }},
		{kindLetter, EnvDocuments, "", func(b any) (ok bool) { o.Letters, ok = b.(store.Letters); return ok }},
	} {
		text := cmp.Or(kind.url, c.Documents)
		backend, err := get(text)
		if err == nil && !kind.set(backend) {
			if kind.url != "" {
				return nil, fmt.Errorf("%s: %s does not keep %ss", kind.env, scheme(text), kind.name)
			}
			text = DefaultURL
			if backend, err = get(text); err == nil {
				kind.set(backend)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kind.env, err)
		}
		o.sinks[kind.name], o.keeps[kind.name] = scheme(text), backend
	}
	return o, nil
}

// kept is a kind of data, and where its URL is from.
type kept struct {
	name, env, url string
	set            func(any) bool // false: it does not keep this kind
}

func scheme(text string) string {
	before, _, _ := strings.Cut(text, ":")
	return before
}

// openOne opens one backend. Its errors do not have the URL, which may have a password.
// That of a database may have several hosts, so only what has one reads it as a URL.
func openOne(ctx context.Context, text string, c Config, log *slog.Logger) (database, error) {
	if !strings.Contains(text, "://") {
		return database{}, errors.New("it is not a URL")
	}
	kind := scheme(text)
	backend, end, err := connect(ctx, kind, text, c, log)
	return database{kind, backend, end}, err
}

func connect(ctx context.Context, kind, text string, c Config, log *slog.Logger) (backend any, end func(context.Context) error, err error) {
	switch kind {
	case "sqlite":
		return opening(openFile(text, c, log))
	case "postgres", "postgresql":
		return opening(postgres.Open(ctx, text, postgres.Options{Logger: log}))
	case "mongodb", "mongodb+srv":
		return opening(mongo.Open(ctx, text, mongo.Options{Logger: log}))
	case "influx+http", "influx+https":
		sink, err := line.Open(text, line.Options{Folder: c.Spool, Logger: log})
		if err != nil {
			return nil, nil, err
		}
		return sink, sink.Close, nil
	}
	return nil, nil, fmt.Errorf("%.20q is not a kind of database that the store knows", kind)
}

// opening is a backend that closes at once, if it could be opened.
func opening[B io.Closer](b B, err error) (any, func(context.Context) error, error) {
	if err != nil {
		return nil, nil, err
	}
	return b, func(context.Context) error { return b.Close() }, nil
}

func openFile(text string, c Config, log *slog.Logger) (*sqlite.Store, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host != "" || u.Path == "" {
		return nil, errors.New("it is not of the form sqlite:///path/to/file")
	}
	return sqlite.Open(u.Path, sqlite.Options{MaxBytes: c.FileBytes, Logger: log})
}

// ping returns why data cannot be used, naming the database; nil if it can.
func (o *opened) ping(ctx context.Context) error {
	problems := make([]error, len(o.all))
	for i, err := range o.pingEach(ctx) {
		if err != nil {
			problems[i] = fmt.Errorf("%s: %w", o.all[i].name, err)
		}
	}
	return errors.Join(problems...)
}

// pingEach returns why each database cannot be used. All are asked at the same time.
func (o *opened) pingEach(ctx context.Context) []error {
	problems := make([]error, len(o.all))
	var wait sync.WaitGroup
	for i, d := range o.all {
		wait.Go(func() {
			switch b := d.backend.(type) {
			case pinger:
				problems[i] = b.Ping(ctx)
			case *line.Sink:
				problems[i] = b.Err()
			}
		})
	}
	wait.Wait()
	return problems
}

// up reports for each kind whether what keeps it can be used.
func (o *opened) up(ctx context.Context) map[string]bool {
	is := map[string]bool{}
	for i, err := range o.pingEach(ctx) {
		for kind, backend := range o.keeps {
			if backend == o.all[i].backend {
				is[kind] = err == nil
			}
		}
	}
	return is
}

func (o *opened) close(ctx context.Context) error {
	var problems []error
	for _, d := range o.all {
		problems = append(problems, d.close(ctx))
	}
	return errors.Join(problems...)
}
