package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"krt.dev/kn-krt/pkg/filelock"
)

// ErrInUse is returned for a file that another store has open.
var ErrInUse = errors.New("another store uses it")

// lock keeps other stores from the file at path, which need not be there, until what it returns is
// closed or the process ends. Two would each have their own list of indexes, and documents would
// not be found. The lock is that of a file next to it: to close the file itself would release
// SQLite's own locks in this process. Programs such as sqlite3 are not kept from reading it.
func lock(path string) (*os.File, error) {
	target, err := filepath.EvalSymlinks(path)
	if errors.Is(err, os.ErrNotExist) {
		target, err = filepath.EvalSymlinks(filepath.Dir(path))
		target = filepath.Join(target, filepath.Base(path))
	}
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(target+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock it: %w", err)
	}
	switch err := filelock.Take(f); {
	case errors.Is(err, filelock.ErrTaken):
		return nil, errors.Join(ErrInUse, f.Close())
	case err != nil:
		return nil, errors.Join(fmt.Errorf("cannot lock it: %w", err), f.Close())
	}
	return f, nil
}
