package layer

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"time"

	"krt.dev/kn-krt/pkg/krt/archive"
	"krt.dev/kn-krt/pkg/krt/untrusted"
)

// Tree writes the folders of an image and what is in them: owned by root, readable by all,
// without times, so that the same files give the same bytes.
type Tree struct {
	ctx  context.Context // lives for one layer
	tar  *tar.Writer
	made map[string]bool
}

// NewTree returns a Tree that writes to w until ctx is done. Close it.
func NewTree(ctx context.Context, w io.Writer) *Tree {
	return &Tree{ctx: ctx, tar: tar.NewWriter(w), made: map[string]bool{".": true}}
}

// Folder writes the folder name, and those it is in, once each.
func (t *Tree) Folder(name string) error {
	if t.made[name] {
		return nil
	}
	if err := t.Folder(path.Dir(name)); err != nil {
		return err
	}
	t.made[name] = true
	return t.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o755, ModTime: time.Unix(0, 0)})
}

// File writes what is in from to the path name. executable sets its permission.
func (t *Tree) File(name string, from fs.File, executable bool) error {
	if err := t.ctx.Err(); err != nil {
		return err
	}
	info, err := from.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errors.New("it is no longer a file")
	}
	if err := t.Folder(path.Dir(name)); err != nil {
		return err
	}
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: info.Size(), ModTime: time.Unix(0, 0)}
	if executable {
		header.Mode = 0o755
	}
	if err := t.tar.WriteHeader(header); err != nil {
		return err
	}
	// One byte more than the header announces shows that the file grew.
	n, err := io.Copy(t.tar, io.LimitReader(untrusted.Until(t.ctx, from), info.Size()+1))
	if errors.Is(err, tar.ErrWriteTooLong) || err == nil && n != info.Size() {
		return errors.New("it changed while its image was made: try again")
	}
	return err
}

// Close writes the end of the tar.
func (t *Tree) Close() error { return t.tar.Close() }

// Placed is a file of a bundle, and what it is called in an image.
type Placed struct {
	archive.File
	To string
}

// OfFiles returns the content of a layer with files of the bundle in the folder dir.
func OfFiles(dir string, files []Placed) Content {
	return func(ctx context.Context, w io.Writer) error {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return err
		}
		defer root.Close()
		t := NewTree(ctx, w)
		for _, f := range files {
			if err := t.bundleFile(root, f); err != nil {
				return fmt.Errorf("%q: %w", f.Name, err)
			}
		}
		return t.Close()
	}
}

func (t *Tree) bundleFile(root *os.Root, f Placed) error {
	file, err := root.Open(f.Name)
	if err != nil {
		return err
	}
	defer file.Close()
	return t.File(f.To, file, f.Info.Mode()&0o111 != 0)
}

// OfProgram returns the content of a layer with one program, the file at from.
func OfProgram(from, to string) Content {
	return func(ctx context.Context, w io.Writer) error {
		file, err := os.Open(from)
		if err != nil {
			return err
		}
		defer file.Close()
		t := NewTree(ctx, w)
		if err := t.File(to, file, true); err != nil {
			return fmt.Errorf("%q: %w", from, err)
		}
		return t.Close()
	}
}

// Stamp is a key for the content of files that none of them has been read for: their names
// and everything in the file system that changes with their content. ok is false when a file is so new
// that it could change again without any of that changing.
func Stamp(dir string, files []archive.File, now time.Time) (key string, ok bool) {
	const settled = 2 * time.Second // the coarsest clock of a file system
	sum := sha256.New()
	fmt.Fprintf(sum, "bundle 1 %q\n", dir)
	for _, f := range files {
		changed, id := changeTime(f.Info)
		if now.Sub(f.Info.ModTime()) < settled || now.Sub(changed) < settled {
			return "", false
		}
		fmt.Fprintf(sum, "%q %d %o %d %d %d\n", f.Name, f.Info.Size(), f.Info.Mode(), f.Info.ModTime().UnixNano(), changed.UnixNano(), id)
	}
	return hex.EncodeToString(sum.Sum(nil)), true
}
