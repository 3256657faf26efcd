package credential

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// keysPeriod is how often the folder with the keys is read again.
const keysPeriod = 10 * time.Second

// Keyring holds the keys in a folder as they last were valid.
type Keyring struct {
	folder string
	log    *slog.Logger

	mu   sync.RWMutex
	keys Keys
}

// OpenKeyring reads the folder; see [ReadKeys] for its errors.
func OpenKeyring(folder string, log *slog.Logger) (*Keyring, error) {
	keys, err := ReadKeys(folder)
	if err != nil {
		return nil, err
	}
	return &Keyring{folder: folder, log: log, keys: keys}, nil
}

// Follow reads the folder again and again, until ctx ends.
func (k *Keyring) Follow(ctx context.Context) {
	tick := time.NewTicker(keysPeriod)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			k.Read()
		}
	}
}

// Read reads the folder again. If that fails, the former keys stay in use.
func (k *Keyring) Read() {
	keys, err := ReadKeys(k.folder)
	if err != nil {
		k.log.Error("cannot read the keys again; the former ones stay in use", "error", err)
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys = keys
}

// Check is [Keys.Check] of the keys as they are now.
func (k *Keyring) Check(text string) (Holder, error) {
	k.mu.RLock()
	keys := k.keys
	k.mu.RUnlock()
	return keys.Check(text)
}
