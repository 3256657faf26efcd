package bundle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/mod/modfile"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/legible"
	"krt.dev/kn-krt/pkg/schema"
	"krt.dev/kn-krt/pkg/schema/gen"
)

// goProtoFolder is the folder for a Go node's generated code, unless there is some
// in another folder already.
const goProtoFolder = "proto"

type generateOptions struct {
	streams term.Streams
	program string
	dir     string
	check   bool
}

func newGenerateCommand(s term.Streams) *cobra.Command {
	o := generateOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "generate [DIR]",
		Short: "Generate code from a version's protos",
		Long: `Generate the code that nodes need from the protos of the version in DIR (default: the
current folder): *_pb2.py next to each Python node, *.pb.go in the folder proto of each
Go node. Neither protoc nor a plugin is needed.

Each Python node gets the modules of all protos, also of those that it does not import;
--check expects all of them.`,
		Example: `  kn-krt generate
  kn-krt generate my-version --check`,
		Args: term.Arguments(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.program, o.dir = cmd.Root().DisplayName(), PathArgument(args)
			if filepath.Ext(o.dir) == ".krt" {
				return term.UsageError(cmd, "%s is a packed bundle: name a folder", o.dir)
			}
			return runGenerate(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVar(&o.check, "check", false, "write nothing; exit with 1 if a file would change")
	return cmd
}

func runGenerate(ctx context.Context, o generateOptions) error {
	b, err := Open(ctx, o.streams, o.dir)
	if err != nil {
		return err
	}
	defer b.Close()
	files, err := generated(ctx, b.Bundle)
	if err != nil {
		return err
	}
	root, err := b.Open()
	if err != nil {
		return err
	}
	defer root.Close()
	changed, err := o.applyAll(root, files)
	if err != nil {
		return err
	}
	switch {
	case o.check && changed > 0:
		return term.WithHint(fmt.Errorf("generated code of version %q is not up to date: %s", b.Manifest.Version, legible.Count(changed, "file")),
			"Generate it again with '%s generate %s'.", o.program, o.dir)
	case o.check:
		fmt.Fprintf(o.streams.Out, "Generated code of version %s is up to date: %s\n", b.Manifest.Version, legible.Count(len(files), "file"))
	default:
		fmt.Fprintf(o.streams.Out, "Generated code of version %s: %s, %d changed\n", b.Manifest.Version, legible.Count(len(files), "file"),
			changed)
	}
	return nil
}

// applyAll writes the files that differ from those in root, or with --check reports
// them, and returns how many do.
func (o generateOptions) applyAll(root *os.Root, files []gen.File) (changed int, err error) {
	for _, f := range files {
		old, err := root.ReadFile(f.Path)
		if err == nil && bytes.Equal(old, f.Content) {
			continue
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, fmt.Errorf("cannot read generated code: %w", err)
		}
		changed++
		if err := o.apply(root, f, err == nil); err != nil {
			return 0, err
		}
	}
	return changed, nil
}

// apply writes f, or with --check reports it.
func (o generateOptions) apply(root *os.Root, f gen.File, there bool) error {
	switch {
	case o.check && there:
		fmt.Fprintf(o.streams.Out, "stale: %s\n", legible.Printable(f.Path))
		return nil
	case o.check:
		fmt.Fprintf(o.streams.Out, "missing: %s\n", legible.Printable(f.Path))
		return nil
	}
	fmt.Fprintf(o.streams.Out, "wrote %s\n", legible.Printable(f.Path))
	return writeFile(root, f.Path, f.Content)
}

// generated returns the code that the nodes of b need of its protos, with paths
// from the bundle's root.
func generated(ctx context.Context, b *krt.Bundle) ([]gen.File, error) {
	all, err := schema.CompileAll(ctx, b.FS(), schema.Options{Entry: b.Manifest.Entrypoint.Proto})
	if err != nil {
		return nil, fmt.Errorf("cannot generate code: %w", err)
	}
	sources, err := nodeSources(b, nil)
	if err != nil {
		return nil, err
	}
	var files []gen.File
	for _, s := range sources {
		made, err := generatedFor(b, s, all)
		if err != nil {
			return nil, fmt.Errorf("cannot generate code for node %q: %w", s.nodes[0], err)
		}
		files = append(files, made...)
	}
	return files, nil
}

// generatedFor returns the code for one source folder.
func generatedFor(b *krt.Bundle, s source, all *schema.Schema) ([]gen.File, error) {
	if s.kind == krt.KindPython {
		files, err := gen.Python(all)
		return below(s.folder, files), err
	}
	folder, err := goCodeFolder(b.FS(), s.folder)
	if err != nil {
		return nil, err
	}
	importPath, err := goImportPath(b.FS(), folder)
	if err != nil {
		return nil, err
	}
	files, err := gen.Go(all, gen.GoOptions{ImportPath: importPath})
	return below(folder, files), err
}

// below puts files into folder.
func below(folder string, files []gen.File) []gen.File {
	for i := range files {
		files[i].Path = path.Join(folder, files[i].Path)
	}
	return files
}

// goCodeFolder is the folder for generated code below a node's folder.
func goCodeFolder(fsys fs.FS, folder string) (string, error) {
	found := path.Join(folder, goProtoFolder)
	err := fs.WalkDir(fsys, folder, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && strings.HasSuffix(name, ".pb.go") {
			found = path.Dir(name)
			return fs.SkipAll
		}
		return err
	})
	return found, err
}

// goImportPath is the import path of a folder of the bundle: that of the nearest
// go.mod and what is below it.
func goImportPath(fsys fs.FS, folder string) (string, error) {
	for dir := folder; ; dir = path.Dir(dir) {
		text, err := fs.ReadFile(fsys, path.Join(dir, "go.mod"))
		if err == nil {
			module := modfile.ModulePath(text)
			if module == "" {
				return "", fmt.Errorf("%s has no module line", path.Join(dir, "go.mod"))
			}
			return path.Join(module, strings.TrimPrefix(strings.TrimPrefix(folder, dir), "/")), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if dir == "." {
			return folder, nil
		}
	}
}
