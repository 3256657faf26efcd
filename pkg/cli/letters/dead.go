package letters

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/requests"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/legible"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/letter/port"
)

type deadOptions struct {
	place
	streams             term.Streams
	id                  string
	replay, remove, all bool
	of                  letter.Selection
	output              string
}

const deadLong = `List the dead letters of a version, newest first, show one with its message, replay or delete them.

A dead letter is an event that was given up on while no client waited for what comes of it: of an asynchronous
request, or of the work behind an early reply. It has what the node received that failed, and why it failed. It is
in the store until it is replayed, deleted, or as old as the setting retention-dead-letters says.

With --replay, the event goes to the node that failed again, and from there through the rest of the workflow. The
letter is deleted when that has succeeded; if it fails again, the letter counts it. The work goes on without this
command.

With NAME, the letters of that version on the cluster are read, through a connection like kubectl
port-forward's. Otherwise those of the version that runs on this machine.`

// NewDeadCommand returns the verb dead-letters. Versions on a cluster are reached through c.
func NewDeadCommand(s term.Streams, c Versions) *cobra.Command {
	o := deadOptions{streams: s, place: place{versions: c}}
	cmd := &cobra.Command{
		Use:   "dead-letters [NAME] [ID]",
		Short: "List, show, replay or delete the dead letters of a version",
		Long:  deadLong,
		Example: `  kn-krt dead-letters
  kn-krt dead-letters price-estimator-v3
  kn-krt dead-letters price-estimator-v3 4f0c1d2e83ab45d0a2cf6be0b6f0d1aa/1
  kn-krt dead-letters price-estimator-v3 4f0c1d2e83ab45d0a2cf6be0b6f0d1aa/1 --replay
  kn-krt dead-letters price-estimator-v3 --all --delete`,
		Args:              term.Arguments(cobra.MaximumNArgs(2)),
		ValidArgsFunction: c.Complete,
		RunE: func(cmd *cobra.Command, args []string) error {
			version, err := o.read(cmd, args)
			if err != nil {
				return err
			}
			return o.reach(cmd, version, o.run)
		},
	}
	o.addFlags(cmd)
	flags := cmd.Flags()
	o.of.Limit = 100
	flags.BoolVar(&o.replay, "replay", false, "replay the letter, or with --all those that are listed")
	flags.BoolVar(&o.remove, "delete", false, "delete the letter, or with --all those that are listed")
	flags.BoolVar(&o.all, "all", false, "replay or delete all letters")
	flags.StringVar(&o.of.Workflow, "workflow", "", "only letters of this workflow")
	term.RangeVar(flags, &o.of.Limit, "limit", [2]int{1, letter.MaxPage}, "list at most this many, the newest")
	term.OutputFlag(cmd, &o.output)
	return cmd
}

// read reads the arguments: the version, "" if it is on this machine or the published one, and the id. One
// argument is the version, unless it has what only ids have.
func (o *deadOptions) read(cmd *cobra.Command, args []string) (version string, err error) {
	switch {
	case len(args) == 1 && !strings.Contains(args[0], "/") && !isCorrelation(args[0]):
		version = args[0]
	case len(args) == 2:
		version, o.id = args[0], args[1]
	case len(args) == 1:
		o.id = args[0]
	}
	if o.id != "" && !isDead(o.id) {
		return "", term.FailAs(term.ExitUsage, fmt.Errorf("%q is not the ID of a dead letter", line(o.id)),
			"An ID is that of the request, a slash and the step, such as %s/0. '%s' lists them.",
			exampleID, strings.Join(append([]string{cmd.CommandPath()}, args[:len(args)-1]...), " "))
	}
	if err := o.check(cmd, version); err != nil {
		return "", err
	}
	return version, o.checkFlags(cmd)
}

func (o *deadOptions) checkFlags(cmd *cobra.Command) error {
	changes := o.replay || o.remove
	switch {
	case o.replay && o.remove:
		return term.UsageError(cmd, "--replay and --delete exclude each other")
	case o.all && !changes:
		return term.UsageError(cmd, "--all is for --replay or --delete")
	case o.all && o.id != "":
		return term.UsageError(cmd, "--all cannot be combined with ID")
	case changes && !o.all && o.id == "":
		return term.UsageError(cmd, "name the letter by its ID, or give --all")
	}
	return nil
}

func (o *deadOptions) run(ctx context.Context, from port.Client) error {
	switch {
	case o.all:
		return o.changeAll(ctx, from)
	case o.replay || o.remove:
		return o.change(ctx, from, o.id)
	case o.id != "":
		return o.show(ctx, from)
	}
	return o.list(ctx, from)
}

// change replays or deletes one letter.
func (o *deadOptions) change(ctx context.Context, from port.Client, id string) error {
	do, done := from.Replay, "is being replayed"
	if o.remove {
		done = "deleted"
		do = func(ctx context.Context, id string) error { return from.Delete(ctx, letter.Dead, id) }
	}
	if err := do(ctx, id); err != nil {
		return missing(err)
	}
	_, err := fmt.Fprintf(o.streams.Out, "%s %s\n", line(id), done)
	return err
}

