package server

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	nats "github.com/nats-io/nats-server/v2/server"

	"krt.dev/kn-krt/pkg/credential"
	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/pkg/runner/clip"
)

// authTime is how long a client may take to show its credential, in seconds: until then, one without
// any keeps a connection from others.
const authTime = 5

// maxStreams is how many streams a version may have: its own, and none besides.
const maxStreams = 1

// maxName bounds what a client that is refused calls itself, as it is logged, in bytes.
const maxName = 130

// access decides who may connect. Each version has an account of NATS of its own, named as its
// stream: nothing in one account can be seen or reached from another.
type access struct {
	keys   *credential.Keyring
	log    *slog.Logger
	server *nats.Server

	// open serialises how accounts are made.
	open sync.Mutex
}

func newAccess(folder string, log *slog.Logger) (*access, error) {
	keys, err := credential.OpenKeyring(folder, log)
	if err != nil {
		return nil, fmt.Errorf("cannot read the keys of credentials: %w", err)
	}
	return &access{keys: keys, log: log}, nil
}

func (a *access) holder(text string) (credential.Holder, error) {
	h, err := a.keys.Check(text)
	if err == nil && h.Role != credential.Queue {
		return h, fmt.Errorf("the credential of the version is one for the store: %w", credential.ErrInvalid)
	}
	return h, err
}

// Check reports whether a client may connect, and gives it what is its version's. It implements
// the server's interface for authentication.
func (a *access) Check(c nats.ClientAuthentication) bool {
	h, err := a.holder(c.GetOpts().Token)
	if err != nil {
		name := clip.Text(c.GetOpts().Name, maxName) // as it calls itself
		a.log.Warn("a client is refused", "address", fmt.Sprint(c.RemoteAddress()), "client", name, "error", err)
		return false
	}
	account, err := a.account(queue.Stream(h.Namespace, h.Version))
	if err != nil {
		a.log.Error("cannot open what a version has", "namespace", h.Namespace, "version", h.Version, "error", err)
		return false
	}
	c.RegisterUser(&nats.User{Username: h.Namespace + "/" + h.Version, Account: account})
	return true
}

// account returns the account with a name, with what it has kept.
func (a *access) account(name string) (*nats.Account, error) {
	a.open.Lock()
	defer a.open.Unlock()
	account, _ := a.server.LookupOrRegisterAccount(name)
	if account.JetStreamEnabled() {
		return account, nil
	}
	limits := map[string]nats.JetStreamAccountLimits{"": {
		MaxMemory: 0, MaxStore: -1, MaxStreams: maxStreams, MaxConsumers: -1, MaxAckPending: -1, MaxBytesRequired: true,
	}}
	return account, account.EnableJetStream(limits, nil)
}

// recover reads what all versions have kept. Clients connect only then.
func (a *access) recover(folder string) error {
	kept, err := os.ReadDir(filepath.Join(folder, nats.JetStreamStoreDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot read what the queue has kept: %w", err)
	}
	for _, entry := range kept {
		if _, _, ours := queue.ParseStream(entry.Name()); !ours || !entry.IsDir() {
			continue
		}
		if _, err := a.account(entry.Name()); err != nil {
			return fmt.Errorf("cannot read what the queue has kept in %q: %w", entry.Name(), err)
		}
	}
	return nil
}
