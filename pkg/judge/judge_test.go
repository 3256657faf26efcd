package judge_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/judge"
)

func side(version string, failed, requests int64, took float64) judge.Side {
	return judge.Side{
		Version: version, Requests: judge.Share{Part: failed, Total: requests},
		Durations: judge.Histogram{{UpTo: took / 1.2, Count: 0}, {UpTo: took, Count: requests}, {UpTo: math.Inf(1), Count: 0}},
	}
}

func window(failed, requests int64, took float64) judge.Window {
	return judge.Window{Published: side("v1", 2, 1000, 0.1), Canary: side("v2", failed, requests, took)}
}

func TestVerdicts(t *testing.T) {
	errors := judge.Limits{MinRequests: 100, ErrorRatio: new(0.01), Steps: 1}
	p95 := judge.Limits{MinRequests: 100, P95: new(0.2), Steps: 1}
	accuracy := judge.Limits{MinRequests: 100, Accuracy: &judge.Accuracy{Decrease: 0.02, MinSamples: 200}, Steps: 1}
	agreement := judge.Limits{MinRequests: 100, Agreement: &judge.Agreement{Min: 0.98, MinSamples: 100}, Steps: 1}
	query := judge.Limits{MinRequests: 100, Queries: []judge.Query{{Name: "cost", Min: new(0.0), Max: new(0.1)}}, Steps: 1}
	predictions := func(right, of int64) judge.Window {
		w := window(0, 1000, 0.1)
		w.Published.Correct, w.Canary.Correct = judge.Share{Part: 900, Total: 1000}, judge.Share{Part: right, Total: of}
		return w
	}
	mirrored := func(equal, of int64) judge.Window {
		w := window(0, 1000, 0.1)
		w.Equal = judge.Share{Part: equal, Total: of}
		return w
	}
	asked := func(cost float64, why string) judge.Window {
		w := window(0, 1000, 0.1)
		w.Queries, w.Away = map[string]float64{"cost": cost}, map[string]string{"cost": why}
		return w
	}
	for name, one := range map[string]struct {
		limits   judge.Limits
		window   judge.Window
		verdict  judge.Verdict
		scarce   bool
		sentence string
	}{
		"few requests": {errors, window(30, 37, 0.1), judge.Waiting, true, "37 of 100 requests to v2"},
		"few requests to the published version": {errors,
			judge.Window{Published: side("v1", 0, 7, 0.1), Canary: side("v2", 0, 9000, 0.1)}, judge.Waiting, true, "7 of 100 requests to v1"},
		"good": {errors, window(1, 100, 0.1), judge.Good, false, "1 of 100 requests of v2 failed (1 %, interval 0.03 to 5.45 %), and " +
			"2 of 1,000 of v1 (0.2 %, interval 0.02 to 0.72 %); the canary's ratio may be 1 percentage point higher"},
		"by chance": {errors, window(3, 100, 0.1), judge.Waiting, false, "3 of 100 requests of v2 failed (3 %, interval 0.62 to 8.52 %), " +
			"and 2 of 1,000 of v1 (0.2 %, interval 0.02 to 0.72 %); the canary's ratio may be 1 percentage point higher; " +
			"that is beyond the limit, and may be chance"},
		"bad": {errors, window(12, 100, 0.1), judge.Bad, false, "12 of 100 requests of v2 failed (12 %, interval 6.36 to 20.02 %), and " +
			"2 of 1,000 of v1 (0.2 %, interval 0.02 to 0.72 %); the canary's ratio may be 1 percentage point higher"},
		"as fast": {p95, window(0, 500, 0.1), judge.Good, false, "95 % of the requests took at most 99.2 ms in v2 (interval 83.3 ms to " +
			"100 ms) and 99.2 ms in v1 (83.3 ms to 100 ms); the canary may take 124 ms"},
		"a little slower": {p95, window(0, 500, 0.13), judge.Waiting, false, "95 % of the requests took at most 129 ms in v2 (interval " +
			"108 ms to 130 ms) and 99.2 ms in v1 (83.3 ms to 100 ms); the canary may take 124 ms; that is beyond the limit, and may be chance"},
		"slow": {p95, window(0, 500, 0.2), judge.Bad, false, "95 % of the requests took at most 198 ms in v2 (interval 167 ms to 200 ms) " +
			"and 99.2 ms in v1 (83.3 ms to 100 ms); the canary may take 124 ms"},
		"no durations": {p95, judge.Window{Published: side("v1", 0, 500, 0.1), Canary: judge.Side{Version: "v2",
			Requests: judge.Share{Total: 500}}}, judge.Waiting, true, "0 of 100 durations of v2"},
		"few predictions": {accuracy, predictions(100, 150), judge.Waiting, true, "150 of 200 predictions with a true value of v2"},
		"as right": {accuracy, predictions(360, 400), judge.Good, false, "360 of 400 predictions of v2 were right (90 %, interval 86.63 to " +
			"92.76 %), and 900 of 1,000 of v1 (90 %, interval 87.97 to 91.79 %); the canary's accuracy may be 2 percentage points lower"},
		"less right": {accuracy, predictions(300, 400), judge.Bad, false, "300 of 400 predictions of v2 were right (75 %, interval 70.46 to " +
			"79.17 %), and 900 of 1,000 of v1 (90 %, interval 87.97 to 91.79 %); the canary's accuracy may be 2 percentage points lower"},
		"few pairs": {agreement, mirrored(3, 3), judge.Waiting, true, "3 of 100 pairs of responses compared"},
		"equal": {agreement, mirrored(199, 200), judge.Good, false,
			"199 of 200 responses to mirrored requests are equal (99.5 %, interval 97.25 to 99.99 %); it must be 98 %"},
		"different": {agreement, mirrored(150, 200), judge.Bad, false,
			"150 of 200 responses to mirrored requests are equal (75 %, interval 68.4 to 80.84 %); it must be 98 %"},
		"cheap":     {query, asked(0.05, ""), judge.Good, false, "the query's result is 0.05; it must be from 0 to 0.1"},
		"expensive": {query, asked(0.25, ""), judge.Bad, false, "the query's result is 0.25; it must be from 0 to 0.1"},
		"unknown": {query, asked(0.25, "Prometheus does not respond"), judge.Waiting, true,
			"the query has no result yet; Prometheus does not respond"},
	} {
		t.Run(name, func(t *testing.T) {
			values := one.limits.Judge(one.window, judge.Looks{})
			require.Len(t, values, 1)
			require.Equal(t, one.sentence, values[0].Sentence())
			require.Equal(t, one.verdict, values[0].Verdict)
			require.Equal(t, one.scarce, values[0].Scarce)
		})
	}
}

