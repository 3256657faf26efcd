package term

import (
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

// allFlags are a command's flags, one of each kind with bounds.
type allFlags struct {
	output, state, host string
	port                int
	timeout             time.Duration
}

func (f *allFlags) command() *cobra.Command {
	cmd := &cobra.Command{Use: "krt", SilenceErrors: true, SilenceUsage: true, Run: func(*cobra.Command, []string) {}}
	OutputFlag(cmd, &f.output)
	Choice{Name: "for", Usage: "what to wait for", Of: []string{"started", "stopped", "deleted"}}.AddTo(cmd, &f.state)
	f.port = 9000
	RangeVar(cmd.Flags(), &f.port, "port", [2]int{0, 65535}, "a port")
	PositiveVar(cmd.Flags(), &f.timeout, "timeout", time.Second, "a time")
	HostVar(cmd.Flags(), &f.host, "listen", "127.0.0.1", "an address")
	return cmd
}

func TestFlagsWithBounds(t *testing.T) {
	defaults := allFlags{output: OutputText, host: "127.0.0.1", port: 9000, timeout: time.Second}
	for args, c := range map[string]struct {
		want allFlags
		err  string
	}{
		"": {want: defaults},
		"-o json --for stopped --port 0 --timeout 1m --listen ::1": {want: allFlags{OutputJSON, "stopped", "::1", 0, time.Minute}},
		"-o xml":            {err: `invalid argument "xml" for "-o, --output" flag: must be text or json`},
		"--for ever":        {err: `invalid argument "ever" for "--for" flag: must be started, stopped or deleted`},
		"--port 65536":      {err: `invalid argument "65536" for "--port" flag: must be a whole number from 0 to 65535`},
		"--timeout 0":       {err: `invalid argument "0" for "--timeout" flag: must be more than 0`},
		"--timeout soon":    {err: `invalid argument "soon" for "--timeout" flag: not a duration such as 500ms, 30s or 1m30s`},
		"--listen [::1]:80": {err: "must be an IP address or a host name, without a port"},
	} {
		t.Run(args, func(t *testing.T) {
			var f allFlags
			cmd := f.command()
			cmd.SetArgs(strings.Fields(args))
			err := cmd.Execute()
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, f)
		})
	}
}

func TestHelpOfFlagsWithBounds(t *testing.T) {
	var f allFlags
	require.Equal(t, `      --for string         what to wait for: started, stopped or deleted
      --listen host        an address (default 127.0.0.1)
  -o, --output string      output format: text or json (default "text")
      --port int           a port (default 9000)
      --timeout duration   a time (default 1s)
`, f.command().Flags().FlagUsages())
}

func TestPairs(t *testing.T) {
	cmd := &cobra.Command{Use: "krt"}
	got, err := Pairs(cmd, "--set", []string{"A=1", "B=x=y", "C="})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"A": "1", "B": "x=y", "C": ""}, got)
	_, err = Pairs(cmd, "--set", []string{"A=1", "hunter2"})
	require.EqualError(t, err, "value 2 of --set: write NAME=VALUE")
	_, err = Pairs(cmd, "--set", []string{"A=1", "A=2"})
	require.EqualError(t, err, `--set gives "A" twice`)
}
