package remote

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
	"krt.dev/kn-krt/pkg/runner/store/query"
)

type dataOptions struct {
	streams term.Streams
	query   string
	name    string
	all     bool
}

func newDataCommand(s term.Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "data",
		Short: "List, find, export, import and delete what versions have saved",
		Long: `Read and change what the versions of a namespace have saved in the cluster's store:
documents, predictions and measurements. You must be allowed to read Secrets in the
namespace, and a version there must have been started.

An export has a JSON object on each line, which an import reads: a pipe moves the data of
one namespace or cluster to another.`,
		Example: `  kn-krt data list -n kre
  kn-krt data export -n kre | kn-krt data import -n kre --context other`,
		Args: term.Arguments(cobra.NoArgs),
	}
	cmd.AddCommand(newDataList(s), newDataFind(s), newDataExport(s), newDataImport(s), newDataDelete(s))
	return cmd
}

// dataCommand completes a command that uses the store.
func dataCommand(cmd *cobra.Command, run func(context.Context, *data.Client, []string) error) *cobra.Command {
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return connected(cmd, func(ctx context.Context, c *Cluster) error {
			client, end, err := c.Data(ctx)
			if err != nil {
				return err
			}
			defer end()
			return run(ctx, client, args)
		})
	}
	NamespaceFlag(cmd)
	return cmd
}

func newDataList(s term.Streams) *cobra.Command {
	return dataCommand(&cobra.Command{
		Use: "list", Short: "List the collections of documents", Args: term.Arguments(cobra.NoArgs),
		Example: `  kn-krt data list`,
	}, func(ctx context.Context, c *data.Client, _ []string) error {
		list, err := c.Collections(ctx)
		if err != nil {
			return err
		}
		return term.WriteTable(s.Out, []term.Column[data.Collection]{
			{Head: "COLLECTION", Cell: func(c data.Collection) string { return c.Name }},
			{Head: "DOCUMENTS", Cell: func(c data.Collection) string { return fmt.Sprint(c.Documents) }},
		}, list)
	})
}

func newDataFind(s term.Streams) *cobra.Command {
	o := dataOptions{streams: s}
	var parsed map[string]any
	cmd := dataCommand(&cobra.Command{
		Use: "find COLLECTION", Short: "Print the documents of a collection, one on each line", Args: term.Arguments(cobra.ExactArgs(1)),
		Example: `  kn-krt data find rooms --query '{"beds": {"$gt": 2}}'`,
	}, func(ctx context.Context, c *data.Client, args []string) error {
		out := bufio.NewWriter(s.Out)
		err := c.Find(ctx, args[0], parsed, func(e data.Entry) error {
			_, err := fmt.Fprintf(out, "%s\n", e.Value)
			return err
		})
		return term.Join(err, out.Flush())
	})
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) (err error) { // before it connects
		parsed, err = o.parseQuery(cmd)
		return err
	}
	o.queryFlag(cmd)
	return cmd
}

func newDataExport(s term.Streams) *cobra.Command {
	return dataCommand(&cobra.Command{
		Use: "export", Short: "Print everything that was saved, one entry on each line", Args: term.Arguments(cobra.NoArgs),
		Example: `  kn-krt data export > kre.jsonl
  kn-krt data export -n kre | kn-krt data import -n kre --context other`,
	}, func(ctx context.Context, c *data.Client, _ []string) error {
		out := bufio.NewWriter(s.Out)
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		err := c.Export(ctx, func(e data.Entry) error { return encoder.Encode(e) })
		return term.Join(err, out.Flush())
	})
}

func newDataImport(s term.Streams) *cobra.Command {
	return dataCommand(&cobra.Command{
		Use: "import", Short: "Save the entries of an export, which it reads from standard input", Args: term.Arguments(cobra.NoArgs),
		Long: `Save the entries of an export. Documents that are there, by their _id, are skipped;
predictions and measurements are saved again.`,
		Example: `  kn-krt data import < kre.jsonl`,
	}, func(ctx context.Context, c *data.Client, _ []string) error {
		done, err := c.Import(ctx, s.In)
		fmt.Fprintf(s.Out, "%d saved, %d skipped\n", done.Saved, done.Skipped)
		return err
	})
}

func newDataDelete(s term.Streams) *cobra.Command {
	o := dataOptions{streams: s}
	var selected data.Deletion
	cmd := dataCommand(&cobra.Command{
		Use: "delete documents COLLECTION | predictions | measurements", Short: "Delete what was saved",
		Args: term.Arguments(cobra.RangeArgs(1, 2)),
		Long: `Delete documents of a collection that match a query, measurements of a name, or, with
--all, everything of one of these kinds or of a collection. Nothing of it can be restored:
export it first.`,
		Example: `  kn-krt data delete documents rooms --query '{"beds": 0}'
  kn-krt data delete measurements --name temperature
  kn-krt data delete predictions --all`,
	}, func(ctx context.Context, c *data.Client, _ []string) error {
		n, err := c.Delete(ctx, selected)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(s.Out, "%d deleted\n", n)
		return err
	})
	cmd.PreRunE = func(cmd *cobra.Command, args []string) (err error) { // before it connects
		selected, err = o.deletion(cmd, args)
		return err
	}
	o.queryFlag(cmd)
	cmd.Flags().StringVar(&o.name, "name", "", "of measurements: only those of this name")
	cmd.Flags().BoolVar(&o.all, "all", false, "delete all documents of the collection, all predictions or all measurements")
	return cmd
}

// deletion returns what the command line selects. What does not fit the kind is refused, and
// so is everything of a kind or collection unless --all is given.
func (o *dataOptions) deletion(cmd *cobra.Command, args []string) (d data.Deletion, err error) {
	d = data.Deletion{Kind: data.Kind(args[0]), Name: o.name}
	if len(args) == 2 {
		d.Collection = args[1]
	}
	selectors := map[data.Kind]string{data.Documents: "query", data.Measurements: "name"} // predictions have none
	for kind, flag := range selectors {
		switch {
		case cmd.Flags().Changed(flag) && d.Kind != kind:
			return d, term.UsageError(cmd, "--%s selects %s only", flag, kind)
		case cmd.Flags().Changed(flag) && o.all:
			return d, term.UsageError(cmd, "--%s and --all exclude each other", flag)
		}
	}
	if cmd.Flags().Changed("name") && o.name == "" {
		return d, term.UsageError(cmd, "--name is empty")
	}
	if err := d.Check(); err != nil {
		return d, term.UsageError(cmd, "%w", err)
	}
	if flag := selectors[d.Kind]; !o.all && (flag == "" || !cmd.Flags().Changed(flag)) {
		if flag == "" {
			return d, term.UsageError(cmd, "give --all to delete all %s", d.Kind)
		}
		return d, term.UsageError(cmd, "give --%s, or --all to delete all %s", flag, strings.Join(args, " "))
	}
	if d.Kind == data.Documents {
		d.Query, err = o.parseQuery(cmd)
	}
	return d, err
}

func (o *dataOptions) queryFlag(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&o.query, "query", "q", "{}", "which documents, as for ctx.db.find")
}

// parseQuery returns the query, which the store would not refuse.
func (o *dataOptions) parseQuery(cmd *cobra.Command) (parsed map[string]any, err error) {
	decoder := json.NewDecoder(strings.NewReader(o.query))
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
