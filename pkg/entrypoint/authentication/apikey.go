package authentication

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
)

// maxAPIKeys bounds the keys of a folder.
const maxAPIKeys = 10_000

// digest is what is kept of a key.
type digest [sha256.Size]byte

// keyFolder are the API keys in a folder. The keys themselves are not kept, and what is kept of
// them depends on a random salt: how long a search takes says nothing about a key.
type keyFolder struct {
	path  string
	log   *slog.Logger
	salt  [sha256.Size]byte
	names atomic.Pointer[map[digest]string]
	state string // of the folder, when it was read; of the goroutine that looks
	bad   string // the last error that was logged
}

// newKeyFolder reads a folder. It is an error if that cannot be read.
func newKeyFolder(path string, log *slog.Logger) (*keyFolder, error) {
	f := &keyFolder{path: path, log: log}
	_, _ = rand.Read(f.salt[:]) // never fails (crypto/rand)
	f.state = f.current()
	return f, f.read()
}

// current changes when the folder does. A volume of Kubernetes replaces the link ..data at once
// with all files; of another folder, the files' sizes and times are compared.
func (f *keyFolder) current() string {
	if target, err := os.Readlink(filepath.Join(f.path, "..data")); err == nil {
		return target
	}
	entries, err := os.ReadDir(f.path)
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, entry := range entries[:min(len(entries), maxAPIKeys+1)] {
		if info, err := entry.Info(); err == nil {
			fmt.Fprintln(&b, entry.Name(), info.Size(), info.ModTime().UnixNano())
		}
	}
	return b.String()
}

// look reads the folder again if it has changed. If that fails, the last keys stay, and it is
// tried again.
func (f *keyFolder) look() {
	state := f.current()
	if state == f.state {
		return
	}
	err := f.read()
	switch {
	case err == nil:
		f.state, f.bad = state, ""
		f.log.Info("read the API keys again", "keys", len(*f.names.Load()))
	case err.Error() != f.bad:
		f.bad = err.Error()
		f.log.Warn("cannot read the API keys; the last ones stay in force", "error", err)
	}
}

func (f *keyFolder) read() error {
	entries, err := os.ReadDir(f.path)
	if err != nil {
		return fmt.Errorf("cannot read the API keys: %w", err)
	}
	if len(entries) > maxAPIKeys {
		return fmt.Errorf("cannot read the API keys: there are %d, the limit is %d", len(entries), maxAPIKeys)
	}
	names := make(map[digest]string, len(entries))
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasPrefix(name, "..") { // of the volume, not of the Secret
			continue
		}
		key, err := readKey(filepath.Join(f.path, name))
		if err != nil {
			return fmt.Errorf("cannot read the API key %q: %w", name, err)
		}
		if len(key) < MinKeyBytes || len(key) > MaxKeyBytes {
			f.log.Warn("an API key is left out, because of its length", "name", name, "least", MinKeyBytes, "most", MaxKeyBytes)
			continue
		}
		names[f.digest(key)] = name
	}
	f.names.Store(&names)
	return nil
}

// readKey reads the key of a file, without a line break at its end.
func readKey(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, MaxKeyBytes+3))
	return strings.TrimRight(string(text), "\r\n"), err
}

func (f *keyFolder) digest(key string) digest {
	h := sha256.New()
	h.Write(f.salt[:])
	h.Write([]byte(key))
	return digest(h.Sum(nil))
}

// find returns the name of a key.
func (f *keyFolder) find(key string) (name string, ok bool) {
	if len(key) < MinKeyBytes || len(key) > MaxKeyBytes {
		return "", false
	}
	name, ok = (*f.names.Load())[f.digest(key)]
	return name, ok
}
