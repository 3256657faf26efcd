package requests

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/legible"
)

// defaultLimit is how many requests are listed.
const defaultLimit = 20

type options struct {
	streams term.Streams
	id      string // of the request that is shown; "" for a list
	address string
	follow  bool
	filter  inspection.Filter
	slow    time.Duration
	output  string
}

const long = `List the last requests of a running version, newest first, or show one of them step by
step. An entrypoint keeps its last 256 requests: what became of each, and how long each node
took, in milliseconds. With several replicas all are asked.

With NAME, the requests of that version on the cluster are read, through a connection like
kubectl port-forward's: it takes the right to create pods/portforward. With -n alone, those of
the version that is published in that namespace. Otherwise those of the version that runs on
this machine.

With ID, or the beginning of one, the request is shown in full: a bar for each node (░ it waited for its turn, █ the
handler ran), then what each node received and returned as JSON. A local run keeps the messages
of every request; a version on a cluster only if its manifest allows it (entrypoint.inspect), of
requests that ask for it, such as those of invoke --inspect.

With -f, the last of those that are kept are shown first (--limit), then new requests as they get
their responses. TIME is when a request had its response. With -o json, a list has one
JSON object per line.`

// NewCommand returns the verb requests. Versions on a cluster are reached through c.
func NewCommand(s term.Streams, c Versions) *cobra.Command {
	o := options{streams: s}
	cmd := &cobra.Command{
		Use:   "requests [NAME] [ID]",
		Short: "List the last requests of a running version, or show one step by step",
		Long:  long,
		Example: `  kn-krt requests
  kn-krt requests 4f0c1d2e83ab45d0a2cf6be0b6f0d1aa
  kn-krt requests -f --failed

  # On a cluster
  kn-krt requests price-estimator-v3 --slow 250ms --workflow ny-room-price
  kn-krt requests price-estimator-v3 4f0c1d2e83ab45d0a2cf6be0b6f0d1aa -o json`,
		Args:              term.Arguments(cobra.MaximumNArgs(2)),
		ValidArgsFunction: completeArguments(c),
		RunE: func(cmd *cobra.Command, args []string) error {
			from, err := o.reach(cmd, c, args)
			if err != nil {
				return err
			}
			return o.run(cmd.Context(), from)
		},
	}
	c.Flags(cmd)
	o.addFlags(cmd, c)
	return cmd
}

func (o *options) addFlags(cmd *cobra.Command, c Versions) {
	flags := cmd.Flags()
	o.filter.Limit = defaultLimit
	flags.BoolVarP(&o.follow, "follow", "f", false, "show new requests until interrupted")
	flags.BoolVar(&o.filter.Failed, "failed", false, "show only requests that failed")
	flags.DurationVar(&o.slow, "slow", 0, "show only requests that took longer, such as 250ms")
	flags.StringVar(&o.filter.Workflow, "workflow", "", "show only requests of this workflow")
	flags.StringVar(&o.filter.Node, "node", "", "show only requests that were at this node")
	term.RangeVar(flags, &o.filter.Limit, "limit", [2]int{0, inspection.MaxRequests},
		"show at most this many of those that are kept, the newest; 0 is all, and with -f none")
	flags.StringVar(&o.address, "address", "", AddressUsage)
	term.OutputFlag(cmd, &o.output)
	for _, kind := range []string{"workflow", "node"} {
		// The flags were added just above, so this cannot fail.
		_ = cmd.RegisterFlagCompletionFunc(kind, func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			return c.CompleteNames(cmd, args, kind)
		})
	}
}

// completeArguments suggests versions, then the ids of requests that the version keeps.
func completeArguments(c Versions) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		address := cmd.Flag("address").Value.String()
		var (
			from *Running
			err  error
		)
		switch {
		case len(args) == 0 && address == "":
			return c.Complete(cmd, args, typed)
		case len(args) == 0:
			from, err = Local(cmd.Context(), cmd.Root().DisplayName(), address, "")
		case len(args) == 1 && address == "":
			from, err = c.Requests(cmd, args[0], inspection.Filter{})
		}
		if err != nil || from == nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return ids(cmd.Context(), from), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
}

// completeTimeout bounds how long a shell waits for suggestions.
const completeTimeout = 2 * time.Second

// ids are those of the newest requests for a shell, each with workflow and code.
func ids(ctx context.Context, from *Running) (all []string) {
	ctx, cancel := context.WithTimeout(ctx, completeTimeout)
	defer cancel()
	list, err := from.List(ctx, inspection.Filter{Limit: defaultLimit})
	if err != nil {
		return nil
	}
	for _, r := range list {
		all = append(all, legible.Line(r.ID, maxName)+"\t"+legible.Line(r.Workflow+" "+r.Code, maxName))
	}
	return all
}

