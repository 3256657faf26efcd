package waterfall

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/inspection"
)

func request() *inspection.Request {
	return &inspection.Request{
		DurationMS: 10, Code: "OK",
		Steps: []inspection.Step{
			{Node: "etl", StartMS: 0.5, WaitMS: 2, RunMS: 1, Outcome: "ok", Cold: true},
			{Node: "model", StartMS: 4, RunMS: 5, Outcome: "reply", Attempts: 2},
		},
		Rest: &inspection.Request{DurationMS: 20, Background: true, Steps: []inspection.Step{
			{Node: "model", StartMS: 4, RunMS: 12, Outcome: "ok"},
			{Node: "output", StartMS: 18, RunMS: 0, Outcome: "error"},
		}},
	}
}

func TestChart(t *testing.T) {
	c := Of(request())
	require.Equal(t, "20.0\u00a0ms", c.Total)
	require.Equal(t, []string{"50%", "10.0\u00a0ms"}, []string{c.Response, c.ResponseText})
	require.Equal(t, []Tick{{"0%", "0 ms"}, {"25%", "5 ms"}, {"50%", "10 ms"}, {"75%", "15 ms"}}, c.Ticks)
	require.Len(t, c.Bars, 4)
	require.Equal(t, Bar{
		Node: "etl", Wait: Span{"2.5%", "10%"}, Run: Span{"12.5%", "5%"},
		StartText: "0.5\u00a0ms", WaitText: "2.0\u00a0ms", RunText: "1.0\u00a0ms",
		Waited: true, Outcome: "ok", Cold: true, Notes: []string{"first request"},
	}, c.Bars[0])
	require.Equal(t, []string{"2 attempts"}, c.Bars[1].Notes)
	require.False(t, c.Bars[1].Behind)
	require.Equal(t, []string{"after its early reply"}, c.Bars[2].Notes)
	require.True(t, c.Bars[2].Behind)
	require.Equal(t, Span{"90%", "0.6%"}, c.Bars[3].Run, "a step that took no time is seen")
	require.True(t, c.Bars[3].Failed)
	require.Equal(t, "etl 1.0\u00a0ms (waited 2.0\u00a0ms) · model 5.0\u00a0ms reply · model 12.0\u00a0ms · output 0.0\u00a0ms error",
		c.Summary())
}

func TestChartOfStrangeTimes(t *testing.T) {
	many := &inspection.Request{DurationMS: math.Inf(1)}
	for range 100 {
		many.Steps = append(many.Steps, inspection.Step{Node: "n", StartMS: math.NaN(), WaitMS: -5, RunMS: math.MaxFloat64})
	}
	c := Of(many)
	require.Len(t, c.Bars, MaxSteps)
	require.Equal(t, 36, c.Left)
	require.LessOrEqual(t, len(c.Ticks), 2*ticks+5)
	// A node whose clock is behind seems to begin before the request.
	c = Of(&inspection.Request{DurationMS: 10, Steps: []inspection.Step{{Node: "n", StartMS: -10, RunMS: 5, Outcome: "ok"}}})
	require.Equal(t, Span{"0%", "25%"}, c.Bars[0].Run)
	require.Equal(t, "20.0\u00a0ms", c.Total)
	require.Empty(t, Of(&inspection.Request{}).Bars)
}

func TestHTML(t *testing.T) {
	r := request()
	r.Steps[0].Node, r.Steps[1].Outcome = `<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`
	d := New()
	for name, draw := range map[string]func(Chart) (string, error){
		"table": func(c Chart) (string, error) { h, err := d.Table(c); return string(h), err },
		"strip": func(c Chart) (string, error) { h, err := d.Strip(c); return string(h), err },
	} {
		t.Run(name, func(t *testing.T) {
			html, err := draw(Of(r))
			require.NoError(t, err)
			wellFormed(t, html)
			require.NotContains(t, html, "<script")
			require.NotContains(t, html, "<img")
			require.NotContains(t, html, "style=", "the policy of the page forbids it")
			require.Equal(t, 4, strings.Count(html, `class="wf-wait"`))
		})
	}
	html, err := d.Strip(Chart{})
	require.NoError(t, err)
	require.Empty(t, string(html))
}

// wellFormed fails if elements are not closed in order. The templates are written as XML.
func wellFormed(t *testing.T, html string) {
	t.Helper()
	for x := xml.NewDecoder(strings.NewReader("<all>" + html + "</all>")); ; {
		_, err := x.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err, html)
	}
}
