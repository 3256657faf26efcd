package letters

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/requests"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/legible"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/letter/port"
)

// pollTime is how often it is asked for a result that is waited for.
const pollTime = time.Second

type resultOptions struct {
	place
	streams term.Streams
	id      string
	wait    bool
	timeout time.Duration
	output  string
}

const resultLong = `Print the result of an asynchronous request: its response as JSON, or its failure, with
exit code 1.

ID is in the header Krt-Correlation-Id of the response 202. A version keeps results if it was
created with --results (spec.entrypoint.results); a local run keeps all for a day. Clients fetch them by
GET /workflows/WORKFLOW/results/ID.

With -w, a result that is not there yet is waited for, unless the version keeps none.`

// NewResultCommand returns the verb result. Versions on a cluster are reached through c.
func NewResultCommand(s term.Streams, c Versions) *cobra.Command {
	o := resultOptions{streams: s, place: place{versions: c}}
	cmd := &cobra.Command{
		Use:   "result [NAME] ID",
		Short: "Print the result of an asynchronous request",
		Long:  resultLong,
		Example: `  kn-krt result 4f0c1d2e83ab45d0a2cf6be0b6f0d1aa
  kn-krt result price-estimator-v3 4f0c1d2e83ab45d0a2cf6be0b6f0d1aa -w`,
		Args:              term.Arguments(cobra.RangeArgs(1, 2)),
		ValidArgsFunction: c.Complete,
		RunE: func(cmd *cobra.Command, args []string) error {
			version := ""
			if len(args) == 2 {
				version = args[0]
			}
			if o.id = args[len(args)-1]; !isCorrelation(o.id) {
				return term.FailAs(term.ExitUsage, fmt.Errorf("%q is not the ID of a request", line(o.id)),
					"An ID is 32 of the characters 0-9 and a-f, such as %s. 'invoke --async' prints it, and the header\n"+
						"Krt-Correlation-Id of the response 202 has it. The command is: %s", exampleID, cmd.UseLine())
			}
			if err := o.check(cmd, version); err != nil {
				return err
			}
			return o.reach(cmd, version, o.run)
		},
	}
	o.addFlags(cmd)
	cmd.Flags().BoolVarP(&o.wait, "wait", "w", false, "wait for the result")
	cmd.Flags().DurationVar(&o.timeout, "timeout", 10*time.Minute, "with -w, how long to wait")
	term.OutputFlag(cmd, &o.output)
	return cmd
}

func (o *resultOptions) run(ctx context.Context, from port.Client) error {
	l, err := o.get(ctx, from)
	switch {
	case requests.NotKept(err):
		work := "-w waits for it"
		if o.wait {
			work = fmt.Sprintf("it was waited for %v; --timeout waits longer", o.timeout)
		}
		return term.FailAs(term.ExitNotFound, fmt.Errorf("there is no result of request %s: %w", line(o.id), err),
			"It may still be in work: %s. It may have expired, or be a request of another version.", work)
	case refused(err) && strings.Contains(err.Error(), "spec.entrypoint.results"):
		return term.WithHint(err, "Set it (spec.entrypoint.results of the Version, or create --results 24h) and restart the version: "+
			"what it accepts then has a result.")
	case err != nil:
		return err
	case o.output == term.OutputJSON:
		return term.PrintJSON(o.streams.Out, l)
	case l.Status != nil:
		return fmt.Errorf("the request failed: %s", why(&l.Letter))
	case l.Payload == nil || len(l.Payload.JSON) == 0:
		return fmt.Errorf("the response, a %s, cannot be shown as JSON", line(l.Message))
	}
	_, err = fmt.Fprintf(o.streams.Out, "%s\n", legible.PrintableJSON(l.Payload.JSON))
	return err
}

// get reads the result, and waits for it if that is wanted.
func (o *resultOptions) get(ctx context.Context, from port.Client) (*port.Letter, error) {
	l, err := from.Get(ctx, letter.Result, o.id)
	if !o.wait || !requests.NotKept(err) {
		return l, err
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	polls := time.NewTicker(pollTime)
	defer polls.Stop()
	for requests.NotKept(err) {
		select {
		case <-polls.C:
			next, failed := from.Get(ctx, letter.Result, o.id)
			if failed != nil && ctx.Err() != nil {
				return nil, err // that it is not there says more than that the time is over
			}
			l, err = next, failed
		case <-ctx.Done():
			return nil, err
		}
	}
	return l, err
}
