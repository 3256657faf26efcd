package bundle

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/krt/archive"
	"krt.dev/kn-krt/pkg/krt/untrusted"
	"krt.dev/kn-krt/pkg/legible"
)

type packOptions struct {
	streams term.Streams
	program string
	dir     string
	output  string
	list    bool
}

func newPackCommand(s term.Streams) *cobra.Command {
	o := packOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "pack [DIR]",
		Short: "Pack a version into a .krt file",
		Long: `Check the version in DIR (default: the current folder) and pack it into one .krt file.
The same files always give the same bytes.

Left out are the files that .krtignore names (without a .krtignore, those that the
.gitignore files name), what tools, editors and package managers leave behind, and what
may hold secrets: .env, .ssh, private keys. A line "!NAME" in .krtignore includes a file
all the same. These rules apply to images, too.`,
		Example: `  kn-krt pack
  kn-krt pack --list
  kn-krt pack my-version -o /srv/versions/my-version.krt`,
		Args: term.Arguments(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.program, o.dir = cmd.Root().DisplayName(), PathArgument(args)
			if filepath.Ext(o.dir) == ".krt" {
				return term.UsageError(cmd, "%s is a packed bundle already: name a folder", o.dir)
			}
			return runPack(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVarP(&o.output, "output", "o", "", "file to write (default: the version's name with .krt, in the current folder)")
	cmd.Flags().BoolVar(&o.list, "list", false, "write nothing; list what would be packed and what is left out")
	return cmd
}

// NewKliCreateCommand returns pack as kli has it below "krt".
func NewKliCreateCommand(s term.Streams) *cobra.Command {
	o := packOptions{streams: s}
	return &cobra.Command{
		Use:     "create DIR FILE",
		Short:   "Pack a version into a .krt file",
		Example: `  kn-krt krt create my-version my-version.krt`,
		Args:    term.Arguments(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.program, o.dir, o.output = cmd.Root().DisplayName(), args[0], args[1]
			return runPack(cmd.Context(), o)
		},
	}
}

func runPack(ctx context.Context, o packOptions) error {
	b, err := OpenToShip(ctx, o.streams, o.dir)
	if err != nil {
		return err
	}
	defer b.Close()
	if o.list {
		return printList(o.streams.Out, b.Listed)
	}
	if o.output == "" {
		o.output = b.Manifest.Version + ".krt"
	}
	if err := checkPackOutput(o.output, b.Listed); err != nil {
		return err
	}
	WarnLeftOut(o.streams.Err, b.Listed)
	size, entries, err := packTo(ctx, b.Dir, o.output)
	if err != nil {
		return err
	}
	fmt.Fprintf(o.streams.Out, "Packed version %s as %s: %s, %s\n",
		b.Manifest.Version, o.output, legible.Count(entries, "entry"), legible.Bytes(size))
	return nil
}

// packTo packs dir into the file to, which appears when it is complete, or not at all.
func packTo(ctx context.Context, dir, to string) (size int64, entries int, err error) {
	// The name keeps it out of the bundle if it is in dir.
	f, err := os.CreateTemp(filepath.Dir(to), ".kn-krt-*.krt")
	if err != nil {
		return 0, 0, fmt.Errorf("cannot write bundle: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	err = packInto(ctx, f, dir, to)
	if err == nil {
		size, entries, err = measure(f)
	}
	// The mode that os.Create gives; CreateTemp keeps others out.
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err != nil {
		return 0, 0, err
	}
	return size, entries, os.Rename(f.Name(), to)
}

// packInto packs dir into f, which is to be the file to.
func packInto(ctx context.Context, f io.Writer, dir, to string) error {
	out := &target{Writer: f}
	err := archive.Pack(ctx, dir, out, archive.PackOptions{Ignore: ignoreOutput(dir, to)})
	if out.err != nil { // not an error of the file that was being packed
		return fmt.Errorf("cannot write %q: %w", to, untrusted.Reason(out.err))
	}
	return err
}

// target keeps the error of writing, so that it is not taken for one of reading.
type target struct {
	io.Writer
	err error
}

// Write implements io.Writer.
func (t *target) Write(p []byte) (int, error) {
	n, err := t.Writer.Write(p)
	if err != nil {
		t.err = err
	}
	return n, err
}

// ignoreOutput is the pattern that leaves an earlier bundle at to out of the next
// one, if it is in dir.
func ignoreOutput(dir, to string) []string {
	to, err := filepath.Abs(to)
	if err != nil {
		return nil
	}
	inside, err := filepath.Rel(dir, to)
	if err != nil || !filepath.IsLocal(inside) {
		return nil
	}
	return []string{"/" + filepath.ToSlash(inside)}
}

// measure returns the size of a bundle in bytes, and how many entries it has.
func measure(f *os.File) (size int64, entries int, err error) {
	if size, err = f.Seek(0, io.SeekEnd); err != nil {
		return 0, 0, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return 0, 0, err
	}
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		return 0, 0, err
	}
	for tarball := tar.NewReader(unzipped); ; entries++ {
		if _, err := tarball.Next(); errors.Is(err, io.EOF) {
			return size, entries, nil
		} else if err != nil {
			return 0, 0, err
		}
	}
}