// changeAll replays or deletes all letters that there are now. One that cannot be replayed is reported, and
// stays.
func (o *deadOptions) changeAll(ctx context.Context, from port.Client) error {
	var ids []string
	of := o.of
	for of.Limit = letter.MaxPage; ; {
		page, err := from.List(ctx, letter.Dead, of)
		if err != nil {
			return err
		}
		for i := range page.Letters {
			ids = append(ids, page.Letters[i].ID)
		}
		if page.Next == "" || len(page.Letters) == 0 {
			break
		}
		of.Before = page.Next
	}
	failed := 0
	for _, id := range ids {
		if err := o.change(ctx, from, id); err != nil {
			if ctx.Err() != nil {
				return err
			}
			failed++
			fmt.Fprintf(o.streams.Err, "Warning: %s: %s\n", line(id), legible.Line(err.Error(), maxText))
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %s remain", failed, legible.Count(len(ids), "dead letter"))
	}
	if len(ids) == 0 {
		_, err := fmt.Fprintln(o.streams.Out, "No dead letters found.")
		return err
	}
	return nil
}

func (o *deadOptions) list(ctx context.Context, from port.Client) error {
	page, err := from.List(ctx, letter.Dead, o.of)
	if err != nil {
		return err
	}
	switch {
	case o.output == term.OutputJSON:
		for i := range page.Letters {
			if err := term.NewEncoder(o.streams.Out).Encode(&page.Letters[i]); err != nil {
				return err
			}
		}
		return nil
	case len(page.Letters) == 0:
		_, err := fmt.Fprintln(o.streams.Out, "No dead letters found.")
		return err
	}
	if err := term.WriteTable(o.streams.Out, columns(), page.Letters); err != nil {
		return err
	}
	if page.Next != "" {
		fmt.Fprintf(o.streams.Err, "There are more: --limit shows up to %d.\n", letter.MaxPage)
	}
	return nil
}

func columns() []term.Column[letter.Letter] {
	return []term.Column[letter.Letter]{
		{Head: "TIME", Cell: func(l letter.Letter) string { return clock(l.Time) }},
		{Head: "WORKFLOW", Cell: func(l letter.Letter) string { return line(l.Workflow) }},
		{Head: "NODE", Cell: func(l letter.Letter) string { return line(l.Node) }},
		{Head: "REPLAYS", Cell: func(l letter.Letter) string { return fmt.Sprint(l.Replays) }},
		{Head: "SIZE", Cell: func(l letter.Letter) string { return legible.Bytes(l.Size) }},
		{Head: "ID", Cell: func(l letter.Letter) string { return line(l.ID) }},
		{Head: "ERROR", Cell: func(l letter.Letter) string { return why(&l) }},
	}
}

// why is the failure of a letter.
func why(l *letter.Letter) string {
	if l.Status == nil {
		return ""
	}
	return legible.Line(l.Status.Code+": "+l.Status.Message, maxText)
}

// missing is err, with what to do if it is that there is no such letter.
func missing(err error) error {
	if requests.NotKept(err) {
		return term.FailAs(term.ExitNotFound, err, "List those that are kept by leaving ID out.")
	}
	return err
}

// show prints one letter in full.
func (o *deadOptions) show(ctx context.Context, from port.Client) error {
	l, err := from.Get(ctx, letter.Dead, o.id)
	if err != nil {
		return missing(err)
	}
	if o.output == term.OutputJSON {
		return term.PrintJSON(o.streams.Out, l)
	}
	var text bytes.Buffer
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&text, "%-9s %s\n", name, value)
		}
	}
	row("letter", line(l.ID))
	row("workflow", line(l.Workflow))
	row("node", fmt.Sprintf("%s, step %d", line(l.Node), l.Step+1))
	row("time", clock(l.Time))
	row("error", why(&l.Letter))
	row("caused by", line(l.CausationID))
	row("replays", fmt.Sprint(l.Replays))
	message(&text, l)
	_, err = o.streams.Out.Write(text.Bytes())
	return err
}

// message writes the message of a letter.
func message(to *bytes.Buffer, l *port.Letter) {
	p := l.Payload
	if p == nil {
		fmt.Fprintf(to, "\nIts message was not kept, so that it cannot be replayed.\n")
		return
	}
	fmt.Fprintf(to, "\nInput of %s: %s, %s\n", line(l.Node), line(p.TypeName()), legible.Bytes(int64(p.Size)))
	if p.Note != "" {
		fmt.Fprintf(to, "  Note: %s\n", legible.Line(p.Note, maxText))
	}
	var out bytes.Buffer
	switch {
	case len(p.JSON) > 0 && json.Indent(&out, p.JSON, "  ", "  ") == nil:
		fmt.Fprintf(to, "  %s\n", legible.PrintableJSON(out.Bytes()))
	case p.Base64 != "":
		fmt.Fprintf(to, "  base64: %s\n", legible.Printable(p.Base64))
	}
}
