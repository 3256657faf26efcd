package canary

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/judge"
)

// traits is how good a version is: the shares of requests that fail and of predictions that are
// right, and the median of its durations, which are log-normal.
type traits struct {
	errors, accuracy, median float64
}

var usual = traits{errors: 0.002, accuracy: 0.9, median: 0.05}

// world is a simulated cluster: requests come with a rate, and are read every 15 s.
type world struct {
	random            *rand.Rand
	perTick           float64
	published, canary traits
	durations         [2][4096]float64 // by chance, the bucket of each side
}

const tick = 15 * time.Second

func newWorld(seed uint64, perTick float64, canary traits) *world {
	w := &world{random: rand.New(rand.NewPCG(seed, 18)), perTick: perTick, published: usual, canary: canary}
	for side, q := range []traits{w.published, w.canary} {
		for i := range w.durations[side] {
			z := math.Sqrt2 * math.Erfinv(2*(float64(i)+0.5)/float64(len(w.durations[side]))-1)
			took := q.median * math.Exp(0.5*z)
			w.durations[side][i] = 0.0005 * math.Pow(1.2, math.Ceil(math.Log(took/0.0005)/math.Log(1.2)))
		}
	}
	return w
}

// served is what both sides serve in a tick.
type served struct {
	Counts
	correct [2]judge.Share
}

func (w *world) serve(weight int32) served {
	s := served{}
	s.Published.Durations, s.Canary.Durations = map[float64]int64{}, map[float64]int64{}
	for range int(w.perTick/2 + w.random.Float64()*w.perTick) {
		side, counts, q := 0, &s.Published, w.published
		if w.random.Int32N(100) < weight {
			side, counts, q = 1, &s.Canary, w.canary
		}
		counts.Requests++
		if w.random.Float64() < q.errors {
			counts.Failed++
		}
		counts.Durations[w.durations[side][w.random.Uint32()>>20]]++
		s.correct[side].Total++
		if w.random.Float64() < q.accuracy {
			s.correct[side].Part++
		}
	}
	return s
}

// ending is how a plan ended, after which time and with how many requests to the canary.
type ending struct {
	phase    v1alpha1.CanaryPhase
	why      string
	requests int64
	took     time.Duration
}

// walk walks a plan to its end.
func (w *world) walk(spec *v1alpha1.Canary) ending {
	begin := time.Unix(0, 0)
	now, total := begin, Counts{}
	var status *v1alpha1.CanaryStatus
	var evidence *Evidence
	var counting *window
	var correct [2]judge.Share
	for {
		out := Next(Input{Spec: spec, ID: "1", Before: status, Now: now, Evidence: evidence})
		status = &out.Status
		if out.Begins {
			counting, correct = newWindow(&Reading{Pods: map[string]Counts{"pod": total}}), [2]judge.Share{}
			evidence = &Evidence{Looks: judge.Looks{}}
		}
		switch status.Phase {
		case v1alpha1.CanaryRolledBack, v1alpha1.CanaryPromoting, v1alpha1.CanaryPaused:
			return ending{status.Phase, status.Message, total.Canary.Requests, now.Sub(begin)}
		}
		now = now.Add(tick)
		s := w.serve(status.Weight)
		total = total.combine(s.Counts, 1)
		for i := range correct {
			correct[i].Part += s.correct[i].Part
			correct[i].Total += s.correct[i].Total
		}
		counting.add(&Reading{At: now, Pods: map[string]Counts{"pod": total}, Running: map[string]bool{"pod": true}})
		evidence.Window, evidence.At = counting.counts().judged("v1", "v2"), now
		evidence.Window.Published.Correct, evidence.Window.Canary.Correct = correct[0], correct[1]
	}
}

func step(weight int32, lasts time.Duration) v1alpha1.CanaryStep {
	return v1alpha1.CanaryStep{Weight: weight, For: metav1.Duration{Duration: lasts}}
}

func planned(steps ...v1alpha1.CanaryStep) *v1alpha1.Canary {
	return &v1alpha1.Canary{Version: "v2", Plan: &v1alpha1.CanaryPlan{
		Steps: steps, MinRequests: 100,
		Limits: v1alpha1.CanaryLimits{
			ErrorRatio: &v1alpha1.IncreaseLimit{Increase: "1%"}, P95: &v1alpha1.IncreaseLimit{Increase: "20%"},
			Accuracy: &v1alpha1.AccuracyLimit{Decrease: "2%", MinSamples: 200},
		},
	}}
}

// The scenarios of the issue: how often a plan ends as it should not, and how many requests the
// canary has had until then. docs/explanation/canary.md has the figures.
func TestVerdictsOfManyPlans(t *testing.T) {
	worse := func(change func(*traits)) traits {
		q := usual
		change(&q)
		return q
	}
	for _, one := range []struct {
		name   string
		canary traits
		wanted v1alpha1.CanaryPhase
		wrong  int // at most, of 1000 runs
	}{
		{"as good", usual, v1alpha1.CanaryPromoting, 5},
		{"5 % errors", worse(func(q *traits) { q.errors = 0.05 }), v1alpha1.CanaryRolledBack, 0},
		{"p95 × 2", worse(func(q *traits) { q.median *= 2 }), v1alpha1.CanaryRolledBack, 0},
		{"accuracy − 10 %", worse(func(q *traits) { q.accuracy = 0.8 }), v1alpha1.CanaryRolledBack, 0},
	} {
		for _, runs := range simulated() {
			t.Run(fmt.Sprintf("%s, %d runs", one.name, runs), func(t *testing.T) {
				t.Parallel()
				counted := map[v1alpha1.CanaryPhase]int{}
				var requests []int64
				for run := range runs {
					w := newWorld(uint64(runs+run), 150, one.canary)
					e := w.walk(planned(step(5, 10*time.Minute), step(25, 20*time.Minute), step(50, 20*time.Minute)))
					counted[e.phase]++
					requests = append(requests, e.requests)
				}
				t.Log(t.Name(), counted, "requests of the canary:", quantiles(requests))
				require.LessOrEqual(t, runs-counted[one.wanted], one.wrong, counted)
			})
		}
	}
}

// A canary that is exactly as bad as it may be is rolled back in 5 % of all plans at most, although
// each of three values is looked at 200 times.
func TestACanaryAtItsLimits(t *testing.T) {
	runs := simulated()[len(simulated())-1]
	rolledBack := 0
	for run := range runs {
		w := newWorld(uint64(run), 150, traits{errors: usual.errors + 0.01, accuracy: usual.accuracy - 0.02, median: usual.median * 1.2})
		if w.walk(planned(step(5, 10*time.Minute), step(25, 20*time.Minute), step(50, 20*time.Minute))).phase == v1alpha1.CanaryRolledBack {
			rolledBack++
		}
	}
	t.Log(rolledBack, "of", runs, "are rolled back")
	require.LessOrEqual(t, rolledBack, 4+runs/20) // with 5 %, more than that are rarer than 1 of 100
}

// simulated is how many plans are simulated: 1000 take a minute, and are for make e2e-long.
func simulated() []int {
	if os.Getenv("KRT_E2E_LONG") != "" {
		return []int{20, 1000}
	}
	return []int{20}
}

// quantiles are the median and the 95th percentile.
func quantiles(of []int64) string {
	slices.Sort(of)
	return fmt.Sprintf("median %d, p95 %d", of[len(of)/2], of[len(of)*95/100])
}
