package browser

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/data"
	"krt.dev/kn-krt/pkg/local"
	wire "krt.dev/kn-krt/pkg/runner/store"
)

// savePredictions saves n predictions of a version in the run's store, one each half an hour
// until now.
func (v *version) savePredictions(of string, n int, one func(i int) wire.Prediction) {
	v.t.Helper()
	client, end, err := local.Data(v.t.Context(), v.StateDir(), false)
	require.NoError(v.t, err)
	defer func() { require.NoError(v.t, end()) }()
	var lines strings.Builder
	encoder := json.NewEncoder(&lines)
	for i := range n {
		p := one(i)
		p.Date = time.Now().Add(-time.Duration(i) * 30 * time.Minute)
		value, err := json.Marshal(struct {
			wire.Prediction
			Version string `json:"version"`
		}{p, of})
		require.NoError(v.t, err)
		require.NoError(v.t, encoder.Encode(data.Entry{Kind: data.Predictions, Value: value}))
	}
	done, err := client.Import(v.t.Context(), strings.NewReader(lines.String()))
	require.NoError(v.t, err)
	require.Equal(v.t, n, done.Saved)
}

// neighbourhoods are predictions of which one in wrong is not right.
func neighbourhoods(wrong int) func(i int) wire.Prediction {
	names := []string{"Bronx", "Brooklyn", "Manhattan", "Queens", "Staten Island"}
	return func(i int) wire.Prediction {
		name := names[(3*i+i/7)%5]
		p := wire.Prediction{TrueValue: name, PredictedValue: name}
		switch {
		case i%31 == 30:
			return wire.Prediction{Error: "missing_values"}
		case i%wrong == 0:
			p.PredictedValue = names[i/wrong%5]
		}
		return p
	}
}

func TestPredictions(t *testing.T) {
	v := run(t, scene(t))
	v.await("ready")
	p := newPage(t, desktop)
	p.open(v.of("scene-v1", "predictions"))
	p.awaitRole("heading", "No predictions yet")

	v.savePredictions("scene-v1", 300, neighbourhoods(5))
	v.savePredictions("scene-v0", 300, neighbourhoods(4))
	p.open(v.of("scene-v1", "predictions"))
	p.awaitRole("heading", "Confusion matrix")
	for _, name := range []string{"Brooklyn", "Precision", "Recall", "F1", "Support"} {
		require.True(t, p.has("columnheader", name) || strings.Contains(p.text("main"), name), name)
	}
	require.True(t, p.has("rowheader", "Staten Island"))
	require.True(t, p.has("image", "Bars, one per hour; the table below has their values"))

	at := eval[string](p, "document.querySelector('figure time').textContent")
	require.Contains(t, at, "UTC", "an interval is not shown as some time ago")

	p.press("link", "24 hours")
	p.await("location.search === '?range=24h'")
	p.awaitText("main", "47") // of 48 predictions, one has no value
	eval[bool](p, "document.querySelector('select[name=with]').value = 'scene-v0', true")
	p.press("button", "Show")
	p.await("new URLSearchParams(location.search).get('with') === 'scene-v0'")
	p.awaitRole("columnheader", "Difference")
	p.awaitRole("heading", "scene-v0")
}

func TestPredictionsOfNumbers(t *testing.T) {
	v := run(t, scene(t))
	v.await("ready")
	v.savePredictions("scene-v1", 100, func(i int) wire.Prediction {
		return wire.Prediction{TrueValue: strconv.Itoa(100 * i), PredictedValue: fmt.Sprint(float64(100*i) + 7.5)}
	})
	p := newPage(t, desktop)
	p.open(v.of("scene-v1", "predictions"))
	p.awaitText("main", "Root mean squared error")
	p.awaitText("main", "7.5")
	require.Equal(t, 100, eval[int](p, "document.querySelectorAll('main circle.dot').length"))
	require.False(t, p.has("heading", "Confusion matrix"))
}

// TestHostilePredictions: labels are text, however they look, and the page stays within the screen.
func TestHostilePredictions(t *testing.T) {
	v := run(t, scene(t))
	v.await("ready")
	labels := []string{
		`<script>window.hacked=1</script>`, `<img src=x onerror="window.hacked=1">`, `"><svg/onload=window.hacked=1>`, "\u202egnp.exe",
		"\x00\x1b[31m", strings.Repeat("W", 1<<20), "{{.}}", "日本",
	}
	v.savePredictions("scene-v1", 40, func(i int) wire.Prediction {
		return wire.Prediction{TrueValue: labels[i%len(labels)], PredictedValue: labels[i%3]}
	})
	p := newPage(t, look{width: 320, height: 640})
	p.open(v.of("scene-v1", "predictions"))
	p.awaitRole("heading", "Labels")
	p.awaitText("main", `<img src=x onerror="window.hacked=1">`)
	p.awaitText("main", `\u{202e}gnp.exe`)
	require.False(t, eval[bool](p, "'hacked' in window"))
	require.Zero(t, eval[int](p, "document.querySelectorAll('main img, main script, main [onerror], main [style]').length"))
	require.LessOrEqual(t, eval[int](p, "document.documentElement.scrollWidth"), 320)
}
