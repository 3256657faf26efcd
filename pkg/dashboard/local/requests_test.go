package local

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/local"
	"krt.dev/kn-krt/pkg/logline"
)

// post sends a text to an rpc of a version, and returns the response's status.
func post(t *testing.T, v source.Version, rpc, text string) (status int) {
	t.Helper()
	body := strings.NewReader(`"` + text + `"`)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, v.Web+"/test.Entrypoint/"+rpc, body)
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}

func TestRequestsOfARun(t *testing.T) {
	r := startRun(t, newBundle(t))
	v := r.until(t, isReady)
	seen, ended := make(chan inspection.Request, 10), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		ended <- r.FollowRequests(ctx, ref, inspection.Filter{Workflow: "two"}, source.RequestHandler{
			Request: func(one inspection.Request) { seen <- one },
		})
	}()
	require.Equal(t, http.StatusOK, post(t, v, "Hello", "hi"))
	require.Equal(t, http.StatusOK, post(t, v, "Both", "hi"))
	followed := <-seen
	require.Equal(t, "two", followed.Workflow)
	require.Len(t, followed.Steps, 2)

	list, notes, err := r.Requests(t.Context(), ref, inspection.Filter{})
	require.NoError(t, err)
	require.Empty(t, notes)
	require.Len(t, list, 2)
	one, err := r.Request(t.Context(), ref, followed.ID)
	require.NoError(t, err)
	require.JSONEq(t, `"hi"`, string(one.Input.JSON))
	require.NotNil(t, one.Steps[1].Output)
	_, err = r.Request(t.Context(), ref, "0123")
	require.Equal(t, source.NewNoRequestError(ref, "0123"), err)

	lines := make(chan logline.Line, 10)
	go func() { // a node's lines come when they come
		_ = r.FollowLogs(ctx, ref, source.LogQuery{ID: followed.ID, Level: logline.Warn}, source.LogHandler{
			Line: func(l *logline.Line) { lines <- *l },
		})
	}()
	seenAt := map[string]logline.Line{}
	for len(seenAt) < 2 {
		l := <-lines
		seenAt[l.Node] = l
	}
	hello := seenAt["hello"]
	require.Equal(t, []string{"hello", "WARN handled", "two"}, []string{hello.Node, hello.Message(), hello.Workflow()})

	require.NoError(t, r.stop())
	require.Error(t, <-ended)
	_, _, err = r.Requests(t.Context(), ref, inspection.Filter{})
	require.Equal(t, errOver, err)
}

func TestARunWithoutAnInspectionPort(t *testing.T) {
	s := ofBundle()
	var refused *source.RefusedError
	_, _, err := s.Requests(t.Context(), ref, inspection.Filter{})
	require.ErrorAs(t, err, &refused)
	require.Equal(t, notStarted, refused.Text)
	s.Event(local.Event{Type: local.EventReady, Serving: &local.Serving{Version: "test-v1"}})
	_, err = s.Request(t.Context(), ref, "x")
	require.ErrorAs(t, err, &refused)
	require.Equal(t, keepThem, refused.Next)
	_, _, err = s.Requests(t.Context(), source.Ref{Name: "other"}, inspection.Filter{})
	require.IsType(t, &source.NotFoundError{}, err)
}

// Whatever a node writes, a page that reads slowly holds up nobody, and knows what it has missed.
func TestLogsOfARunAreFollowed(t *testing.T) {
	s := ofBundle()
	s.Line("etl", "stdout", "first")
	got, proceed := make(chan string), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	ended, lost := make(chan error, 1), 0
	go func() {
		ended <- s.FollowLogs(ctx, ref, source.LogQuery{Nodes: []string{"etl"}}, source.LogHandler{
			Line: func(l *logline.Line) {
				got <- l.Text
				<-proceed
			},
			Lost: func(n int) { lost += n },
		})
	}()
	require.Equal(t, "first", <-got)
	for range keptLines + 7 {
		s.Line("etl", "stdout", "flood")
	}
	close(proceed)
	for range keptLines {
		require.Equal(t, "flood", <-got)
	}
	cancel()
	require.NoError(t, <-ended)
	require.Equal(t, 7, lost)
}
