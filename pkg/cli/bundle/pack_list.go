package bundle

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/krt/archive"
	"krt.dev/kn-krt/pkg/legible"
)

// maxName bounds a name that is shown, in bytes: what is left out may have any, line breaks included.
const maxName = 1024

// printList lists what is part of a bundle, and what is left out.
func printList(out io.Writer, c *archive.Contents) error {
	var size int64
	for _, f := range c.Files {
		size += f.Info.Size()
		fmt.Fprintf(out, "%10s  %s\n", legible.Bytes(f.Info.Size()), legible.Printable(f.Name))
	}
	for _, o := range c.Left {
		fmt.Fprintf(out, "%10s  %s  (%s)\n", "left out", legible.Line(o.Name, maxName), why(o))
	}
	_, err := fmt.Fprintf(out, "%s, %s; %d left out\n", legible.Count(len(c.Files), "file"), legible.Bytes(size), len(c.Left))
	return err
}

// why is the reason why something is left out.
func why(o archive.Omission) string {
	switch o.Reason {
	case archive.Secret:
		return "may hold secrets"
	case archive.Chosen:
		return o.Rule
	}
	return "made by tools"
}

// mostNamed is how many files WarnLeftOut names.
const mostNamed = 10

// WarnLeftOut prints what is left out and might be needed: what may hold secrets, and what
// files written for git name.
func WarnLeftOut(out io.Writer, c *archive.Contents) {
	var named []string
	more := 0
	for _, o := range c.Left {
		if o.Reason == archive.Needless || strings.HasPrefix(o.Rule, ".krtignore:") {
			continue
		}
		if len(named) == mostNamed {
			more++
			continue
		}
		named = append(named, fmt.Sprintf("%s (%s)", legible.Line(o.Name, maxName), why(o)))
	}
	if len(named) == 0 {
		return
	}
	if more > 0 {
		named = append(named, fmt.Sprintf("and %d more", more))
	}
	fmt.Fprintf(out, "Left out: %s. To include one, add the line \"!NAME\" to .krtignore.\n", strings.Join(named, ", "))
}

// checkPackOutput refuses to overwrite a file that is not a packed bundle, or is part of this one. "-" is not
// taken for a file: other programs mean standard output by it.
func checkPackOutput(to string, c *archive.Contents) error {
	if to == "-" {
		return term.WithHint(errors.New("cannot write bundle to standard output"), "Name a file with -o.")
	}
	info, err := os.Stat(to)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(filepath.Dir(to)); errors.Is(err, fs.ErrNotExist) {
			return term.WithHint(fmt.Errorf("cannot write bundle: folder %s does not exist", filepath.Dir(to)),
				"Create it, or name another file with -o.")
		}
		return nil
	case err != nil:
		return fmt.Errorf("cannot write bundle: %w", err)
	case info.IsDir():
		return term.WithHint(fmt.Errorf("cannot write bundle: %s is a folder", to), "Name a file in it with -o.")
	}
	const next = "Name another file with -o, such as %s.krt."
	name := strings.TrimSuffix(filepath.Base(to), filepath.Ext(to))
	if slices.ContainsFunc(c.Files, func(f archive.File) bool { return os.SameFile(f.Info, info) }) {
		return term.WithHint(fmt.Errorf("cannot write bundle: %s is a file of the version itself", to), next, name)
	}
	if !archive.IsPacked(to) {
		return term.WithHint(fmt.Errorf("cannot write bundle: %s exists and is not a packed bundle", to), next, name)
	}
	return nil
}
