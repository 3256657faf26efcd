package bundle

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/krt/archive"
)

func newUnpackCommand(s term.Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "unpack FILE [DIR]",
		Short: "Unpack a .krt file",
		Long: `Unpack the bundle FILE into DIR (default: a folder with the bundle's name in the current
folder). DIR must be empty or not exist.

A bundle that is not safe to unpack is refused: the error names the entry, and nothing
is left behind.`,
		Example: `  kn-krt unpack my-version.krt
  kn-krt unpack my-version.krt /srv/versions/my-version`,
		Args: term.Arguments(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := strings.TrimSuffix(filepath.Base(args[0]), ".krt")
			switch {
			case len(args) == 2:
				dir = args[1]
			case dir == filepath.Base(args[0]):
				dir += ".unpacked" // next to the file, not in its place
			}
			return runUnpack(cmd.Context(), s, args[0], dir)
		},
	}
}

func runUnpack(ctx context.Context, s term.Streams, file, dir string) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("cannot open bundle: %w", err)
	}
	defer f.Close()
	if err := archive.Unpack(ctx, f, dir, archive.UnpackOptions{}); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	fmt.Fprintf(s.Out, "Unpacked %s to %s\n", file, dir)
	return nil
}
