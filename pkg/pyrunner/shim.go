package pyrunner

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// The Python side. Each pattern names files, because a folder as a pattern would leave
// out __init__.py.
//
//go:embed shim/krt_main.py shim/krt/*.py shim/_krt_runner/*.py
var shim embed.FS

// WriteShim writes the Python side of the runner into dir: the package krt,
// whose module krt.testing tests a node's handler (put dir on PYTHONPATH), and the
// script that this package starts. It needs Python 3.9 and protobuf.
func WriteShim(dir string) error {
	files, err := fs.Sub(shim, "shim")
	if err != nil {
		return err
	}
	err = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(name))
		if d.IsDir() {
			return os.MkdirAll(to, 0o750)
		}
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		return os.WriteFile(to, data, 0o600)
	})
	if err != nil {
		return fmt.Errorf("cannot write the Python shim: %w", err)
	}
	return nil
}
