package archive

import (
	"archive/tar"
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"krt.dev/kn-krt/pkg/krt/untrusted"
)

// UnpackOptions bounds what Unpack takes.
type UnpackOptions struct {
	Limits Limits
}

// Unpack unpacks the .krt file r into the folder dir, which must not exist or be empty.
//
// Only files and folders are taken; of their permissions only that to execute. An archive with
// anything else, with paths outside, names that clash, more than the limits allow, or that is
// cut short or followed by other data is refused with the name of the entry, and nothing of it
// stays behind. The archive is streamed: memory grows with the number of entries only.
func Unpack(ctx context.Context, r io.Reader, dir string, o UnpackOptions) error {
	undo, err := makeFolder(dir)
	if err != nil {
		return fmt.Errorf("cannot unpack into %q: %w", dir, err)
	}
	root, err := os.OpenRoot(dir)
	if err == nil {
		err = unpack(ctx, r, root, o.Limits.withDefaults())
		err = errors.Join(err, root.Close())
	}
	if err != nil {
		return errors.Join(fmt.Errorf("cannot unpack: %w", onlyFirst(err)), undo())
	}
	return nil
}

// makeFolder makes dir with the folders above it, and returns what removes all that was made and all that
// was put into dir.
func makeFolder(dir string) (undo func() error, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	switch {
	case err == nil && len(entries) > 0:
		return nil, errors.New("the folder is not empty")
	case err == nil:
		return func() error { return emptyFolder(dir) }, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, untrusted.Reason(err)
	}
	made := dir // the topmost folder that was not there
	for {
		above := filepath.Dir(made)
		if _, err := os.Lstat(above); above == made || !errors.Is(err, fs.ErrNotExist) {
			break
		}
		made = above
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, untrusted.Reason(err)
	}
	return func() error { return os.RemoveAll(made) }, nil
}

func emptyFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return err
}

func unpack(ctx context.Context, r io.Reader, root *os.Root, limits Limits) error {
	// A byte reader: gzip then takes no byte more than its stream has.
	packed := &countingReader{Reader: untrusted.Until(ctx, r)}
	buffered := bufio.NewReaderSize(packed, 4096)
	zip, err := gzip.NewReader(buffered)
	switch {
	case errors.Is(err, gzip.ErrHeader):
		return errors.New("it is not a .krt file: it does not begin with a gzip header")
	case err != nil:
		return cutShort(err)
	}
	zip.Multistream(false)
	stream := &tarStream{zip: zip, packed: packed, limits: limits}
	u := &unpacker{tar: tar.NewReader(stream), root: root, inventory: newInventory(limits)}
	if err := u.all(); err != nil {
		return err
	}
	if err := stream.finish(); err != nil {
		return fmt.Errorf("after the last entry %.200q: %w", u.last, cutShort(err))
	}
	switch _, err := buffered.ReadByte(); {
	case err == nil:
		return errors.New("there is unexpected data after the archive")
	case !errors.Is(err, io.EOF):
		return err
	}
	return nil
}

// cutShort puts the end of a stream where none should be into words.
func cutShort(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return fmt.Errorf("the archive is truncated: %w", io.ErrUnexpectedEOF)
	}
	return err
}

// tarStream is the unpacked stream, held to the limits, headers and padding included.
type tarStream struct {
	zip    io.Reader
	packed *countingReader
	limits Limits
	count  int64
	zeros  int // how many of the last bytes are zero, as far as endMarker
}

// endMarker is how many zero bytes end a tar archive.
const endMarker = 1024

func (s *tarStream) Read(p []byte) (int, error) {
	n, err := s.zip.Read(p)
	s.count += int64(n)
	last := p[max(0, n-endMarker):n]
	if kept := len(bytes.TrimRight(last, "\x00")); kept > 0 {
		s.zeros = len(last) - kept
	} else {
		s.zeros = min(endMarker, s.zeros+len(last))
	}
	if limit := cmp.Or(s.limits.checkBytes(s.count), s.limits.checkRatio(s.packed.count, s.count)); limit != nil {
		return n, limit
	}
	return n, err
}

