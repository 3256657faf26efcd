package archive

import (
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// What file systems everywhere can hold.
const (
	maxPath    = 1024 // bytes of a path
	maxElement = 255  // bytes of a name in it
	maxDepth   = 32   // names
)

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

// add adds the path name with its folders, or returns why it cannot be in the same archive as what was added before.
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
		return fmt.Errorf("the bundle contains more than %d files and folders", v.limits.MaxEntries)
	}
	e.listed = e.listed || old.listed
	v.seen[key] = e
	return nil
}

// clash returns why old and e cannot both be at path.
func clash(path string, old, e entry) error {
	switch {
	case old.spelling != e.spelling && old.composed == e.composed:
		return fmt.Errorf("%.100q clashes with another name that differs only in how its accents are written (Unicode form: %+.100[1]q)", path)
	case old.spelling != e.spelling:
		return fmt.Errorf("%.100q clashes with another name that differs in letter case only", path)
	case old.folder != e.folder:
		return fmt.Errorf("%.100q is a file and a folder at once", path)
	case old.listed && e.listed:
		return errors.New("it is in the archive twice")
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
		return errors.New("its path is outside the bundle")
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return errors.New("its name is not plain UTF-8 text")
	case strings.Contains(name, `\`):
		return errors.New("its name contains a backslash")
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
		return fmt.Errorf("it is nested deeper than %d folders", maxDepth)
	case slices.ContainsFunc(elements, func(element string) bool { return len(element) > maxElement }):
		return fmt.Errorf("a name in its path is longer than %d bytes", maxElement)
	}
	return nil
}
