package canary

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func counted(published, canary int64) Counts {
	return Counts{
		Published: SideCounts{Requests: published, Durations: map[float64]int64{0.1: published}},
		Canary:    SideCounts{Requests: canary, Failed: canary / 10, Durations: map[float64]int64{0.1: canary}}, Fallbacks: canary / 10,
	}
}

// reading is one of pods; those with a nil are there, and cannot be read.
func reading(pods map[string]*Counts) *Reading {
	r := &Reading{Pods: map[string]Counts{}, Running: map[string]bool{}}
	for uid, c := range pods {
		r.Running[uid] = true
		if c != nil {
			r.Pods[uid] = *c
		}
	}
	return r
}

func TestWindowOfSeveralReplicas(t *testing.T) {
	pods := func(a, b, c *Counts) *Reading { return reading(map[string]*Counts{"a": a, "b": b, "c": c}) }
	old := func(published, canary int64) *Counts { return new(counted(published, canary)) }
	w := newWindow(pods(old(1000, 100), old(500, 50), nil))
	requests := func(r *Reading) []int64 {
		w.add(r)
		sum := w.counts()
		require.Equal(t, sum.Canary.Requests, sum.Canary.Durations[0.1])
		return []int64{sum.Published.Requests, sum.Canary.Requests}
	}
	require.Equal(t, []int64{0, 0}, requests(pods(old(1000, 100), old(500, 50), nil)), "what was before does not count")
	require.Equal(t, []int64{150, 30}, requests(pods(old(1100, 120), old(550, 60), nil)), "replicas are summed")
	require.Equal(t, []int64{150, 30}, requests(pods(old(1100, 120), nil, nil)), "one that cannot be read keeps what it had")
	require.Equal(t, []int64{150, 30}, requests(pods(old(1100, 120), old(550, 60), old(700, 70))),
		"of one that ran before and was never read, nothing counts until now")
	require.Equal(t, []int64{160, 40}, requests(pods(old(1100, 120), old(550, 60), old(710, 80))))
	restarted := func(n int64) *Counts { return new(counted(n, n)) }
	require.Equal(t, []int64{165, 45}, requests(pods(restarted(5), old(550, 60), old(710, 80))), "one that restarts counts from zero")
	require.Equal(t, []int64{3165, 3045}, requests(pods(restarted(3005), old(550, 60), old(710, 80))))
	require.Equal(t, []int64{3165, 3045}, requests(reading(map[string]*Counts{"a": restarted(3005)})), "what is gone keeps what it had")
	fresh := new(counted(10, 10))
	require.Equal(t, []int64{3175, 3055}, requests(reading(map[string]*Counts{"a": restarted(3005), "d": fresh})),
		"what is new counts from its start")
	require.Equal(t, []int64{3176, 3056}, requests(reading(map[string]*Counts{"a": restarted(1), "d": fresh})),
		"counters that are removed and made again in one process")
	require.Len(t, w.last, 2)
	require.Equal(t, []int64{3176, 3056}, requests(&Reading{}), "while the pods cannot be listed, none is gone")
	late := func(n *Counts) *Reading { return reading(map[string]*Counts{"a": restarted(1), "d": fresh, "e": n}) }
	require.Equal(t, []int64{3176, 3056}, requests(late(nil)), "one that has begun, and cannot be read yet")
	require.Equal(t, []int64{3183, 3063}, requests(late(new(counted(7, 7)))), "began in the window all the same")
	require.Equal(t, []int64{3183, 3063}, requests(reading(map[string]*Counts{"a": restarted(1), "d": fresh})))
	require.Equal(t, []int64{3183, 3063}, requests(late(new(counted(7, 7)))), "what has ended is not counted again")
}

// Nobody steps in for a promoted canary: that the published version did is a failure of the canary.
func TestFallbacksAreFailuresOfTheCanary(t *testing.T) {
	judged := counted(100, 50).judged("v1", "v2")
	require.EqualValues(t, 55, judged.Canary.Requests.Total)
	require.EqualValues(t, 10, judged.Canary.Requests.Part)
	require.EqualValues(t, 50, judged.Canary.Durations.Total())
	require.EqualValues(t, 0, judged.Published.Requests.Part)
}
