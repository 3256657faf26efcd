package mongo

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"krt.dev/kn-krt/pkg/store"
)

// Open returns a store for a URL, mongodb://user:password@host:port/?options or
// mongodb+srv://…. A server that does not respond yet, or refuses, is logged, and so is a name
// service that does not know the hosts of mongodb+srv: requests fail until it responds, and
// [Store.Ping] reports why. Errors name the hosts, never the password.
func Open(ctx context.Context, rawURL string, o Options) (*Store, error) {
	concern := writeconcern.Majority()
	journal := true
	concern.Journal = &journal // what is acknowledged outlives the server's process
	s := &Store{logger: cmp.Or(o.Logger, slog.Default()), decoded: store.NewDecoding(), claiming: make(chan struct{}, 1)}
	s.config = func() *options.ClientOptions { // it looks up the hosts of mongodb+srv
		return options.Client().ApplyURI(rawURL).SetWriteConcern(concern).SetAppName("kn-krt").
			SetMaxPoolSize(uint64(cmp.Or(o.Connections, 64))).SetServerSelectionTimeout(selectPatience).SetConnectTimeout(selectPatience)
	}
	config := s.config()
	s.name = "MongoDB at " + strings.Join(config.Hosts, ",")
	err := config.Validate()
	var unknown *net.DNSError
	switch {
	case err == nil:
		err = s.connect(config)
	case errors.As(err, &unknown):
		if u, malformed := url.Parse(rawURL); malformed == nil {
			s.name = "MongoDB at " + u.Host
		}
		err = nil
	default:
		err = errors.New("the URL of the database is not of the form mongodb://user:password@host:port/?options")
	}
	if err != nil {
		return nil, err
	}
	err = store.Reach(ctx, func(ctx context.Context) error {
		if err := s.Ping(ctx); err != nil {
			return err
		}
		return s.learn(ctx)
	}, s.logger)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) connect(config *options.ClientOptions) error {
	client, err := mongo.Connect(config)
	if err != nil {
		return s.failure(err)
	}
	s.client.Store(client)
	return nil
}

// connected returns the client. While the hosts of mongodb+srv are unknown there is none: one
// request at a time looks them up, for which the driver has no bound.
func (s *Store) connected(ctx context.Context) (*mongo.Client, error) {
	if client := s.client.Load(); client != nil {
		return client, nil
	}
	unknown := store.Unavailable("%s: its hosts are not known: the name service does not respond", s.name)
	if !s.connecting.TryLock() {
		return nil, unknown
	}
	found := make(chan error, 1)
	go func() {
		defer s.connecting.Unlock()
		config := s.config()
		err := config.Validate()
		var lookup *net.DNSError
		switch {
		case errors.As(err, &lookup):
			err = store.Unavailable("%s: its hosts are not known: %s", s.name, lookup.Err)
		case err == nil && s.client.Load() == nil:
			err = s.connect(config)
		}
		found <- err
	}()
	select {
	case err := <-found:
		return s.client.Load(), err
	case <-ctx.Done():
		return nil, unknown
	}
}
