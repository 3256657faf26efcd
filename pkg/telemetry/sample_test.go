package telemetry

import (
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/runner/event"
)

const (
	client   = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	unsaid   = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
	lowTrace = "00-0af7651916cd43dd0000000000000001-b7ad6b7169203331-00"
)

// TestWhoDecides: a request of a client without a trace context, with one that is sampled,
// and with one that is not.
func TestWhoDecides(t *testing.T) {
	for _, c := range []struct {
		name, argument string
		want           [3]bool
	}{
		{"", "", [3]bool{true, true, false}},
		{"parentbased_always_on", "", [3]bool{true, true, false}},
		{"parentbased_always_off", "", [3]bool{false, true, false}},
		{"parentbased_traceidratio", "1", [3]bool{true, true, false}},
		{"parentbased_traceidratio", "0", [3]bool{false, true, false}},
		{"parentbased_traceidratio", "", [3]bool{true, true, false}},
		{"always_on", "", [3]bool{true, true, true}},
		{"always_off", "1", [3]bool{false, false, false}},
		{"traceidratio", "1.0", [3]bool{true, true, true}},
		{"traceidratio", "0", [3]bool{false, false, false}},
	} {
		t.Run(c.name+" "+c.argument, func(t *testing.T) {
			s, err := ParseSampler(c.name, c.argument)
			require.NoError(t, err)
			for i, of := range []event.Trace{{}, {Parent: client, State: "a=b"}, {Parent: unsaid}} {
				got, span := s.Start(of)
				require.Equal(t, c.want[i], got.Sampled())
				require.Equal(t, c.want[i], span != [8]byte{}, "it has a span if it is sampled")
				if !c.want[i] {
					require.Equal(t, of.WithSampled(false), got, "what is not recorded is passed on")
					continue
				}
				require.Equal(t, got, event.NewTrace(got.Parent, got.State), "it is valid")
				require.Equal(t, span, got.Span())
				require.NotEqual(t, of.Span(), span)
				if of.Parent != "" {
					require.Equal(t, of.ID(), got.ID())
					require.Equal(t, of.State, got.State)
				}
			}
		})
	}
}

// TestTheShareIsOfTraceIds: as in OpenTelemetry's SDKs, so that all processes agree.
func TestTheShareIsOfTraceIds(t *testing.T) {
	s, err := ParseSampler("traceidratio", "0.000001")
	require.NoError(t, err)
	got, _ := s.Start(event.Trace{Parent: lowTrace})
	require.True(t, got.Sampled())
	got, _ = s.Start(event.Trace{Parent: client})
	require.False(t, got.Sampled())

	s, err = ParseSampler("parentbased_traceidratio", "0.25")
	require.NoError(t, err)
	const n = 100_000
	sampled := 0
	for range n {
		if _, span := s.Start(event.Trace{}); span != [8]byte{} {
			sampled++
		}
	}
	require.InDelta(t, 0.25, float64(sampled)/n, 0.02) // 14 standard deviations
}

func TestWrongSamplers(t *testing.T) {
	for _, c := range []struct{ name, argument, want string }{
		{"traceidratio", "2", `"2" is not a number from 0 to 1`},
		{"traceidratio", "-0.1", `"-0.1" is not a number from 0 to 1`},
		{"parentbased_traceidratio", "NaN", `"NaN" is not a number from 0 to 1`},
		{"parentbased_traceidratio", "10%", `"10%" is not a number from 0 to 1`},
		{"jaeger_remote", "", "it is not one of always_on, always_off and traceidratio, with or without parentbased_ before it"},
	} {
		s, err := ParseSampler(c.name, c.argument)
		require.EqualError(t, err, c.want)
		require.Equal(t, Sampler{}, s)
	}
}

// TestNotSampledCostsNothing: a request that is not recorded.
func TestNotSampledCostsNothing(t *testing.T) {
	s, err := ParseSampler("parentbased_traceidratio", "0")
	require.NoError(t, err)
	for _, of := range []event.Trace{{}, {Parent: unsaid}} {
		require.Zero(t, testing.AllocsPerRun(100, func() { s.Start(of) }))
	}
}
