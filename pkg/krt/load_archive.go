package krt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"krt.dev/kn-krt/pkg/krt/archive"
	"krt.dev/kn-krt/pkg/krt/untrusted"
)

// LoadArchive unpacks the .krt file at path into the folder dir (see archive.Unpack), and loads what it
// holds (see Load). Its errors name the file.
func LoadArchive(ctx context.Context, path, dir string, o Options) (*Bundle, Problems, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() { // a pipe would wait for a writer
		return nil, nil, fmt.Errorf("cannot open bundle: %q is not a regular file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot open bundle: %w", err)
	}
	defer file.Close()
	if err := archive.Unpack(ctx, file, dir, archive.UnpackOptions{}); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := manifestAtRoot(dir); err != nil {
		return nil, nil, fmt.Errorf("cannot load bundle %q: %w", path, err)
	}
	o.archive = true
	return Load(ctx, dir, o)
}

// manifestAtRoot returns an error for an archive without a manifest at its root.
func manifestAtRoot(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return untrusted.Reason(err)
	}
	if len(entries) == 0 {
		return errors.New("the archive is empty")
	}
	nested := ""
	for _, entry := range entries {
		for _, name := range archive.ManifestNames() {
			if entry.Name() == name {
				return nil
			}
			if _, err := os.Stat(filepath.Join(dir, entry.Name(), name)); entry.IsDir() && err == nil {
				nested = fmt.Sprintf(", but there is one in its folder %q: pack that folder instead", entry.Name())
			}
		}
		if nested == "" && !entry.IsDir() && archive.IsPacked(filepath.Join(dir, entry.Name())) {
			nested = fmt.Sprintf(", but it contains the archive %q: use that one", entry.Name())
		}
	}
	if nested == "" {
		nested = manifestHint(dir)
	}
	return errors.New("there is no krt.yml at the archive's root" + nested)
}
