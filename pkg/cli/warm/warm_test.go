package warm

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/term"
)

// versions is a cluster whose version goes through states, one for each look.
type versions struct {
	states []v1alpha1.Warm
	fails  error
	asked  string
	until  time.Time
	ctx    context.Context
	phases []v1alpha1.Phase // of the looks before the states
}

func (v *versions) Flags(cmd *cobra.Command) { cmd.Flags().StringP("namespace", "n", "", "") }

func (v *versions) Complete(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveNoFileComp
}

func (v *versions) Warm(cmd *cobra.Command, version string, until time.Time, watch func(context.Context, Read) error) error {
	v.asked, v.until = version, until
	if v.ctx == nil {
		v.ctx = cmd.Context()
	}
	return watch(v.ctx, func(context.Context) (*v1alpha1.Version, error) {
		out := &v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: "v1", Namespace: "dev"}}
		out.Spec.Nodes = []v1alpha1.Node{{Name: "etl"}, {Name: "model"}}
		if len(v.phases) > 0 {
			out.Status.Phase, v.phases = v.phases[0], v.phases[1:]
			out.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionUnknown,
				Message: "1 of 2 pods are ready"}}
			return out, nil
		}
		if len(v.states) == 0 {
			return out, v.fails
		}
		state := v.states[0]
		if state.Until.IsZero() {
			state.Until = metav1.NewTime(until)
		}
		if out.Status.Warm = &state; len(v.states) > 1 {
			v.states = v.states[1:]
		}
		return out, nil
	})
}

// run runs the verb with a clock that a wait moves on.
func (v *versions) run(t *testing.T, args ...string) (text string, err error) {
	t.Helper()
	var out bytes.Buffer
	now := time.Date(2026, 1, 1, 8, 0, 0, 0, time.Local)
	cmd := newCommand(&options{
		streams: term.Streams{Out: &out, Err: io.Discard}, keep: 10 * time.Minute, timeout: 600,
		now: func() time.Time { return now },
		after: func(d time.Duration) <-chan time.Time {
			now = now.Add(d)
			if v.ctx != nil && v.ctx.Err() != nil {
				return nil
			}
			passed := make(chan time.Time)
			close(passed)
			return passed
		},
	}, v)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	err = cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestWarm(t *testing.T) {
	v := &versions{states: []v1alpha1.Warm{
		{Until: metav1.NewTime(time.Unix(1, 0))}, // of an earlier time
		{Waiting: []string{"etl", "model"}}, {Waiting: []string{"model"}}, {},
	}}
	text, err := v.run(t, "v1", "--for", "1h")
	require.NoError(t, err)
	require.Equal(t, `Waking the nodes of version 'v1' in namespace 'dev':

  1.000s node 'etl' is up
  1.500s node 'model' is up

All nodes of version 'v1' are up, and stay up until 2026-01-01 09:00:00.
`, text)
	require.Equal(t, "v1", v.asked)
}

func TestWarmOfAVersionThatIsStarting(t *testing.T) {
	starting := v1alpha1.PhaseStarting
	v := &versions{phases: []v1alpha1.Phase{starting, starting}, states: []v1alpha1.Warm{{}}}
	text, err := v.run(t, "v1")
	require.NoError(t, err)
	require.Contains(t, text, `
  0.000s the version is starting: its nodes are kept up once it has started
  1.000s node 'etl' is up
  1.000s node 'model' is up
`)
	v = &versions{phases: slices.Repeat([]v1alpha1.Phase{starting}, 100)}
	_, err = v.run(t, "v1", "--wait-timeout", "10")
	require.ErrorContains(t, err, `version "v1" has not started yet: `)
	require.ErrorContains(t, err, "1 of 2 pods are ready")
	require.Equal(t, term.ExitWait, term.Exit(t.Context(), io.Discard, err))
}

func TestWarmDoesNotWait(t *testing.T) {
	v := &versions{}
	text, err := v.run(t, "--no-wait")
	require.NoError(t, err)
	require.Equal(t, "The nodes of version 'v1' are being woken, and stay up until 2026-01-01 08:10:00.\n", text)
	require.Empty(t, v.asked)
}

func TestWarmEnds(t *testing.T) {
	waiting := v1alpha1.Warm{Waiting: []string{"model"}, Message: "the response has status 503"}
	for name, c := range map[string]struct {
		v    versions
		args []string
		want string
		code int
	}{
		"too late": {versions{states: []v1alpha1.Warm{waiting}}, []string{"--wait-timeout", "30"},
			`nodes of version "v1" are not up: model: the response has status 503`, term.ExitWait},
		"the time is over": {versions{states: []v1alpha1.Warm{waiting}}, []string{"--for", "1m"},
			`nodes of version "v1" are not up: model: the response has status 503`, term.ExitWait},
		"no controller": {versions{}, nil, `the controller has not woken the nodes of version "v1"`, term.ExitWait},
		"too short":     {versions{}, []string{"--for", "1s"}, `--for 1s is not a duration from 1m to 168h, such as 1h`, term.ExitUsage},
		"too long":      {versions{}, []string{"--for", "169h"}, `--for 169h0m0s is not a duration`, term.ExitUsage},
		"gone":          {versions{fails: errors.New("it is gone")}, nil, "it is gone", term.ExitFailed},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.v.run(t, c.args...)
			require.ErrorContains(t, err, c.want)
			require.Equal(t, c.code, term.Exit(t.Context(), io.Discard, err))
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	v := &versions{states: []v1alpha1.Warm{waiting}, ctx: ctx}
	_, err := v.run(t)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, term.ExitInterrupted, term.Exit(ctx, io.Discard, err))
}
