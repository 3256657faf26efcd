package local

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"krt.dev/kn-krt/pkg/krt/archive"
	"krt.dev/kn-krt/pkg/local/running"
)

// state is the folder of a run's files. Bundles are never
// written to.
//
//	.gitignore marks the folder as a run's, and keeps it out of git and of bundles
//	lock       held by the run that uses the folder
//	store.db   measurements, predictions and documents; stays between runs
//	bin/       Go nodes, so that the next build finds them up to date
//	sdk/       the Go SDK's source, for builds
//	run/       of this run alone: config files, unpacked bundle, socket, where it can be reached
type state struct {
	dir    string
	lock   *os.File
	socket string // the store's
	// outside is a folder made for the socket where dir is too long for one.
	outside string
}

// ErrRunning is returned for a version that is already running: a state folder belongs to
// one run at a time.
var ErrRunning = errors.New("the version is already running")

// StateDirError reports that a folder cannot be used as state folder, because it contains files that
// no run has made.
type StateDirError struct{ Dir string }

func (e *StateDirError) Error() string {
	return fmt.Sprintf("the state folder %q contains other files: a run needs an empty folder, or that of an earlier run", e.Dir)
}

// maxSocketPath is what fits in sockaddr_un on every system, less the zero byte.
const maxSocketPath = 103

// DefaultStateDir returns the state folder of the bundle at path: below
// $XDG_STATE_HOME, else ~/.local/state, named after the bundle's folder and its
// absolute path.
func DefaultStateDir(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("cannot name the state folder: %w", err)
	}
	root, err := running.Root()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(path))
	return filepath.Join(root, filepath.Base(path)+"-"+hex.EncodeToString(sum[:4])), nil
}

// openState makes the folder, takes its lock and clears what a killed run left. It
// touches nothing in a folder that a person has named and that is neither empty nor
// marked; own says that the folder was named by DefaultStateDir.
func openState(dir string, own bool) (*state, error) {
	dir, err := filepath.Abs(dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		err = claim(dir, own)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot make the state folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the state folder: %w", err)
	}
	s := &state{dir: dir, lock: f, socket: filepath.Join(dir, "run", "store.sock")}
	if !lock(f) {
		_ = f.Close()
		return nil, fmt.Errorf("%w: another run uses the state folder %q", ErrRunning, dir)
	}
	if err := s.clear(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// claim marks the folder as a run's.
func claim(dir string, own bool) error {
	mark := filepath.Join(dir, ".gitignore")
	text, err := os.ReadFile(mark)
	if err == nil && string(text) == archive.StateMark {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(entries) > 0 && !own && !ofEarlierRun(entries) {
		return &StateDirError{Dir: dir}
	}
	return os.WriteFile(mark, []byte(archive.StateMark), 0o600)
}

// ofEarlierRun reports whether entries are those of the state folder of a release that did not mark it:
// its lock, which is empty, and nothing but what a run makes.
func ofEarlierRun(entries []os.DirEntry) bool {
	locked := false
	for _, e := range entries {
		switch name := e.Name(); {
		case name == "lock":
			info, err := e.Info()
			locked = err == nil && info.Mode().IsRegular() && info.Size() == 0
		case e.IsDir() && slices.Contains([]string{"bin", "sdk", "run"}, name):
		case e.Type().IsRegular() && strings.HasPrefix(name, "store.db"):
		default:
			return false
		}
	}
	return locked
}

func (s *state) clear() error {
	if err := os.RemoveAll(s.run()); err != nil {
		return fmt.Errorf("cannot clear the state folder: %w", err)
	}
	for _, folder := range []string{s.run(), s.path("bin"), s.path("sdk")} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return fmt.Errorf("cannot make the state folder: %w", err)
		}
	}
	if len(s.socket) <= maxSocketPath {
		return nil
	}
	outside, err := os.MkdirTemp("", "kn-krt-")
	if err != nil {
		return fmt.Errorf("cannot make a folder for the store's socket: %w", err)
	}
	s.outside, s.socket = outside, filepath.Join(outside, "store.sock")
	if len(s.socket) > maxSocketPath {
		return fmt.Errorf("cannot serve the store: the path of a Unix socket has at most %d characters, "+
			"and the state folder %q and the folder for temporary files %q are both too long", maxSocketPath, s.dir, os.TempDir())
	}
	return nil
}

// path returns the path of name in the folder.
func (s *state) path(name ...string) string {
	return filepath.Join(append([]string{s.dir}, name...)...)
}

// run returns the folder of this run alone.
func (s *state) run() string { return s.path("run") }

// close removes the files of this run alone and releases the lock.
func (s *state) close() error {
	err := os.RemoveAll(s.run())
	if s.outside != "" {
		err = errors.Join(err, os.RemoveAll(s.outside))
	}
	return errors.Join(err, s.lock.Close())
}
