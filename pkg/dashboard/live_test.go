package dashboard

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/guard"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/dashboard/sourcetest"
	"krt.dev/kn-krt/pkg/dashboard/stream"
)

// streamEvent is an event of a stream.
type streamEvent = stream.Message

// events opens a stream, and returns what reads its next message.
func events(t *testing.T, server *httptest.Server, path string) (next func() streamEvent) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/_krt"+path, nil)
	require.NoError(t, err)
	response, err := server.Client().Do(request)
	require.NoError(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
	return messages(t, response)
}

// messages returns what reads the next message of a stream.
func messages(t *testing.T, response *http.Response) (next func() streamEvent) {
	t.Helper()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 16<<20)
	return func() (m streamEvent) {
		for lines.Scan() {
			if text, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				require.NoError(t, json.Unmarshal([]byte(text), &m))
				return m
			}
		}
		require.NoError(t, lines.Err())
		return streamEvent{Kind: "end"}
	}
}

// until reads messages up to the next beat. A page may be rendered once more before something has changed: such beats
// are passed over.
func until(next func() streamEvent) (ids []string, all string) {
	for m := afterBeats(next); m.Kind == "fragment"; m = next() {
		ids = append(ids, m.ID)
		all += m.HTML
	}
	return ids, all
}

// afterBeats reads the next message behind a few beats, if there are any.
func afterBeats(next func() streamEvent) streamEvent {
	m := next()
	for range 3 {
		if m.Kind != "beat" {
			break
		}
		m = next()
	}
	return m
}

func TestStreamSendsOnlyWhatChanged(t *testing.T) {
	m := sourcetest.New(example("a-1", source.Ready), example("b-1", source.Ready))
	next := events(t, serve(t, m), "/events")
	ids, _ := until(next)
	require.Equal(t, []string{"count", "versions", "numbers", "v:team/a-1", "v:team/b-1"}, ids)

	m.Set(example("b-1", source.Failed))
	ids, html := until(next)
	require.Equal(t, []string{"v:team/b-1"}, ids)
	require.Contains(t, html, "state-failed")

	m.Set(example("c-1", source.Ready))
	ids, _ = until(next)
	require.Equal(t, []string{"count", "versions", "v:team/c-1"}, ids)
}

// The first version may not match the filters: then the page must not say that there is none.
func TestTheFirstVersionIsNoticed(t *testing.T) {
	m := sourcetest.New()
	server := serve(t, m)
	next := events(t, server, "/events?state=failed")
	_, html := until(next)
	require.Contains(t, html, "There are no versions yet")
	m.Set(example("a-1", source.Ready))
	_, html = until(next)
	require.Contains(t, html, "No version matches the filters.")
}

func TestStreamOfAVersionEndsWithIt(t *testing.T) {
	m := sourcetest.New(example("a-1", source.Starting))
	next := events(t, serve(t, m), "/ns/team/versions/a-1/events")
	ids, _ := until(next)
	require.Equal(t, []string{"side-version", "side-actions", "cause", "cards", "numbers", "workflow-1"}, ids)
	m.Set(example("a-1", source.Ready))
	_, html := until(next)
	require.Contains(t, html, "Publish")
	m.Remove(source.Ref{Namespace: "team", Name: "a-1"})
	got := afterBeats(next)
	require.Equal(t, "gone", got.Kind)
	require.Equal(t, "there is no version a-1 in namespace team", got.Text)
}

func TestStreamsAreBounded(t *testing.T) {
	m := sourcetest.New(example("a-1", source.Ready))
	server := serve(t, m)
	for range maxStreams {
		events(t, server, "/events")()
	}
	status, text := get(t, server, "/events")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Equal(t, "As many pages of this dashboard are open as it can keep up to date.\n", text)
}

// One user does not have all the streams: others' pages stay alive.
func TestStreamsOfAUserAreBounded(t *testing.T) {
	m := sourcetest.New(example("a-1", source.Ready))
	server := serve(t, m, func(o *Options) { o.User = func(r *http.Request) string { return r.FormValue("q") } })
	for range maxOwnStreams {
		events(t, server, "/events?q=me")()
	}
	status, text := get(t, server, "/events?q=me")
	require.Equal(t, http.StatusTooManyRequests, status)
	require.Equal(t, "You have as many pages of this dashboard open as one user may have: close some.\n", text)
	events(t, server, "/events?q=you")()
}

// A stream that ends because the user is not let in any more says so.
func TestStreamSaysWhyItWasEnded(t *testing.T) {
	ctx, end := context.WithCancelCause(t.Context())
	defer end(nil)
	d := New(Options{Sources: One(sourcetest.New(example("a-1", source.Ready))), Prefix: "/_krt"})
	server := httptest.NewUnstartedServer(d)
	server.Config.BaseContext = func(net.Listener) context.Context { return ctx }
	server.Start()
	t.Cleanup(server.Close)
	next := events(t, server, "/events")
	until(next)
	end(&guard.EndedError{Text: "You have signed out."})
	require.Equal(t, streamEvent{Kind: "gone", Text: "You have signed out."}, afterBeats(next))
	require.Equal(t, "end", next().Kind)
}

func TestStreamKeepsTextsOnTheirLine(t *testing.T) {
	v := example("a-1", source.Ready)
	v.Comment = "a\n\ndata: {\"kind\":\"gone\"}\n\n\u2028" + hostile
	next := events(t, serve(t, sourcetest.New(v)), "/events")
	ids, html := until(next)
	require.Len(t, ids, 4)
	require.NotContains(t, html, "<script")
}
