// Package saved is the verb data: it lists, finds, exports, imports and deletes what versions
// have saved, on this machine or on a cluster, which is passed in as a [Cluster].
package saved

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/data"
	"krt.dev/kn-krt/pkg/legible"
	"krt.dev/kn-krt/pkg/runner/store/query"
)

// verb is the command of this package.
const verb = "data"

// NewCommand returns the verb data. Data on a cluster is reached through c.
func NewCommand(s term.Streams, c Cluster) *cobra.Command {
	cmd := &cobra.Command{
		Use:   verb,
		Short: "List, find, export, import and delete what versions have saved",
		Long: `Read and change what versions have saved: documents, predictions and measurements.

Without a flag it is what the version has saved that runs on this machine; with --path, what
another one has, also if it has stopped. With -n, or another flag for a cluster, it is what
the versions of a namespace have saved in the cluster's store: you must be allowed to read
Secrets in the namespace, and a version there must have been started.

An export has a JSON object on each line, which an import reads: a pipe moves data from
one place to another.`,
		Example: `  kn-krt data list
  kn-krt data find rooms -n kre --query '{"beds": {"$gt": 2}}'
  kn-krt data export --path price-estimator | kn-krt data import -n kre`,
		Args: term.Arguments(cobra.NoArgs),
	}
	cmd.AddCommand(newList(s, c), newFind(s, c), newExport(s, c), newImport(s, c), newDelete(s, c))
	return cmd
}

// command completes a command that uses the place which its flags name.
func command(cmd *cobra.Command, c Cluster, w *where, run func(context.Context, *Place, []string) error) *cobra.Command {
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, err := w.open(cmd, c)
		if err != nil {
			return err
		}
		return term.Join(run(cmd.Context(), p, args), p.End())
	}
	c.Flags(cmd)
	w.addFlags(cmd)
	return cmd
}

func newList(s term.Streams, c Cluster) *cobra.Command {
	return command(&cobra.Command{
		Use: "list", Short: "List the collections of documents", Args: term.Arguments(cobra.NoArgs),
		Example: `  kn-krt data list`,
	}, c, &where{}, func(ctx context.Context, p *Place, _ []string) error {
		list, err := p.Collections(ctx)
		if err != nil {
			return err
		}
		return term.WriteTable(s.Out, []term.Column[data.Collection]{
			{Head: "COLLECTION", Cell: func(c data.Collection) string { return c.Name }},
			{Head: "DOCUMENTS", Cell: func(c data.Collection) string { return fmt.Sprint(c.Documents) }},
		}, list)
	})
}

func newFind(s term.Streams, c Cluster) *cobra.Command {
	var text string
	var parsed map[string]any
	cmd := command(&cobra.Command{
		Use: "find COLLECTION", Short: "Print the documents of a collection, one on each line", Args: term.Arguments(cobra.ExactArgs(1)),
		Example: `  kn-krt data find rooms --query '{"beds": {"$gt": 2}}'`,
	}, c, &where{}, func(ctx context.Context, p *Place, args []string) error {
		out := bufio.NewWriter(s.Out)
		err := p.Find(ctx, args[0], parsed, func(e data.Entry) error {
			_, err := fmt.Fprintf(out, "%s\n", legible.PrintableJSON(e.Value))
			return err
		})
		return term.Join(err, out.Flush())
	})
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) (err error) { // before it connects
		parsed, err = parseQuery(cmd, text)
		return err
	}
	queryFlag(cmd, &text)
	return cmd
}

func newExport(s term.Streams, c Cluster) *cobra.Command {
	return command(&cobra.Command{
		Use: "export", Short: "Print everything that was saved, one entry on each line", Args: term.Arguments(cobra.NoArgs),
		Example: `  kn-krt data export > kre.jsonl
  kn-krt data export --path price-estimator | kn-krt data import -n kre`,
	}, c, &where{}, func(ctx context.Context, p *Place, _ []string) error {
		out := bufio.NewWriter(s.Out)
		encoder := term.NewEncoder(out)
		err := p.Export(ctx, func(e data.Entry) error { return encoder.Encode(e) })
		return term.Join(err, out.Flush())
	})
}

func newImport(s term.Streams, c Cluster) *cobra.Command {
	return command(&cobra.Command{
		Use: "import", Short: "Save the entries of an export, which it reads from standard input", Args: term.Arguments(cobra.NoArgs),
		Long: `Save the entries of an export. Documents that are there, by their _id, are skipped;
predictions and measurements are saved again.`,
		Example: `  kn-krt data import < kre.jsonl`,
	}, c, &where{create: true}, func(ctx context.Context, p *Place, _ []string) error {
		done, err := p.Import(ctx, s.In)
		fmt.Fprintf(s.Out, "%d saved, %d skipped\n", done.Saved, done.Skipped)
		return err
	})
}

func queryFlag(cmd *cobra.Command, text *string) {
	cmd.Flags().StringVarP(text, "query", "q", "{}", "which documents, as for ctx.db.find")
}

// parseQuery returns the query, which the store would not refuse.
func parseQuery(cmd *cobra.Command, text string) (parsed map[string]any, err error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber() // integers of 64 bits stay exact
	if err := decoder.Decode(&parsed); err != nil {
		return nil, term.UsageError(cmd, "--query is not a JSON object: %w", err)
	}
	if _, err := decoder.Token(); parsed == nil || !errors.Is(err, io.EOF) {
		return nil, term.UsageError(cmd, "--query is not one JSON object")
	}
	if _, err := query.Parse(parsed); err != nil {
		return nil, term.UsageError(cmd, "--query: %w", err)
	}
	return parsed, nil
}
