package saved

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/data"
	"krt.dev/kn-krt/pkg/legible"
)

type deleteOptions struct {
	streams term.Streams
	query   string
	name    string
	all     bool
	yes     bool
	// selected is what these select.
	selected data.Deletion
}

// errUnconfirmed is returned if nobody has confirmed a deletion.
var errUnconfirmed = errors.New("the deletion was not confirmed: nothing is deleted")

func newDelete(s term.Streams, c Cluster) *cobra.Command {
	o := deleteOptions{streams: s}
	cmd := command(&cobra.Command{
		Use: "delete documents COLLECTION | predictions | measurements", Short: "Delete what was saved",
		Args: term.Arguments(cobra.RangeArgs(1, 2)),
		Long: `Delete documents of a collection that match a query, measurements of a name, or, with
--all, everything of one of these kinds or of a collection. It is printed first what and how
much that is, and you are asked to confirm it; without a terminal --yes is required. Nothing
of it can be restored: export it first.`,
		Example: `  kn-krt data delete documents rooms --query '{"beds": 0}'
  kn-krt data delete measurements --name temperature
  kn-krt data delete predictions --all -n kre --yes`,
	}, c, &where{}, func(ctx context.Context, p *Place, _ []string) error { return o.run(ctx, p) })
	cmd.PreRunE = func(cmd *cobra.Command, args []string) (err error) { // before it connects
		o.selected, err = o.deletion(cmd, args)
		return err
	}
	queryFlag(cmd, &o.query)
	cmd.Flags().StringVar(&o.name, "name", "", "of measurements: only those of this name")
	cmd.Flags().BoolVar(&o.all, "all", false, "delete all documents of the collection, all predictions or all measurements")
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "delete without asking")
	return cmd
}

// deletion returns what the command line selects. What does not fit the kind is refused, and
// so is everything of a kind or collection unless --all is given.
func (o *deleteOptions) deletion(cmd *cobra.Command, args []string) (d data.Deletion, err error) {
	d = data.Deletion{Kind: data.Kind(args[0]), Name: o.name}
	if len(args) == 2 {
		d.Collection = args[1]
	}
	flag, err := o.selector(cmd, d.Kind)
	if err != nil {
		return d, err
	}
	if err := d.Check(); err != nil {
		return d, term.UsageError(cmd, "%w", err)
	}
	switch {
	case o.all || flag != "" && cmd.Flags().Changed(flag):
	case flag == "":
		return d, term.UsageError(cmd, "give --all to delete all %s", d.Kind)
	default:
		return d, term.UsageError(cmd, "give --%s, or --all to delete all %s", flag, strings.Join(args, " "))
	}
	if d.Kind == data.Documents {
		d.Query, err = parseQuery(cmd, o.query)
	}
	return d, err
}

// selector returns the flag that selects of a kind, none for predictions. It refuses that of
// another kind.
func (o *deleteOptions) selector(cmd *cobra.Command, of data.Kind) (string, error) {
	selectors := map[data.Kind]string{data.Documents: "query", data.Measurements: "name"}
	for kind, flag := range selectors {
		switch {
		case cmd.Flags().Changed(flag) && of != kind:
			return "", term.UsageError(cmd, "--%s selects %s only", flag, kind)
		case cmd.Flags().Changed(flag) && o.all:
			return "", term.UsageError(cmd, "--%s and --all exclude each other", flag)
		}
	}
	if cmd.Flags().Changed("name") && o.name == "" {
		return "", term.UsageError(cmd, "--name is empty")
	}
	return selectors[of], nil
}

func (o *deleteOptions) run(ctx context.Context, p *Place) error {
	n, err := p.Count(ctx, o.selected)
	if err != nil {
		return err
	}
	fmt.Fprintf(o.streams.Err, "%s %s\n", selects(o.selected, n), legible.Line("in "+p.Name, maxName))
	if err := o.confirm(ctx, n); err != nil {
		return err
	}
	if n > 0 {
		if n, err = p.Delete(ctx, o.selected); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(o.streams.Out, "%d deleted\n", n)
	return err
}

// selects is what a deletion is about, in words.
func selects(d data.Deletion, n int64) string {
	noun := legible.Count(int(n), strings.TrimSuffix(string(d.Kind), "s"))
	switch {
	case len(d.Query) > 0:
		query, _ := json.Marshal(d.Query) // it was JSON
		return fmt.Sprintf("%s of the collection %q matching %s", noun, d.Collection, legible.Line(string(query), maxName))
	case d.Kind == data.Documents:
		return fmt.Sprintf("%s, all of the collection %q,", noun, d.Collection)
	case d.Name != "":
		return fmt.Sprintf("%s with the name %q", noun, d.Name)
	}
	return noun + ", all that are kept,"
}

// confirm asks whether to delete, unless there is nothing to delete or it was said before.
func (o *deleteOptions) confirm(ctx context.Context, n int64) error {
	if o.yes || n == 0 {
		return nil
	}
	return o.streams.Consent(ctx, "Delete them? They cannot be restored.", errUnconfirmed, "Add --yes to delete them.")
}
