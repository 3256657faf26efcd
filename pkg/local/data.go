package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"krt.dev/kn-krt/pkg/data"
	"krt.dev/kn-krt/pkg/local/running"
)

// StateDir returns the default state folder of the version at path, a bundle's folder, the
// manifest in it or a packed bundle.
func StateDir(path string) (string, error) {
	s, err := findSource(path)
	if err != nil {
		return "", err
	}
	return s.stateDir()
}

// NoDataError reports that no run has made a state folder.
type NoDataError struct{ Dir string }

func (e *NoDataError) Error() string {
	return fmt.Sprintf("nothing was saved: no version has run with the state folder %q", e.Dir)
}

// Data returns a client of what the versions with the state folder dir have saved, and the
// function that ends it. It is that of the run which uses the folder; without one, the file
// is served here, and no run can start until then. Without a file the error is a
// [NoDataError], unless it may be created.
func Data(ctx context.Context, dir string, create bool) (_ *data.Client, end func() error, err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, nil, fmt.Errorf("cannot name the state folder: %w", err)
	}
	if r, _ := running.In(ctx, dir); r.Store != "" {
		return data.Local(r.Store), func() error { return nil }, nil
	}
	if info, err := os.Stat(filepath.Join(dir, storeFile)); !create && (err != nil || !info.Mode().IsRegular()) {
		return nil, nil, &NoDataError{dir}
	}
	root, err := running.Root()
	if err != nil {
		return nil, nil, err
	}
	s, err := openState(dir, filepath.Dir(dir) == root)
	if err != nil {
		return nil, nil, err
	}
	o, err := openStorage(s)
	if err != nil {
		return nil, nil, errors.Join(err, s.close())
	}
	return data.Local(s.socket), func() error { return errors.Join(o.close(), s.close()) }, nil
}
