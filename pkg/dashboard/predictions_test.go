package dashboard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/dashboard/sourcetest"
	"krt.dev/kn-krt/pkg/data"
	"krt.dev/kn-krt/pkg/data/quality"
	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/store"
	"krt.dev/kn-krt/pkg/store/sqlite"
)

const predictions = "/ns/team/versions/v1/predictions"

// saving is a real store, and a dashboard of the versions v1 and v2 that reads it.
type saving struct {
	*testing.T

	store  *sqlite.Store
	memory *sourcetest.Memory
	server *httptest.Server
}

func savingPredictions(t *testing.T) *saving {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	db, err := sqlite.Open(filepath.Join(t.TempDir(), "store.db"), sqlite.Options{Logger: log})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	served := httptest.NewServer(store.New(store.All(db), store.Options{Logger: log}).Handler())
	t.Cleanup(served.Close)
	m := sourcetest.New(example("v1", source.Ready), example("v2", source.Ready))
	m.Saved = &data.Client{Address: served.URL, HTTP: served.Client()}
	return &saving{T: t, store: db, memory: m, server: serve(t, m)}
}

// save saves n predictions of a version, one a minute until the end of the hour before.
func (s *saving) save(version string, n int, one func(i int) wire.Prediction) {
	s.Helper()
	var list []store.Prediction
	at := time.Now().Truncate(time.Hour).Add(-time.Minute)
	for i := range n {
		p := store.Prediction{Prediction: one(i), Runtime: store.LocalRuntime, Version: version, Node: "model", Workflow: "predict"}
		p.Date = at.Add(-time.Duration(i) * time.Minute)
		list = append(list, p)
	}
	require.NoError(s, s.store.SavePredictions(s.Context(), list))
}

func (s *saving) page(query string) string {
	s.Helper()
	status, page := get(s.T, s.server, predictions+query)
	require.Equal(s, http.StatusOK, status)
	return page
}

// shows requires that the page has all texts.
func (s *saving) shows(page string, texts ...string) {
	s.Helper()
	for _, text := range texts {
		require.True(s, strings.Contains(page, text), text)
	}
}

// hides requires that the page has none of the texts.
func (s *saving) hides(page string, texts ...string) {
	s.Helper()
	for _, text := range texts {
		require.False(s, strings.Contains(page, text), text)
	}
}

func label(truth, predicted string) func(int) wire.Prediction {
	return func(int) wire.Prediction { return wire.Prediction{TrueValue: truth, PredictedValue: predicted} }
}

func TestNoPredictions(t *testing.T) {
	s := savingPredictions(t)
	page := s.page("")
	s.shows(page, "No predictions yet")
	s.shows(page, "ctx.prediction.save(predicted_value=")
	s.hides(page, "Compare with")
	s.save("v2", 3, label("cat", "cat"))
	page = s.page("")
	s.shows(page, "This version has saved no predictions; other versions have.")
	s.shows(page, `<option value="v2">v2</option>`)
	s.shows(s.page("?with=v2"), "Confusion matrix")
}

func TestPredictionsOfLabels(t *testing.T) {
	s := savingPredictions(t)
	s.save("v1", 6, label("cat", "cat"))
	s.save("v1", 2, label("cat", "dog"))
	s.save("v1", 2, func(int) wire.Prediction { return wire.Prediction{Error: "new_labels"} })
	page := s.page("")
	s.shows(page,
		"<strong>75 %</strong><span class=\"sub\">40.9 % to 92.9 %</span>", "Accuracy, macro", "<strong>20 %</strong>", // new labels
		`<th scope="row" class="prediction-label"><span>cat</span></th>`,
		`<td class="prediction-heat-8 right"><strong>75 %</strong><span class="sub">6</span></td>`,
		"Right and wrong per hour", "6 right, 2 wrong", `aria-current="true">7 days</a>`,
	)
	s.hides(page, "Mean absolute error")
	s.hides(page, "style=")
	page = s.page("?from=2020-01-01&to=2020-01-02")
	s.shows(page, "This version saved no predictions in this time. It has saved 10")
	s.shows(page, `value="2020-01-01T00:00"`)
	s.shows(s.page("?range=all"), "Confusion matrix")
	s.shows(s.page("?range=90d"), "Right and wrong per day")
	s.shows(s.page("?range=1y"), "range: &#34;1y&#34; is not one of 24h, 7d, 30d, 90d, all")
}

