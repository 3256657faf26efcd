// Package untrusted reads the files of a bundle without trusting its author: regular files only, up to a
// bound, and nothing outside the bundle's folder, whatever its links point to.
package untrusted

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// maxNames is how many names of one folder are read.
const maxNames = 10_000

// FS is a folder, by its path, as a file system that no path and no link leads out of. It holds
// nothing open: the folder is opened again for each call.
type FS string

// Open opens name for reading.
func (dir FS) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	return os.OpenInRoot(string(dir), filepath.FromSlash(name))
}

// Stat describes name without opening it, as a pipe would block.
func (dir FS) Stat(name string) (fs.FileInfo, error) {
	root, err := os.OpenRoot(string(dir))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return fs.Stat(root.FS(), name)
}

// ReadFile returns up to most bytes of the regular file name.
func ReadFile(bundle fs.FS, name string, most int64) ([]byte, error) {
	file, err := OpenFile(bundle, name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, most))
}

// OpenFile opens the regular file name. Other files are not opened: a pipe would block forever.
func OpenFile(bundle fs.FS, name string) (fs.File, error) {
	if dir, ok := bundle.(FS); ok { // opened once
		root, err := os.OpenRoot(string(dir))
		if err != nil {
			return nil, err
		}
		defer root.Close()
		bundle = root.FS()
	}
	info, err := fs.Stat(bundle, name)
	if err != nil { // of an os.Root it has the name of a system call
		return nil, &fs.PathError{Op: "open", Path: name, Err: Reason(err)}
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%q is not a regular file", name)
	}
	return bundle.Open(name)
}

// ReadPath returns the content of the file at path, which may be a pipe. Content of more than
// most bytes is an error; the rest of it is not read.
func ReadPath(path string, most int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return ReadAll(file, path, most)
}

// ReadAll returns the rest of r, or an error that calls it name when that is more than most bytes.
func ReadAll(r io.Reader, name string, most int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("%s is larger than %d bytes", name, most)
	}
	if err != nil {
		return nil, err
	}
	return text, nil
}

// Names returns the sorted names in the folder dir, at most 10,000; none if it cannot be read.
func Names(root *os.Root, dir string) []string {
	open, err := root.Open(dir)
	if err != nil {
		return nil
	}
	defer open.Close()
	names, _ := open.Readdirnames(maxNames)
	slices.Sort(names)
	return names
}

// Reason returns err without the path, for errors that name it already.
func Reason(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}

// Until returns what reads r until ctx is done.
func Until(ctx context.Context, r io.Reader) io.Reader { return bounded{ctx, r} }

type bounded struct {
	ctx context.Context // lives as long as the reading
	io.Reader
}

// Read reads, or returns why the context is done.
func (r bounded) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
