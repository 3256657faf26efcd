package archive

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"krt.dev/kn-krt/pkg/krt/untrusted"
)

// PackOptions changes what Pack packs.
type PackOptions struct {
	// Limits are those that Unpack will hold the bundle to.
	Limits Limits
	// Ignore are further patterns of what to leave out, before those of .krtignore.
	Ignore []string
	// Archive is true for a folder that was unpacked from a .krt file: what it contains was chosen when
	// it was packed, and no .gitignore applies.
	Archive bool
}

// Pack writes the bundle in the folder dir to w as a .krt file, a gzip'd tar. The same files
// give the same bytes: names are sorted, and times and owners left out; of the permissions
// only that to execute is kept.
//
// What .krtignore matches is left out (each .gitignore, where there is no .krtignore), and so is
// what tools leave behind and what holds secrets (see Reason) unless .krtignore takes it back;
// the manifest is always packed. The manifest is not checked. Links, devices and
// names that Unpack would refuse are errors that name the file. After an error what was
// written to w is of no use.
func Pack(ctx context.Context, dir string, w io.Writer, o PackOptions) error {
	if err := pack(ctx, dir, w, o); err != nil {
		return fmt.Errorf("cannot pack %q: %w", dir, err)
	}
	return nil
}

func pack(ctx context.Context, dir string, w io.Writer, o PackOptions) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return untrusted.Reason(err)
	}
	defer root.Close()
	if err := hasManifest(root); err != nil {
		return err
	}
	packed := &countingWriter{Writer: w}
	zip := gzip.NewWriter(packed)
	p := &packer{ctx: ctx, root: root, tar: tar.NewWriter(zip), limits: o.Limits.withDefaults()}
	files, err := newWalker(root, o)
	if err != nil {
		return err
	}
	err = files.walk(ctx, p.entry)
	if err := errors.Join(err, p.tar.Close(), zip.Close()); err != nil {
		return onlyFirst(err)
	}
	return p.limits.checkRatio(packed.count, p.bytes)
}

// onlyFirst returns the first of joined errors: the others follow from it.
func onlyFirst(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()[0]
	}
	return err
}

// ManifestNames are the names that a bundle's manifest may have, the first one preferred.
func ManifestNames() []string { return []string{"krt.yml", "krt.yaml"} }

func hasManifest(root *os.Root) error {
	for _, name := range ManifestNames() {
		if _, err := root.Stat(name); err == nil {
			return nil
		}
	}
	return errors.New("there is no krt.yml in the folder")
}

type packer struct {
	ctx    context.Context // lives for one call of Pack
	root   *os.Root
	tar    *tar.Writer
	limits Limits
	bytes  int64
}

// entry writes the file or folder name.
func (p *packer) entry(name string, d fs.DirEntry) error {
	if d.IsDir() {
		return p.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o755})
	}
	if err := p.file(name); err != nil {
		return fmt.Errorf("%q: %w", name, untrusted.Reason(err))
	}
	return nil
}

func (p *packer) file(name string) error {
	file, err := p.root.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	p.bytes += info.Size()
	if err := p.limits.checkBytes(p.bytes); err != nil {
		return err
	}
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: info.Size()}
	if info.Mode()&0o111 != 0 {
		header.Mode = 0o755
	}
	if err := p.tar.WriteHeader(header); err != nil {
		return err
	}
	// One byte more than the header announces shows that the file grew.
	n, err := io.Copy(p.tar, io.LimitReader(untrusted.Until(p.ctx, file), info.Size()+1))
	if errors.Is(err, tar.ErrWriteTooLong) || err == nil && n != info.Size() {
		return errors.New("the file changed while it was packed")
	}
	return err
}

type countingWriter struct {
	io.Writer
	count int64
}

func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	w.count += int64(n)
	return n, err
}

// IsPacked reports whether the file at path begins like a gzip stream, as .krt files do.
func IsPacked(path string) bool {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() { // a pipe would wait for a writer
		return false
	}
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	magic := make([]byte, 2)
	_, err = io.ReadFull(file, magic)
	return err == nil && bytes.Equal(magic, []byte{0x1f, 0x8b})
}
