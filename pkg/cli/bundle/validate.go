package bundle

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/legible"
	"krt.dev/kn-krt/pkg/pyrunner"
)

// errInvalid is returned when the problems have been printed already.
var errInvalid = errors.New("invalid version")

type validateOptions struct {
	streams term.Streams
	path    string
	verbose bool
	output  string
}

// NewValidateCommand returns the verb validate.
func NewValidateCommand(s term.Streams) *cobra.Command {
	o := validateOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "validate [DIR|krt.yml|FILE.krt]",
		Short: "Check a version's manifest, protos and files",
		Long: `Check a version: the manifest, the protos it names and the files it needs. All problems
are printed at once, with file and line. The default is the version in the current
folder. Where there is a Python for its nodes, their files are compiled too; no code of
the version is run.

Exits with 0 if there are no errors (warnings are allowed), else with 1.`,
		Example: `  kn-krt validate
  kn-krt validate my-version -v
  kn-krt validate my-version.krt -o json`,
		Args: term.Arguments(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.path = PathArgument(args)
			return runValidate(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVarP(&o.verbose, "verbose", "v", false, "also print notes: what runs each node, what is accepted but ignored")
	term.OutputFlag(cmd, &o.output)
	return cmd
}

func runValidate(ctx context.Context, o validateOptions) error {
	b, err := openWith(ctx, o.path, krt.Options{Contents: true, Check: compilePython})
	if err != nil {
		return err
	}
	defer b.Close()
	if o.output == term.OutputJSON {
		err = term.PrintJSON(o.streams.Out, newReport(b, o.verbose))
	} else {
		err = printReport(o, b)
	}
	if err != nil {
		return err
	}
	if b.problems.HasErrors() {
		return term.Printed(errInvalid)
	}
	return nil
}

func printReport(o validateOptions, b *Opened) error {
	out := o.streams.Out
	for _, p := range b.problems {
		if o.verbose || !p.Note {
			fmt.Fprintln(out, p)
		}
	}
	if b.problems.HasErrors() {
		_, err := fmt.Fprintf(out, "%s: %s\n", shown(o.path), summary(b.problems))
		return err
	}
	if o.verbose {
		for _, line := range nodeNotes(b.Bundle) {
			fmt.Fprintln(out, line)
		}
	}
	m := b.Manifest
	text := fmt.Sprintf("%s: version %s is valid: %s, %s", shown(o.path), m.Version,
		legible.Count(len(m.Nodes), "node"), legible.Count(len(m.Workflows), "workflow"))
	if warnings := summary(b.problems); warnings != "" {
		text += ", " + warnings
	}
	_, err := fmt.Fprintln(out, text)
	return err
}

// nodeNotes lists what runs each node on this machine.
func nodeNotes(b *krt.Bundle) []string {
	var notes []string
	python := false
	for _, n := range b.Manifest.Nodes {
		kind := b.Kind(n)
		python = python || kind == krt.KindPython
		notes = append(notes, fmt.Sprintf("note: node %q runs as %v", n.Name, kind))
		if generation, ok := b.Generation(n); ok {
			notes = append(notes, fmt.Sprintf("note: node %q %v", n.Name, generation))
		}
		if files := b.Manifest.Config.Files; len(files) > 0 {
			notes = append(notes, fmt.Sprintf("note: node %q gets %s", n.Name, filesNote(n, files[0])))
		}
	}
	if !python {
		return notes
	}
	interpreter, err := pyrunner.FindPython(os.Getenv)
	if err != nil {
		return append(notes, fmt.Sprintf("note: Python nodes cannot run on this machine: %v", err))
	}
	for _, note := range pyrunner.PassedOver(os.Getenv, b.Dir, interpreter) {
		notes = append(notes, "note: "+note)
	}
	return append(notes, "note: Python nodes run with "+interpreter)
}

// filesNote is what the variable of a config file holds for n.
func filesNote(n krt.Node, file string) string {
	if !n.FileContent() {
		return fmt.Sprintf("the path of a config file in $%s", file)
	}
	return fmt.Sprintf("the content of a config file in $%s, and its path in $%s%s: its image is a runner of the original platform",
		file, file, krt.FilePathSuffix)
}

// report is what validate -o json prints.
type report struct {
	Valid    bool            `json:"valid"`
	Version  string          `json:"version,omitempty"`
	Problems []reportProblem `json:"problems"`
}

type reportProblem struct {
	File     string `json:"file"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Severity string `json:"severity"`
	Text     string `json:"text"`
}

func newReport(b *Opened, notes bool) report {
	r := report{Valid: !b.problems.HasErrors(), Problems: []reportProblem{}}
	if b.Bundle != nil {
		r.Version = b.Manifest.Version
	}
	for _, p := range b.problems {
		if p.Note && !notes {
			continue
		}
		r.Problems = append(r.Problems, reportProblem{
			File: p.Name(), Line: p.Line, Column: p.Column, Severity: severity(p), Text: p.Text,
		})
	}
	return r
}

func severity(p krt.Problem) string {
	switch {
	case p.Note:
		return "note"
	case p.Warning:
		return "warning"
	default:
		return "error"
	}
}