func TestPredictionsOfNumbers(t *testing.T) {
	s := savingPredictions(t)
	s.save("v1", 700, func(i int) wire.Prediction {
		return wire.Prediction{TrueValue: fmt.Sprint(1000 + i), PredictedValue: fmt.Sprint(1010.5 + float64(i))}
	})
	page := s.page("")
	s.shows(page, "Mean absolute error per hour")
	s.shows(page, "<strong>10.5</strong>")
	s.shows(page, "500 predictions, spread over the time.")
	s.hides(page, "Confusion matrix")
	require.Greater(t, strings.Count(page, "<circle"), 100)
	require.Less(t, strings.Count(page, "<circle"), 510)
}

func TestPredictionsOfTwoVersions(t *testing.T) {
	s := savingPredictions(t)
	s.save("v1", 4, label("cat", "dog"))
	s.save("v1", 4, label("cat", "cat"))
	s.save("v2", 9, label("cat", "cat"))
	s.save("v2", 1, label("cat", "dog"))
	page := s.page("?with=v2")
	s.shows(page, "&#43;40.0 points")
	s.shows(page, `<option value="v2" selected>v2</option>`)
	require.Equal(t, 2, strings.Count(page, "<h3>Confusion matrix</h3>"))
	s.shows(page, `href="/_krt/ns/team/versions/v1/predictions?range=30d&amp;with=v2"`)
	s.shows(s.page("?with=nobody"), "No predictions in this time.")
}

// TestHostilePredictions: labels, and names of versions, that are markup, long or invisible.
func TestHostilePredictions(t *testing.T) {
	s := savingPredictions(t)
	long := strings.Repeat("W", 1<<20)
	for _, value := range []string{hostile, long, long + "!", " ", "\x00\x1b[31m", "\u202egnp", "日本", `{"a":1}`} {
		s.save("v1", 1, label(value, value))
		s.save(value[:min(len(value), 300)], 1, label("a", "b"))
	}
	page := s.page("?with=" + url.QueryEscape(hostile))
	require.Less(t, len(page), 100_000)
	s.hides(page, "<script>alert", "<img", "\x1b", "\u202e")
	s.shows(page, "&lt;script&gt;alert", `\u{202e}gnp`, `\u{20}`, `\u{0}\u{1b}[31m`, "日本")
	row := `<tr><th scope="row" class="prediction-label"><span>` + strings.Repeat("W", 80) + "…"
	require.Equal(t, 4, strings.Count(page, row), "two labels, in two tables")
}

func TestManyLabels(t *testing.T) {
	s := savingPredictions(t)
	s.save("v1", 3000, func(i int) wire.Prediction {
		return wire.Prediction{TrueValue: fmt.Sprintf("label-%d", i%300), PredictedValue: fmt.Sprintf("label-%d", i%299)}
	})
	page := s.page("")
	s.shows(page, "Of 300 labels, those with the most predictions are shown")
	s.shows(page, "(all others)")
	require.Less(t, len(page), 600_000)
	require.LessOrEqual(t, strings.Count(page, `<th scope="col" class="prediction-label">`), 51)
}

// slow is a store that cannot count all in time.
type slow struct{ source.Predictions }

func (slow) Versions(context.Context, quality.Selected) ([]quality.Version, error) {
	return nil, errors.New("the request took longer than 10s")
}

func TestPredictionsOfALargeStore(t *testing.T) {
	s := savingPredictions(t)
	s.save("v1", 6, label("cat", "dog"))
	s.memory.Saved = slow{s.memory.Saved}
	s.shows(s.page(""), "Confusion matrix", "the request took longer than 10s")
}

func TestPredictionsWithoutAStore(t *testing.T) {
	server := serve(t, sourcetest.New(example("v1", source.Ready)))
	status, page := get(t, server, predictions)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, page, "there is no store")
	m := sourcetest.New(example("v1", source.Ready))
	m.Saved = &data.Client{Address: "http://127.0.0.1:1", HTTP: &http.Client{}}
	_, page = get(t, serve(t, m), predictions)
	require.Contains(t, page, "the store does not respond")
}

func TestPredictionsOutsideTheTimeAreCounted(t *testing.T) {
	s := savingPredictions(t)
	s.save("v1", 100, label("cat", "cat"))
	s.hides(s.page("?range=all"), "outside this time")
	to, layout := time.Now().UTC().Truncate(time.Hour), "2006-01-02T15:04"
	query := url.Values{"from": {to.Add(-time.Hour).Format(layout)}, "to": {to.Format(layout)}}
	s.shows(s.page("?"+query.Encode()), "v1 has saved 40 more outside this time.")
}
