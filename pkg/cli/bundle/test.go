package bundle

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/legible"
)

type testOptions struct {
	streams term.Streams
	program string
	dir     string
	nodes   []string
}

func newTestCommand(s term.Streams) *cobra.Command {
	o := testOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "test [DIR]",
		Short: "Run the tests of a version's nodes",
		Long: `Run the tests in the folders of the nodes of the version in DIR (default: the current
folder): "go test" for nodes in Go; for nodes in Python pytest if it is installed, else
unittest. Python tests are in files test*.py and *_test.py; functions named test_* count
as tests, too. It is an error if there are no tests, but not if all are skipped. The SDK
needs no network, and no entry in your requirements.`,
		Example: `  kn-krt test
  kn-krt test my-version --node etl --node model`,
		Args: term.Arguments(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.program, o.dir = cmd.Root().DisplayName(), PathArgument(args)
			return runTest(cmd.Context(), o)
		},
	}
	cmd.Flags().StringArrayVar(&o.nodes, "node", nil, "test only this node (may be repeated)")
	return cmd
}

func runTest(ctx context.Context, o testOptions) error {
	b, err := Open(ctx, o.streams, o.dir)
	if err != nil {
		return err
	}
	defer b.Close()
	sources, err := nodeSources(b.Bundle, o.nodes)
	if err != nil {
		return err
	}
	t, err := newTester(o.streams, b.Bundle)
	if err != nil {
		return err
	}
	defer t.close()
	var failed []string
	var tested, skipped int
	for _, s := range sources {
		fmt.Fprintf(o.streams.Out, "--- %s (%v, %s)\n", strings.Join(s.nodes, ", "), s.kind, s.folder)
		err := t.test(ctx, s)
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("cannot finish the tests: %w", context.Canceled)
		case errors.Is(err, errNoTests):
			fmt.Fprintln(o.streams.Out, err)
			continue
		case errors.Is(err, errAllSkipped):
			fmt.Fprintln(o.streams.Out, err)
			skipped++
		case errors.Is(err, errTestsFailed):
			failed = append(failed, s.nodes[0])
		case err != nil:
			fmt.Fprintf(o.streams.Err, "cannot test node %q: %v\n", s.nodes[0], err)
			if hint := term.HintOf(err); hint != "" {
				fmt.Fprintln(o.streams.Err, hint)
			}
			failed = append(failed, s.nodes[0])
		}
		tested++
	}
	return o.concludeTests(b.Manifest.Version, failed, tested, skipped, len(sources)-tested)
}

// concludeTests reports the result: the nodes whose tests failed, how many source folders
// had tests, in how many of them all were skipped, and how many had none.
func (o testOptions) concludeTests(version string, failed []string, tested, skipped, without int) error {
	if len(failed) > 0 {
		return fmt.Errorf("tests failed: %s", strings.Join(failed, ", "))
	}
	if tested == 0 {
		return term.WithHint(fmt.Errorf("version %s has no tests in the folders of its nodes", version),
			"Write them in files test_*.py or *_test.go in the folder of a node.")
	}
	result := "passed"
	if skipped == tested {
		result = "did not run"
	}
	more := ""
	if skipped > 0 {
		more = fmt.Sprintf(", %d skipped", skipped)
	}
	fmt.Fprintf(o.streams.Out, "Tests of version %s %s: %s tested%s, %d without tests\n",
		version, result, legible.Count(tested-skipped, "source folder"), more, without)
	return nil
}
