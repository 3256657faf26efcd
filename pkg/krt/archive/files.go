package archive

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"krt.dev/kn-krt/pkg/krt/untrusted"
)

// File is a file of a bundle.
type File struct {
	// Name is its path from the bundle's root, with slashes.
	Name string
	// Info describes it.
	Info fs.FileInfo
}

// Omission is a file, or a folder with all in it, that is not part of a bundle.
type Omission struct {
	// Name is its path from the bundle's root, with a slash at the end for a folder.
	Name   string
	Reason Reason
	// Rule is the rule that leaves it out: ".gitignore:3".
	Rule string
}

// Contents is what a bundle holds.
type Contents struct {
	// Files are the bundle's, sorted as a walk of the folders meets them.
	Files []File
	// Left is what is left out, at most 10,000 of it.
	Left []Omission

	takenBack map[string]bool // what .krtignore takes in by its name
	suspects  []string        // of a packed bundle, what would have been left out for a secret; folders with a slash at the end
}

const (
	mostOmissions = 10_000
	mostSuspects  = 1_000
)

// EntryError is what is wrong with one file or folder of a bundle.
type EntryError struct {
	// Name is its path from the bundle's root.
	Name string
	Err  error
}

func (e *EntryError) Error() string { return fmt.Sprintf("%q: %v", e.Name, e.Err) }
func (e *EntryError) Unwrap() error { return e.Err }

// List lists what Pack packs of the bundle in root. What Pack refuses, it does: links, devices,
// names that Unpack would refuse, more than the limits.
func List(ctx context.Context, root *os.Root, o PackOptions) (*Contents, error) {
	var (
		c      = &Contents{}
		bytes  int64
		limits = o.Limits.withDefaults()
	)
	w, err := newWalker(root, o)
	if err != nil {
		return nil, err
	}
	w.left = func(name string, d fs.DirEntry, by *rule) {
		if d.IsDir() {
			name += "/"
		}
		if len(c.Left) < mostOmissions {
			c.Left = append(c.Left, Omission{Name: name, Reason: by.reason, Rule: by.from})
		}
	}
	err = w.walk(ctx, func(name string, d fs.DirEntry) error {
		if d.IsDir() {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return &EntryError{name, untrusted.Reason(err)}
		}
		bytes += info.Size()
		c.Files = append(c.Files, File{Name: name, Info: info})
		if err := limits.checkBytes(bytes); err != nil {
			return &EntryError{name, err}
		}
		return nil
	})
	c.takenBack, c.suspects = w.takenBack, w.suspects
	return c, err
}

// Why returns by which rule name is left out, and what to do about it.
func (c *Contents) Why(name string) string {
	for _, o := range c.Left {
		within := strings.HasSuffix(o.Name, "/") && strings.HasPrefix(name, o.Name)
		if o.Name != name && !within {
			continue
		}
		switch {
		case strings.HasPrefix(o.Rule, IgnoreFile):
			return fmt.Sprintf(" by %s; change that line", o.Rule)
		case o.Reason == Chosen:
			return fmt.Sprintf(" by %s; write a %s, which replaces %s", o.Rule, IgnoreFile, gitIgnore)
		}
		return fmt.Sprintf(" by %s; include it with a line %q in %s", o.Rule, "!"+o.Name, IgnoreFile)
	}
	return ""
}

// walker walks through a bundle's folder.
type walker struct {
	root   *os.Root
	ignore *ignorer
	seen   *inventory
	left   func(name string, d fs.DirEntry, by *rule) // called for what is left out
	// archive: what looks like a secret is kept and reported, because no one can add a line to its .krtignore.
	archive   bool
	takenBack map[string]bool
	suspects  []string
}

func newWalker(root *os.Root, o PackOptions) (*walker, error) {
	ignore, err := newIgnorer(root, o)
	if err != nil {
		return nil, err
	}
	return &walker{
		root: root, ignore: ignore, seen: newInventory(o.Limits.withDefaults()), left: func(string, fs.DirEntry, *rule) {},
		archive: o.Archive, takenBack: map[string]bool{},
	}, nil
}

// walk calls visit with each file and folder of the bundle that is not left out, sorted by
// name within each folder. Anything else is an error, and so is a name that cannot be in an
// archive.
func (w *walker) walk(ctx context.Context, visit func(name string, d fs.DirEntry) error) error {
	return fs.WalkDir(w.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return &EntryError{name, untrusted.Reason(err)}
		case name == ".":
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		}
		by, err := w.ignore.ignore(ctx, name, d.IsDir())
		if err != nil {
			return err
		}
		if w.leaves(name, d, by) {
			w.left(name, d, by)
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if err := w.take(name, d); err != nil {
			return err
		}
		return visit(name, d)
	})
}

// leaves reports whether name is left out, which by decides, and remembers what to report about it.
func (w *walker) leaves(name string, d fs.DirEntry, by *rule) bool {
	switch {
	case by == nil:
		return false
	case by.takesBack:
		w.takenBack[name] = true
	case !by.negated && w.archive && by.reason == Secret:
		if d.IsDir() {
			name += "/"
		}
		if len(w.suspects) < mostSuspects {
			w.suspects = append(w.suspects, name)
		}
		return false
	}
	return !by.negated
}

// take checks what is part of the bundle, and prepares for what is in a folder.
func (w *walker) take(name string, d fs.DirEntry) error {
	if !d.IsDir() && !d.Type().IsRegular() {
		return &EntryError{name,
			fmt.Errorf("it is a %s; a bundle can contain only files and folders: put the file itself there, or list it in %s",
				typeName(d.Type()), IgnoreFile)}
	}
	if err := w.seen.add(name, d.IsDir()); err != nil {
		return &EntryError{name, err}
	}
	if d.IsDir() {
		return w.ignore.enter(name)
	}
	return nil
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
