package pyrunner

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

const (
	scratchPrefix = "krt-node-"
	// scratchLock is a file in a scratch folder that its front keeps locked: the kernel
	// releases the lock however the front ends.
	scratchLock = "front.lock"
)

// scratch is a folder for the files of the shim.
type scratch struct {
	dir   string
	lock  *os.File
	files []string // that were in it when they were noted
}

// newScratch makes a scratch folder in parent, and removes those of fronts that were killed.
func newScratch(parent string) (*scratch, error) {
	sweep(parent)
	dir, err := os.MkdirTemp(parent, scratchPrefix)
	if err != nil {
		return nil, err
	}
	// The lock gets its name when it is held: no other front removes the folder before.
	unnamed := filepath.Join(dir, "new")
	f, err := os.OpenFile(unnamed, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	s := &scratch{dir: dir, lock: f}
	err = hold(f)
	if err == nil {
		err = os.Rename(unnamed, filepath.Join(dir, scratchLock))
	}
	if err != nil {
		return nil, errors.Join(err, s.remove())
	}
	return s, nil
}

// note notes which files there are now.
func (s *scratch) note() error {
	return filepath.WalkDir(s.dir, func(name string, _ fs.DirEntry, err error) error {
		s.files = append(s.files, name)
		return err
	})
}

// whole reports whether what was noted is still there; never if nothing was, because writing it failed.
func (s *scratch) whole() bool {
	return len(s.files) > 0 && !slices.ContainsFunc(s.files, func(name string) bool {
		_, err := os.Lstat(name)
		return err != nil
	})
}

// remove removes the folder and releases its lock.
func (s *scratch) remove() error {
	return errors.Join(os.RemoveAll(s.dir), s.lock.Close())
}

// sweep removes the scratch folders in parent whose fronts have ended without that.
func sweep(parent string) {
	locks, err := filepath.Glob(filepath.Join(parent, scratchPrefix+"*", scratchLock))
	if err != nil {
		return
	}
	for _, name := range locks {
		f, err := os.OpenFile(name, ownFile, 0)
		if err != nil {
			continue // another user's
		}
		if hold(f) == nil {
			_ = os.RemoveAll(filepath.Dir(name))
		}
		_ = f.Close()
	}
}

// hold locks f, or reports that another process has locked it.
func hold(f *os.File) error {
	if err := flock(f); err != nil {
		return fmt.Errorf("cannot lock %s: %w", f.Name(), err)
	}
	return nil
}
