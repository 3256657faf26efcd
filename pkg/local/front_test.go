package local

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// lasting is a dashboard whose page /_krt/events sends a line, and the next once told returns.
type lasting struct{ told chan string }

func (l lasting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintln(w, "dashboard")
	if r.URL.Path != "/_krt/events" {
		return
	}
	_ = http.NewResponseController(w).Flush()
	select {
	case text := <-l.told:
		fmt.Fprintln(w, text)
	case <-r.Context().Done():
	}
}

// get returns the status of a page, its first line and what follows.
func get(t *testing.T, url string) (status int, first string, rest *bufio.Reader) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	rest = bufio.NewReader(response.Body)
	first, err = rest.ReadString('\n')
	require.NoError(t, err)
	return response.StatusCode, strings.TrimSpace(first), rest
}

func TestTheDashboardIsServedFromTheStartToTheEnd(t *testing.T) {
	dir := newBundle(t)
	writeNode(t, dir, "world", "never-ready", "")
	report, page := newRecorder(), lasting{make(chan string, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, dir, Options{Reporter: report, StateDir: filepath.Join(t.TempDir(), "s"), Dashboard: page})
	}()
	web := "http://" + report.await(t, EventStarting, 1)[0].Serving.Web
	status, text, _ := get(t, web+"/_krt/")
	require.Equal(t, 200, status)
	require.Equal(t, "dashboard", text)
	status, text, _ = get(t, web+"/")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, text, `"message":"the version is starting; /_krt/ shows how far it is"`)

	_, _, stream := get(t, web+"/_krt/events")
	report.await(t, EventNodeReady, 1)
	cancel()
	report.await(t, EventStopped, 1)
	page.told <- "the run has ended"
	line, err := stream.ReadString('\n')
	require.NoError(t, err, "a page learns how the run has ended")
	require.Equal(t, "the run has ended\n", line)
	require.ErrorIs(t, <-done, context.Canceled)
}

func TestTheEntrypointServesTheDashboardOnceItIsReady(t *testing.T) {
	page := lasting{make(chan string, 1)}
	r := startRun(t, newBundle(t), Options{Dashboard: page})
	web := "http://" + r.serving.Web
	_, text, _ := get(t, web+"/_krt/")
	require.Equal(t, "dashboard", text)
	status, text, _ := get(t, web+"/")
	require.Equal(t, 200, status)
	require.Contains(t, text, "<!")
	r.requireAnswer(t, "Hello", "x", "hello x")

	_, _, stream := get(t, web+"/_krt/events")
	require.NoError(t, r.stop(), "an open page does not keep the run from its end")
	_, err := stream.ReadString('\n')
	require.ErrorIs(t, err, io.EOF)
}

// A connection that was opened before the front was released is still served by it; later ones
// are not lost, but wait for the next server.
func TestAFrontGivesTheListenerBack(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	url := "http://" + l.Addr().String()
	page := lasting{make(chan string, 1)}
	r := &run{o: Options{Reporter: newRecorder()}}
	f := newFront(l, page, r.logger())
	_, _, stream := get(t, url+"/_krt/events")
	early, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer early.Close()
	_, _, last := get(t, url+"/_krt/") // connections are accepted in their order
	_, _ = io.Copy(io.Discard, last)
	f.release()

	next := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "next") })}
	go func() { _ = next.Serve(l) }()
	defer next.Close()
	_, text, _ := get(t, url+"/_krt/")
	require.Equal(t, "next", text)
	fmt.Fprintf(early, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", l.Addr())
	response, err := http.ReadResponse(bufio.NewReader(early), nil)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode, "a connection that was not used before is of the next server")
	page.told <- "goes on"
	line, err := stream.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "goes on\n", line)
	f.close()
}
