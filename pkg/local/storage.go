package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"krt.dev/kn-krt/pkg/store"
)

// storage serves the store of a run on a Unix socket, which only this user's
// processes can reach.
type storage struct {
	store  *store.Store
	server *http.Server
	served chan error
}

// Limits of the store's server. A body is read whole before the store acts, and
// nodes keep connections between requests.
const (
	storeReadTimeout = 30 * time.Second
	storeIdleTimeout = 5 * time.Minute
	storeMaxHeader   = 16 << 10
)

// openStorage opens the store below s and serves it on the state's socket.
func openStorage(s *state) (*storage, error) {
	db, err := store.Open(s.path("store.db"), store.Options{})
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("unix", s.socket)
	if err == nil {
		err = os.Chmod(s.socket, 0o600)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot serve the store: %w", err), db.Close())
	}
	o := &storage{
		store: db,
		server: &http.Server{
			Handler:           db.Handler(),
			ReadHeaderTimeout: storeReadTimeout,
			ReadTimeout:       storeReadTimeout,
			IdleTimeout:       storeIdleTimeout,
			MaxHeaderBytes:    storeMaxHeader,
		},
		served: make(chan error, 1),
	}
	go func() { o.served <- o.server.Serve(listener) }()
	return o, nil
}

// close ends the server and the store. Nobody asks any more: the nodes are gone.
func (o *storage) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := o.server.Shutdown(ctx); err != nil {
		_ = o.server.Close()
	}
	err := <-o.served
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, o.store.Close())
}
