package stream

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTextsStayOnTheirLine(t *testing.T) {
	w := httptest.NewRecorder()
	s := Open(w)
	require.NoError(t, s.Own("lines", "7\nid: 8\r", "a\n\ndata: b\u2028<script>"))
	require.NoError(t, s.Problem("x\n\ny"))
	require.NoError(t, s.Gone("z"))
	require.Equal(t, `id: 7 id: 8 
data: {"kind":"own","name":"lines","data":"a\n\ndata: b\u2028<script>"}

data: {"kind":"problem","text":"x\n\ny"}

data: {"kind":"gone","text":"z"}

`, w.Body.String())
}

func TestUpdateSendsWhatChanged(t *testing.T) {
	w := httptest.NewRecorder()
	s := Open(w)
	sent := func(parts ...Part) string {
		w.Body.Reset()
		require.NoError(t, s.Update(parts))
		return strings.ReplaceAll(w.Body.String(), "\n\n", "\n")
	}
	const beat = `data: {"kind":"beat"}` + "\n"
	fragment := func(id, html string) string {
		return `data: {"kind":"fragment","id":"` + id + `","html":"` + html + `"}` + "\n"
	}
	require.Equal(t, fragment("a", "1")+fragment("b", "1")+beat, sent(Part{ID: "a", HTML: "1"}, Part{ID: "b", HTML: "1", Key: "k"}))
	require.Equal(t, beat, sent(Part{ID: "a", HTML: "1"}, Part{ID: "b", HTML: "2", Key: "k"}))
	require.Equal(t, fragment("b", "2")+beat, sent(Part{ID: "b", HTML: "2", Key: "l"}))
	require.Equal(t, fragment("a", "1")+beat, sent(Part{ID: "a", HTML: "1"}), "what had gone is sent again")
	require.Len(t, s.known, 1)
}

// Changes while a page is rendered are one more rendering; what fails ends all.
func TestFollow(t *testing.T) {
	s := Open(httptest.NewRecorder())
	failed, ended := errors.New("failed"), 0
	renderings := 0
	err := s.Follow(t.Context(), []Follower{
		func(context.Context, func()) error { return nil },
		func(ctx context.Context, changed func()) error {
			for range 100 {
				changed()
			}
			<-ctx.Done()
			ended++
			return nil
		},
	}, func(context.Context) error {
		renderings++
		return failed
	})
	require.ErrorIs(t, err, failed)
	require.Equal(t, 1, ended)
	require.Equal(t, 1, renderings)

	last := 0
	require.ErrorIs(t, s.Follow(t.Context(), []Follower{func(context.Context, func()) error { return failed }}, func(context.Context) error {
		last++
		return nil
	}), failed)
	require.Equal(t, 1, last, "how it ended is shown")
}

// A problem stays on the page until the page is up to date, which is tried without a change.
func TestProblemStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
		defer cancel()
		w := httptest.NewRecorder()
		s := Open(w)
		tries := 0
		require.NoError(t, s.Follow(ctx, []Follower{func(ctx context.Context, changed func()) error {
			changed()
			<-ctx.Done()
			return nil
		}}, func(context.Context) error {
			if tries++; tries < 3 {
				return s.Problem("away")
			}
			return s.Update(nil)
		}))
		const problem, beat = `data: {"kind":"problem","text":"away"}` + "\n\n", `data: {"kind":"beat"}` + "\n\n"
		require.Equal(t, problem+problem+beat+beat, w.Body.String())
	})
}
