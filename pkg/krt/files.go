package krt

import (
	"context"
	"fmt"
	"io/fs"
	"os"
)

// File is a file of a bundle.
type File struct {
	// Name is its path from the bundle's root, with slashes.
	Name string
	// Info describes it.
	Info fs.FileInfo
}

// Files lists the files of the bundle in the folder dir that Pack would pack, sorted as a
// walk of the folders meets them. What Pack refuses, Files does: links, devices, names that
// Unpack would refuse, more than the limits.
func Files(ctx context.Context, dir string, o PackOptions) ([]File, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot list the files of %q: %w", dir, reason(err))
	}
	defer root.Close() //nolint:errcheck // only read from
	var (
		files  []File
		bytes  int64
		limits = o.Limits.withDefaults()
	)
	err = walk(ctx, root, o, func(name string, d fs.DirEntry) error {
		if d.IsDir() {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return fmt.Errorf("%q: %w", name, reason(err))
		}
		bytes += info.Size()
		files = append(files, File{Name: name, Info: info})
		return limits.checkBytes(bytes)
	})
	if err != nil {
		return nil, fmt.Errorf("cannot list the files of %q: %w", dir, err)
	}
	return files, nil
}

// walk calls visit with each file and folder of the bundle in root that is not ignored,
// sorted by name within each folder. Anything else is an error, and so is a name that
// cannot stand in an archive.
func walk(ctx context.Context, root *os.Root, o PackOptions, visit func(name string, d fs.DirEntry) error) error {
	ignore, err := readIgnore(root, o.Ignore)
	if err != nil {
		return err
	}
	seen := newInventory(o.Limits.withDefaults())
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("%q: %w", name, reason(err))
		case name == ".":
			return nil
		case ignore.ignore(name, d.IsDir()) && d.IsDir():
			return fs.SkipDir
		case ignore.ignore(name, d.IsDir()):
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !d.IsDir() && !d.Type().IsRegular():
			return fmt.Errorf("%q is a %s; a bundle holds files and folders only: put the file itself there, or name it in %s", name, typeName(d.Type()), ignoreFile)
		}
		if err := seen.add(name, d.IsDir()); err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
		return visit(name, d)
	})
}

// typeName names what is neither file nor folder.
func typeName(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeSymlink != 0:
		return "symbolic link"
	case mode&fs.ModeNamedPipe != 0:
		return "named pipe"
	case mode&fs.ModeSocket != 0:
		return "socket"
	}
	return "device"
}
