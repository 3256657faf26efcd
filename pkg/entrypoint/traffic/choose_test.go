package traffic

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// without is a request without metadata.
func without(string) []string { return nil }

const (
	once = 2.576 // standard deviations: the interval that holds 99 % of samples
	each = 4.5   // the same for a hundred samples at once
)

// within requires that hits of n are within an interval of a binomial distribution.
func within(t *testing.T, hits, n, percent int, deviations float64) {
	t.Helper()
	p := float64(percent) / 100
	margin := deviations * math.Sqrt(float64(n)*p*(1-p))
	require.InDelta(t, float64(n)*p, hits, margin+1e-9, "weight %d", percent)
}

func TestChanceHitsTheWeight(t *testing.T) {
	for _, weight := range []int{0, 1, 10, 50, 90, 100} {
		chance := rand.New(rand.NewPCG(1, uint64(weight)))
		hits := 0
		for range 20_000 {
			if (&Canary{Weight: weight}).gets(without, chance.Float64) {
				hits++
			}
		}
		within(t, hits, 20_000, weight, once)
	}
}

// With a higher weight the canary gets more values, and keeps those that it had.
func TestStickyValuesOnlyMoveToTheCanary(t *testing.T) {
	const values = 20_000
	never := func() float64 { t.Fatal("chance decides"); return 0 }
	had := make([]bool, values)
	for weight := range 101 {
		c := &Canary{Version: "v2", Weight: weight, Sticky: "x-user-id"}
		hits := 0
		for i := range had {
			value := []string{fmt.Sprintf("user-%d", i)}
			got := c.gets(func(string) []string { return value }, never)
			require.False(t, had[i] && !got, "%s went back at %d %%", value, weight)
			if had[i] = got; got {
				hits++
			}
		}
		within(t, hits, values, weight, each)
	}
}

func TestStickyNeedsAValue(t *testing.T) {
	c := &Canary{Version: "v2", Weight: 50, Sticky: "x-user-id"}
	require.True(t, c.gets(without, func() float64 { return 0.49 }))
	require.False(t, c.gets(without, func() float64 { return 0.5 }))
}

// Another canary gets others first: nobody is always among the first to try.
func TestCanariesBeginWithDifferentValues(t *testing.T) {
	both := 0
	for i := range 10_000 {
		value := fmt.Sprint(i)
		if place("v2", value) < 0.1 && place("v3", value) < 0.1 {
			both++
		}
	}
	within(t, both, 10_000, 1, once)
}

func TestAMatchIsExact(t *testing.T) {
	c := &Canary{Match: []Match{{"x-a", "1"}, {"x-b", "2"}}}
	for text, want := range map[string]bool{"x-b=2": true, "x-a=0,1": true, "x-a=2": false, "x-a=11": false, "": false} {
		name, list, _ := strings.Cut(text, "=")
		got := c.gets(func(asked string) []string {
			if asked != name {
				return nil
			}
			return strings.Split(list, ",")
		}, rand.Float64)
		require.Equal(t, want, got, text)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"canary":{"version":"b","grpc":"b.ns:9000","web":"b.ns:80","weight":10,"match":[{"metadata":"a","value":"b"}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data)
		if err != nil || c.Canary == nil {
			return
		}
		require.NotEmpty(t, c.Canary.Version)
		require.True(t, c.Canary.Weight >= 0 && c.Canary.Weight <= 100)
		c.Canary.gets(func(name string) []string { return []string{name} }, rand.Float64)
	})
}

// FuzzHeaders: what a proxy must not pass on is not passed on, whatever a client writes.
func FuzzHeaders(f *testing.F) {
	f.Add("Connection", "x-a, close", "X-A", "1")
	f.Add("krt-mirror", "1", "Te", "gzip")
	f.Fuzz(func(t *testing.T, first, firstValue, second, secondValue string) {
		h := http.Header{}
		h.Add(first, firstValue)
		h.Add(second, secondValue)
		out := requestHeader(h)
		for _, name := range ofConnection {
			require.Empty(t, out.Values(name), name)
		}
		require.Empty(t, out.Values(MetadataMirror))
		require.Equal(t, []string{"1"}, out.Values(Metadata))
		require.Empty(t, responseOf(h).Values(Metadata))
		code := result(http.StatusOK, h)
		to := newSeries().side("v2", "canary")
		to.add(code, 0)
	})
}
