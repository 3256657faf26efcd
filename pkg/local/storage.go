package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"krt.dev/kn-krt/pkg/store"
	"krt.dev/kn-krt/pkg/store/sqlite"
)

// storeFile is the name of the file in which a run keeps what nodes save.
const storeFile = "store.db"

// storage serves the store of a run on a Unix socket, which only this user's
// processes can reach.
type storage struct {
	store  *sqlite.Store
	end    context.CancelFunc
	served chan error
}

// FreeSpace returns how many bytes users may still write on the volume with a folder, and whether that is
// known.
func FreeSpace(folder string) (free int64, known bool) {
	free, size := sqlite.Volume(folder)
	return free, size > 0
}

// openStorage opens the store below s and serves it on the state's socket.
func openStorage(s *state) (*storage, error) {
	db, err := sqlite.Open(s.path(storeFile), sqlite.Options{})
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
	ctx, end := context.WithCancel(context.Background())
	o := &storage{store: db, end: end, served: make(chan error, 1)}
	go func() { o.served <- store.New(store.All(db), store.Options{}).Serve(ctx, listener) }()
	return o, nil
}

// close ends the server and the store. The nodes, its clients, are gone.
func (o *storage) close() error {
	o.end()
	return errors.Join(<-o.served, o.store.Close())
}