// finish reads what comes after the last entry: zeros only, and enough of them. The tar
// reader itself would take the end of the stream for the end of the archive.
func (s *tarStream) finish() error {
	padding := make([]byte, 4096)
	for {
		n, err := s.Read(padding)
		switch {
		case len(bytes.TrimRight(padding[:n], "\x00")) > 0:
			return errors.New("there is unexpected data in the archive")
		case errors.Is(err, io.EOF) && s.zeros < endMarker:
			return io.ErrUnexpectedEOF
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

type unpacker struct {
	tar       *tar.Reader
	root      *os.Root
	inventory *inventory
	last      string // name of the entry unpacked last
	made      string // folder made last
	bytes     int64
	buffer    [64 << 10]byte
}

// all unpacks every entry.
func (u *unpacker) all() error {
	for {
		header, err := u.tar.Next()
		switch {
		case err == io.EOF: // the archive's end
			return nil
		case err != nil:
			return fmt.Errorf("after entry %.200q: %w", u.last, cutShort(err))
		}
		if err := u.entry(header); err != nil {
			return fmt.Errorf("entry %.200q: %w", header.Name, cutShort(err))
		}
		u.last = header.Name
	}
}

func (u *unpacker) entry(header *tar.Header) error {
	// "tar c ." names everything "./…"; a folder's name ends in a slash.
	name := strings.TrimPrefix(header.Name, "./")
	for record := range header.PAXRecords {
		if strings.HasPrefix(record, "GNU.sparse.") { // a few bytes could unpack to gigabytes
			return errors.New("it is a sparse file; a bundle can contain only plain ones")
		}
	}
	switch header.Typeflag {
	case tar.TypeXGlobalHeader: // a remark that git archive puts first
		return nil
	case tar.TypeDir:
		name = strings.TrimSuffix(name, "/")
		if name == "" && header.Name != "" || name == "." {
			return nil
		}
		if err := u.inventory.add(name, true); err != nil {
			return err
		}
		return u.folder(name)
	case tar.TypeReg:
		if err := u.inventory.add(name, false); err != nil {
			return err
		}
		return u.file(name, header)
	}
	return fmt.Errorf("it is a %s; a bundle can contain only files and folders", tarType(header.Typeflag))
}

// folder makes the folder name and those it lies in.
func (u *unpacker) folder(name string) error {
	if u.made == name {
		return nil
	}
	if err := u.root.MkdirAll(name, 0o755); err != nil {
		return untrusted.Reason(err)
	}
	u.made = name
	return nil
}

func (u *unpacker) file(name string, header *tar.Header) error {
	if err := u.inventory.limits.checkBytes(u.bytes + header.Size); err != nil {
		return err
	}
	if dir := path.Dir(name); dir != "." {
		if err := u.folder(dir); err != nil {
			return err
		}
	}
	mode := fs.FileMode(0o644)
	if header.Mode&0o111 != 0 {
		mode = 0o755
	}
	file, err := u.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return untrusted.Reason(err)
	}
	n, err := io.CopyBuffer(struct{ io.Writer }{file}, u.tar, u.buffer[:])
	u.bytes += n
	return errors.Join(err, file.Close())
}

// tarType names the type of an entry that is neither a file nor a folder.
func tarType(flag byte) string {
	switch flag {
	case tar.TypeSymlink:
		return "symbolic link"
	case tar.TypeLink:
		return "hard link"
	case tar.TypeChar, tar.TypeBlock:
		return "device"
	case tar.TypeFifo:
		return "named pipe"
	case tar.TypeGNUSparse:
		return "sparse file"
	}
	return fmt.Sprintf("tar entry of type %q", flag)
}

type countingReader struct {
	io.Reader
	count int64
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.count += int64(n)
	return n, err
}