// What has no limit is not judged, whatever it is.
func TestWithoutLimitsNothingIsJudged(t *testing.T) {
	require.Empty(t, judge.Limits{MinRequests: 1}.Judge(window(100, 100, 9), judge.Looks{}))
	require.Equal(t, "100 of 200 requests to v2", judge.Limits{MinRequests: 200}.Enough(window(0, 100, 1)))
	require.Empty(t, judge.Limits{MinRequests: 100}.Enough(window(0, 100, 1)))
}

func TestTextsOfValues(t *testing.T) {
	l := judge.Limits{MinRequests: 100, ErrorRatio: new(0.01), P95: new(0.2), Accuracy: &judge.Accuracy{Decrease: 0.02, MinSamples: 1}}
	values := l.Judge(window(5, 200, 1.5), judge.Looks{})
	require.Equal(t, []string{"errorRatio", "0.2 %", "2.5 %", "1.2 %"},
		[]string{values[0].Name, values[0].Published, values[0].Canary, values[0].Limit})
	require.Equal(t, []string{"p95", "99.2 ms", "1.49 s", "124 ms"},
		[]string{values[1].Name, values[1].Published, values[1].Canary, values[1].Limit})
	require.Equal(t, []string{"accuracy", "", "", ""}, []string{values[2].Name, values[2].Published, values[2].Canary, values[2].Limit})
}

// A value is not judged again before there is a quarter more to see, and stays bad.
func TestLooks(t *testing.T) {
	l, looks := judge.Limits{MinRequests: 100, ErrorRatio: new(0.01), Steps: 1}, judge.Looks{}
	verdict := func(failed, of int64) judge.Verdict { return l.Judge(window(failed, of, 0.1), looks)[0].Verdict }
	require.Equal(t, judge.Good, verdict(0, 100))
	require.Equal(t, judge.Waiting, verdict(20, 120), "it is looked at as a whole, and not tested before 125")
	require.Equal(t, judge.Bad, verdict(20, 125))
	require.Equal(t, judge.Bad, verdict(20, 5000), "of this window nothing is taken back")
}