// reach reads the arguments and reaches the version that they name.
func (o *options) reach(cmd *cobra.Command, c Versions, args []string) (*Running, error) {
	version, onCluster, err := o.read(cmd, c, args)
	if err != nil {
		return nil, err
	}
	here := func() (*Running, error) { return Local(cmd.Context(), cmd.Root().DisplayName(), o.address, "") }
	if !onCluster {
		return here()
	}
	if len(args) == 1 && !c.Named(cmd) && beginsID(version) {
		if from, err := here(); err == nil {
			if found, err := idsWith(cmd.Context(), from, strings.TrimSuffix(version, "…")); err == nil && len(found) > 0 {
				o.id = version
				return from, o.check(cmd)
			}
		}
	}
	from, err := c.Requests(cmd, version, o.filter)
	if err != nil && !c.Named(cmd) {
		err = NotOnCluster(cmd, version, err)
	}
	return from, err
}

// read reads the arguments: a version on a cluster, or "" for the published one there.
func (o *options) read(cmd *cobra.Command, c Versions, args []string) (version string, onCluster bool, err error) {
	rest := args
	if len(rest) == 2 || len(rest) == 1 && !isID(rest[0]) && o.address == "" {
		version, rest = rest[0], rest[1:]
	}
	onCluster = version != "" || c.Named(cmd)
	if len(rest) == 1 {
		o.id = rest[0]
	}
	o.filter.Slower = o.slow
	if onCluster && o.address != "" {
		return "", false, term.UsageError(cmd, "--address cannot be combined with NAME or with flags for a cluster")
	}
	return version, onCluster, o.check(cmd)
}

// check checks the flags of a list.
func (o *options) check(cmd *cobra.Command) error {
	if o.slow < 0 {
		return term.UsageError(cmd, "--slow must not be negative")
	}
	if o.id == "" {
		return nil
	}
	for _, name := range []string{"follow", "failed", "slow", "workflow", "node", "limit"} {
		if cmd.Flag(name).Changed {
			return term.UsageError(cmd, "--%s cannot be combined with ID", name)
		}
	}
	return nil
}

func (o *options) run(ctx context.Context, from *Running) error {
	switch {
	case o.id != "":
		return o.show(ctx, from)
	case o.follow:
		return o.followAll(ctx, from)
	}
	list, err := from.List(ctx, o.filter)
	if err != nil {
		return err
	}
	switch {
	case o.output == term.OutputJSON:
		for i := range list {
			if err := printLine(o.streams.Out, &list[i]); err != nil {
				return err
			}
		}
		return nil
	case len(list) == 0:
		_, err := fmt.Fprintln(o.streams.Out, "No requests found."+o.seen(ctx, from))
		return err
	}
	return term.WriteTable(o.streams.Out, newPrinter(o.streams).columns(list), list)
}

// show prints one request in full.
func (o *options) show(ctx context.Context, from *Running) error {
	r, err := get(ctx, from, o.id)
	if err != nil {
		return err
	}
	if o.output == term.OutputJSON {
		return term.PrintJSON(o.streams.Out, r)
	}
	text := Detail(r, o.streams)
	if !r.Inspected {
		text += from.Unkept + "\n"
	}
	_, err = io.WriteString(o.streams.Out, text)
	return err
}

// followAll prints requests as they come.
func (o *options) followAll(ctx context.Context, from *Running) error {
	err := from.Follow(ctx, o.filter, func(l inspection.Line) error {
		if l.Lost > 0 {
			fmt.Fprintf(o.streams.Err, "Warning: %s not shown: they came faster than they were read\n", legible.Count(l.Lost, "request"))
		}
		switch {
		case l.Request == nil:
			return nil
		case o.output == term.OutputJSON:
			return printLine(o.streams.Out, l.Request)
		}
		_, err := io.WriteString(o.streams.Out, newPrinter(o.streams).line(l.Request))
		return err
	})
	if err == nil {
		fmt.Fprintln(o.streams.Err, "The version has stopped.")
	}
	if ctx.Err() != nil {
		err = nil // an interrupt is how it ends
	}
	return err
}

// printLine prints a request as JSON on one line.
func printLine(w io.Writer, r *inspection.Request) error {
	if err := term.NewEncoder(w).Encode(r); err != nil {
		return fmt.Errorf("cannot write JSON: %w", err)
	}
	return nil
}
