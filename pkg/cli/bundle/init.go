package bundle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/bundle/scaffold"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/runner"
)

type initOptions struct {
	streams  term.Streams
	program  string
	name     string
	language string
	template string
}

func newInitCommand(s term.Streams) *cobra.Command {
	o := initOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "init NAME --language python|go",
		Short: "Create the folder of a new version",
		Long: `Create a version called NAME in a new folder of that name: a manifest, a contract, nodes
with tests, and the code generated from the contract. It is ready to run.

  --template go|python          one node that greets; --language is the same
  --template python-go          a node in Python, then one in Go, with a message between them
  --template python-sklearn     a small model of scikit-learn, trained by a script next to it;
                                needs scikit-learn for Python (Debian: python3-sklearn)
  --template python-llm-stream  a very small language model, whose words the client gets as they
                                are written; needs nothing else

Editors complete and check the manifest by ` + scaffold.SchemaFile + `, which is created, too,
and never packed: see the command schema.`,
		Example: `  kn-krt init my-version --language python
  kn-krt init my-version --template python-sklearn`,
		Args: term.Arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case o.language != "" && o.template != "":
				return term.UsageError(cmd, "--language and --template exclude each other")
			case o.template == "" && o.language == "":
				return term.UsageError(cmd, "--language is required: %s, or --template", strings.Join(scaffold.Languages(), " or "))
			}
			o.program, o.name, o.template = cmd.Root().DisplayName(), args[0], cmp.Or(o.template, o.language)
			return runInit(cmd.Context(), o)
		},
	}
	term.Choice{Name: "language", Short: "l", Usage: "language of the first node", Of: scaffold.Languages()}.AddTo(cmd, &o.language)
	term.Choice{Name: "template", Short: "t", Usage: "kind of version", Of: scaffold.Templates()}.AddTo(cmd, &o.template)
	return cmd
}

func runInit(ctx context.Context, o initOptions) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("cannot create version %q: %w", o.name, err)
		}
	}()
	if _, err := os.Lstat(o.name); !errors.Is(err, fs.ErrNotExist) {
		if err != nil {
			return err
		}
		return term.WithHint(fmt.Errorf("%s already exists", o.name), "Choose another name, or remove it first.")
	}
	// The folder appears when it is complete, or not at all.
	temp, err := os.MkdirTemp(".", ".kn-krt-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	// A folder in it, because MkdirTemp keeps others out, and this one has the mode of the user's umask.
	dir := filepath.Join(temp, "version")
	if err := os.Mkdir(dir, 0o777); err != nil {
		return err
	}
	call, err := writeVersion(ctx, o, dir)
	if err != nil {
		return err
	}
	if err := os.Rename(dir, o.name); err != nil {
		return err
	}
	fmt.Fprintf(o.streams.Out, `Created version %[1]s in folder %[1]s. Next:
  %[2]s run %[1]s
  %[2]s invoke %[3]s
`, o.name, o.program, call)
	return nil
}

// writeVersion writes the version that o asks for into the empty folder dir, and returns how to call it.
func writeVersion(ctx context.Context, o initOptions, dir string) (call string, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", err
	}
	defer root.Close()
	sdkModule, err := runner.Source.ReadFile("go.mod")
	if err != nil {
		return "", err
	}
	schema, err := krt.JSONSchema()
	if err != nil {
		return "", err
	}
	call, err = scaffold.Write(root, scaffold.Options{
		Name: o.name, Template: o.template, Program: o.program, SDKModule: sdkModule, Schema: schema,
	})
	if err != nil {
		return "", err
	}
	return call, completeVersion(ctx, o.name, dir, root)
}

// completeVersion checks what was written into dir, which is root, and adds the generated code.
func completeVersion(ctx context.Context, name, dir string, root *os.Root) error {
	// The manifest's own rules check the name.
	bundle, problems, err := krt.Load(ctx, dir, krt.Options{})
	if err != nil {
		return err
	}
	if problems.HasErrors() {
		// The name is in the whole error already.
		if text, ok := strings.CutPrefix(problems[0].Text, fmt.Sprintf("version %q ", name)); ok {
			return errors.New("the name " + text)
		}
		return errors.New(problems[0].Text)
	}
	files, err := generated(ctx, bundle)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := writeFile(root, f.Path, f.Content); err != nil {
			return err
		}
	}
	return nil
}
