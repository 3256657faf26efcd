package channel

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPeriods(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"": 0, "PT0.2S": 200 * time.Millisecond, "PT0,2S": 200 * time.Millisecond, "PT5M": 5 * time.Minute,
		"PT1H2M3S": time.Hour + 2*time.Minute + 3*time.Second, "PT35S": 35 * time.Second, "PT0S": 0,
	} {
		got, err := period(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"PT", "P1D", "5s", "PT-1S", "PT1", "PT1S ", "PT1.S", "PT99999999S"} {
		_, err := period(text)
		require.ErrorContains(t, err, "not a duration", text)
	}
}

func TestWaits(t *testing.T) {
	waits := func(policy, delay string) (all []time.Duration) {
		s := Subscriber{SubscriberURI: "http://x"}
		s.Delivery.BackoffPolicy, s.Delivery.BackoffDelay = policy, delay
		r, err := Channel{}.rules(s)
		require.NoError(t, err)
		for retry := range 4 {
			all = append(all, r.wait(retry))
		}
		return append(all, r.wait(1<<20))
	}
	require.Equal(t, []time.Duration{1e9, 2e9, 4e9, 8e9, time.Minute}, waits("exponential", "PT1S"))
	require.Equal(t, []time.Duration{1e9, 2e9, 3e9, 4e9, time.Minute}, waits("linear", "PT1S"))
	require.Equal(t, []time.Duration{0, 0, 0, 0, 0}, waits("exponential", ""))
}

func TestMistakesInAChannel(t *testing.T) {
	s := Subscriber{SubscriberURI: "nowhere"}
	s.Delivery.Timeout = "5s"
	err := Channel{Subscribers: []Subscriber{s}, Faults: Faults{Repeat: 101, Delay: "soon"}}.Validate()
	for _, text := range []string{"101 is not a share", `"soon"`, `"nowhere" is not an address`, `"5s" is not a duration`} {
		require.ErrorContains(t, err, text)
	}
	require.Error(t, Channel{Faults: Faults{Delay: "soon"}}.Validate())
	require.NoError(t, Channel{}.Validate())
}

// Whatever is stored is an event or reported.
func FuzzDecodeEvent(f *testing.F) {
	f.Add([]byte(`{"To":{"Namespace":"n","Name":"c"},"Subscriber":"1","Header":{"Ce-Id":["1"]},"Data":"eA=="}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := decodeEvent(b)
		if err != nil {
			return
		}
		again, err := e.encode()
		require.NoError(t, err)
		same, err := decodeEvent(again)
		require.NoError(t, err)
		require.Equal(t, e.To, same.To)
		require.Len(t, same.Data, len(e.Data))
	})
}

func FuzzPeriod(f *testing.F) {
	f.Add("PT1H2M3.5S")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := period(text)
		require.True(t, err != nil || d >= 0)
	})
}
