package krt

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Limits bounds a packed bundle. A zero field has its default.
type Limits struct {
	// MaxEntries is how many files and folders it may hold, 100,000 by default. Folders that
	// are only part of a path count too.
	MaxEntries int
	// MaxBytes is how large it may be unpacked, 4 GiB by default.
	MaxBytes int64
	// MaxRatio is how many unpacked bytes one packed byte may stand for, 200 by default. It is
	// looked at above 16 MiB only, so that a small bundle may hold a file of zeros.
	MaxRatio int64
}

const (
	ratioFloor = 16 << 20
	// maxElement and maxDepth are what file systems everywhere can bear.
	maxElement = 255
	maxDepth   = 32
)

func (l Limits) withDefaults() Limits {
	if l.MaxEntries <= 0 {
		l.MaxEntries = 100_000
	}
	if l.MaxBytes <= 0 {
		l.MaxBytes = 4 << 30
	}
	if l.MaxRatio <= 0 {
		l.MaxRatio = 200
	}
	return l
}

// checkRatio says that packed bytes unpack to suspiciously many.
func (l Limits) checkRatio(packed, unpacked int64) error {
	if unpacked > ratioFloor && unpacked/l.MaxRatio > packed {
		return fmt.Errorf("it is compressed more than %d:1", l.MaxRatio)
	}
	return nil
}

func (l Limits) checkBytes(unpacked int64) error {
	if unpacked > l.MaxBytes {
		return fmt.Errorf("the bundle is larger than %d bytes unpacked", l.MaxBytes)
	}
	return nil
}

// inventory is what an archive holds so far. It keeps hashes instead of names, so that its
// size depends on the number of entries only.
type inventory struct {
	limits Limits
	seed   maphash.Seed
	seen   map[uint64]entry // by the hash of the folded path
}

type entry struct {
	spelling uint64 // hash of the path as written
	composed uint64 // hash of it with each accent in one character with its letter
	folder   bool
	listed   bool // an entry of its own, not only part of a path
}

func newInventory(limits Limits) *inventory {
	return &inventory{limits: limits, seed: maphash.MakeSeed(), seen: map[uint64]entry{}}
}

// add takes the path name in, with the folders it lies in, or says why it must not stand
// beside what is there already.
func (v *inventory) add(name string, folder bool) error {
	if err := checkName(name); err != nil {
		return err
	}
	for i := range len(name) {
		if name[i] == '/' {
			if err := v.addOne(name[:i], entry{folder: true}); err != nil {
				return err
			}
		}
	}
	return v.addOne(name, entry{folder: folder, listed: true})
}

func (v *inventory) addOne(path string, e entry) error {
	e.spelling, e.composed = maphash.String(v.seed, path), maphash.String(v.seed, norm.NFC.String(path))
	key := maphash.String(v.seed, fold(path))
	old, exists := v.seen[key]
	if exists {
		if err := clash(path, old, e); err != nil {
			return err
		}
	} else if len(v.seen) >= v.limits.MaxEntries {
		return fmt.Errorf("the bundle holds more than %d files and folders", v.limits.MaxEntries)
	}
	e.listed = e.listed || old.listed
	v.seen[key] = e
	return nil
}

// clash says why old and e cannot both be at path.
func clash(path string, old, e entry) error {
	switch {
	case old.spelling != e.spelling && old.composed == e.composed:
		return fmt.Errorf("%.100q clashes with another name that differs only in how its accents are written (Unicode form: %+.100[1]q)", path)
	case old.spelling != e.spelling:
		return fmt.Errorf("%.100q clashes with another name that differs in letter case only", path)
	case old.folder != e.folder:
		return fmt.Errorf("%.100q is a file and a folder at once", path)
	case old.listed && e.listed:
		return errors.New("it stands twice in the archive")
	}
	return nil
}

// fold returns what is equal for names that some file systems take for the same: macOS and
// Windows ignore letter case, macOS the form of accents too.
func fold(path string) string {
	return norm.NFC.String(strings.ToLower(strings.ToUpper(norm.NFC.String(path))))
}

// checkName refuses paths that leave the bundle or that not every system can hold.
func checkName(name string) error {
	elements := strings.Split(name, "/")
	switch {
	case name == "", name == ".":
		return errors.New("it has no name")
	case elements[0] == "":
		return errors.New("its path is absolute")
	case slices.Contains(elements, ".."):
		return errors.New("its path leaves the bundle")
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return errors.New("its name is not plain text")
	case strings.Contains(name, `\`):
		return errors.New("its name has a backslash")
	case !fs.ValidPath(name):
		return errors.New("its path is not in its shortest form")
	}
	return checkLength(name, elements)
}

func checkLength(name string, elements []string) error {
	switch {
	case len(name) > maxPath:
		return fmt.Errorf("its path is longer than %d bytes", maxPath)
	case len(elements) > maxDepth:
		return fmt.Errorf("it lies deeper than %d folders", maxDepth)
	case slices.ContainsFunc(elements, func(element string) bool { return len(element) > maxElement }):
		return fmt.Errorf("a name in its path is longer than %d bytes", maxElement)
	}
	return nil
}

// contextReader reads until ctx is done.
type contextReader struct {
	ctx context.Context //nolint:containedctx // lives for one call of Pack or Unpack
	io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
