package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/legible"
)

// completionMark is the last line of a script that 'completion install' wrote. It is the last one
// because zsh reads the first.
const completionMark = "# Written by 'kn-krt completion install', which may overwrite this file."

// maxCompletion is how much is read of a file that may be overwritten, in bytes: a script has about 20 KB.
const maxCompletion = 1 << 20

// shell is one for which completions can be installed.
type shell struct {
	name string
	// path is the file that the shell reads.
	path func(home string, getenv func(string) string) string
	// script writes it.
	script func(root *cobra.Command, w io.Writer) error
	// more is what is needed besides, for people.
	more string
}

func shells() []shell {
	return []shell{
		{"bash", bashCompletions,
			func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) },
			"A new shell has it, if the package bash-completion is installed."},
		{"zsh", func(home string, getenv func(string) string) string {
			return filepath.Join(xdg(getenv, "XDG_DATA_HOME", home, ".local/share"), "zsh", "site-functions", "_kn-krt")
		}, func(root *cobra.Command, w io.Writer) error { return root.GenZshCompletion(w) },
			"zsh reads the folders in fpath: add this line to ~/.zshrc, before compinit, and start a new shell:\n  fpath=(%s $fpath)"},
		{"fish", func(home string, getenv func(string) string) string {
			return filepath.Join(xdg(getenv, "XDG_CONFIG_HOME", home, ".config"), "fish", "completions", "kn-krt.fish")
		}, func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) }, "A new shell has it."},
	}
}

// bashCompletions is the file that bash-completion reads when the command is first completed.
func bashCompletions(home string, getenv func(string) string) string {
	folder, _, _ := strings.Cut(getenv("BASH_COMPLETION_USER_DIR"), ":") // a list since bash-completion 2.12
	if folder == "" {
		folder = filepath.Join(xdg(getenv, "XDG_DATA_HOME", home, ".local/share"), "bash-completion")
	}
	return filepath.Join(folder, "completions", "kn-krt")
}

// xdg is a folder of the user's; the XDG specification ignores a relative one.
func xdg(getenv func(string) string, variable, home, fallback string) string {
	if folder := getenv(variable); filepath.IsAbs(folder) {
		return folder
	}
	return filepath.Join(home, filepath.FromSlash(fallback))
}

// addCompletion adds cobra's command completion to root, with the subcommand install.
func addCompletion(root *cobra.Command, s term.Streams) {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" {
			cmd.Example = "  kn-krt completion install\n  source <(kn-krt completion bash)"
			cmd.AddCommand(newInstallCompletionCommand(s))
		}
	}
}

func newInstallCompletionCommand(s term.Streams) *cobra.Command {
	names := []string{"bash", "zsh", "fish"}
	printPath := false
	cmd := &cobra.Command{
		Use:   "install [bash|zsh|fish]",
		Short: "Write the autocompletion script to where the shell reads it",
		Long: `Write the autocompletion script for kn-krt to the file that the shell reads, by default
for the shell in $SHELL. A file that this command did not write is not overwritten. To
undo it, remove the file.

kn does not ask plugins for completions, so 'kn krt' has none. kubectl does: link the
program as kubectl_complete-krt in a folder on PATH, next to kubectl-krt.`,
		Example: `  kn-krt completion install
  kn-krt completion install zsh --print-path`,
		ValidArgs: names,
		Args:      term.Arguments(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := filepath.Base(os.Getenv("SHELL"))
			switch {
			case len(args) > 0:
				name = args[0]
			case os.Getenv("SHELL") == "":
				return term.UsageError(cmd, "SHELL is not set: name bash, zsh or fish")
			}
			all := shells()
			at := slices.IndexFunc(all, func(one shell) bool { return one.name == name })
			if at < 0 {
				return term.UsageError(cmd, "%q is not bash, zsh or fish: name one of them", name)
			}
			home, err := os.UserHomeDir()
			if err != nil {
				return term.WithHint(errors.New("cannot install completions: HOME is not set"),
					"Set it to your home folder, or use '%s completion %s' to print the script.", cmd.Root().DisplayName(), name)
			}
			path := all[at].path(home, os.Getenv)
			if printPath {
				fmt.Fprintln(s.Out, path)
				return nil
			}
			return all[at].install(cmd.Root(), path, s)
		},
	}
	cmd.Flags().BoolVar(&printPath, "print-path", false, "write nothing; print the path of the file")
	return cmd
}

// install writes the script to path.
func (one *shell) install(root *cobra.Command, path string, s term.Streams) error {
	var script bytes.Buffer
	if err := one.script(root, &script); err != nil {
		return fmt.Errorf("cannot install completions: %w", err)
	}
	fmt.Fprintln(&script, "\n"+completionMark)
	if err := mayWrite(path); err != nil {
		return term.WithHint(fmt.Errorf("cannot install completions: %w", err),
			"Remove or move the file, or use '%s completion %s' to print the script.", root.DisplayName(), one.name)
	}
	if err := replace(path, script.Bytes()); err != nil {
		return fmt.Errorf("cannot install completions: %w", err)
	}
	more := one.more
	if strings.Contains(more, "%s") {
		more = fmt.Sprintf(more, legible.Argument(filepath.Dir(path)))
	}
	fmt.Fprintf(s.Out, "Wrote %s\n%s\n", path, more)
	return nil
}

// mayWrite returns why the file at path may not be overwritten.
func mayWrite(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxCompletion))
	if err == nil && !bytes.HasSuffix(text, []byte("\n"+completionMark+"\n")) {
		err = fmt.Errorf("%s was not written by this command", path)
	}
	return err
}

// replace writes the file at path as a whole, or not at all.
func replace(path string, text []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	file, err := os.CreateTemp(dir, ".kn-krt-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }() // gone after the rename
	_, err = file.Write(text)
	if err = errors.Join(err, file.Chmod(0o644), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
