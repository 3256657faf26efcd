package capture

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/inspection"
)

// serve serves c, and returns its address and a client of it.
func serve(t *testing.T, c *Capture) (string, *inspection.Client) {
	t.Helper()
	base, end := context.WithCancel(context.Background())
	server := httptest.NewUnstartedServer(nil)
	server.Config = c.Server(base, nil)
	server.Start()
	t.Cleanup(func() {
		end()
		server.Close()
	})
	client, err := inspection.New(server.URL, nil)
	require.NoError(t, err)
	return server.URL, client
}

func TestServe(t *testing.T) {
	c := New()
	k := c.Begin(contract(t, Settings{}), "a", []string{"etl"})
	k.Input("t.All", all(t, `{"text":"in"}`))
	c.Observe(of("a", "etl"))
	c.Observe(failed(of("b", "etl"), "etl"))
	_, client := serve(t, c)

	list, err := client.List(t.Context(), inspection.Filter{})
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Nil(t, list[1].Input, "lists have no messages")
	list, err = client.List(t.Context(), inspection.Filter{Failed: true})
	require.NoError(t, err)
	require.Equal(t, "b", list[0].ID)

	r, err := client.Get(t.Context(), "a")
	require.NoError(t, err)
	require.Contains(t, string(r.Steps[0].Input.JSON), `"text":"in"`)
	_, err = client.Get(t.Context(), "c")
	require.EqualError(t, err, `cannot get request "c": request "c" is not kept: each entrypoint keeps its last 256 requests`)
	_, err = client.List(t.Context(), inspection.Filter{Limit: 257})
	require.ErrorContains(t, err, "it must be a number from 0 to 256")
}

// A response takes many times the memory of the messages in it.
func TestFewRequestsAreShownAtATime(t *testing.T) {
	c := New()
	c.Observe(of("a", "etl"))
	_, client := serve(t, c)
	for range maxShows {
		c.shows <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	response := httptest.NewRecorder()
	c.Server(ctx, nil).Handler.ServeHTTP(response, httptest.NewRequestWithContext(ctx, http.MethodGet, "/requests/a", http.NoBody))
	require.Zero(t, response.Body.Len(), "it has waited until its client was gone")
	_, err := client.List(t.Context(), inspection.Filter{})
	require.NoError(t, err, "a list needs no turn")

	<-c.shows
	for range 2 * maxShows {
		r, err := client.Get(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, "a", r.ID)
	}
}

func TestOnlyProgramsAreServed(t *testing.T) {
	url, _ := serve(t, New())
	for name, c := range map[string]struct {
		method, header, value string
		want                  int
	}{
		"a program":               {http.MethodGet, "", "", http.StatusOK},
		"an address in a browser": {http.MethodGet, "Sec-Fetch-Site", "none", http.StatusOK},
		"a page":                  {http.MethodGet, "Origin", "https://example.com", http.StatusForbidden},
		"a page without a name":   {http.MethodGet, "Origin", "null", http.StatusForbidden},
		"another site":            {http.MethodGet, "Sec-Fetch-Site", "cross-site", http.StatusForbidden},
		"the same site":           {http.MethodGet, "Sec-Fetch-Site", "same-site", http.StatusForbidden},
		"POST":                    {http.MethodPost, "", "", http.StatusMethodNotAllowed},
		"DELETE":                  {http.MethodDelete, "", "", http.StatusMethodNotAllowed},
		"a long header":           {http.MethodGet, "X", strings.Repeat("x", 16<<10), http.StatusRequestHeaderFieldsTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), c.method, url+"/requests", http.NoBody)
			require.NoError(t, err)
			if c.header != "" {
				request.Header.Set(c.header, c.value)
			}
			response, err := http.DefaultClient.Do(request)
			require.NoError(t, err)
			defer response.Body.Close()
			require.Equal(t, c.want, response.StatusCode)
		})
	}
}

func TestFollow(t *testing.T) {
	c := New()
	for i := range 3 {
		c.Observe(of(fmt.Sprint("old", i), "etl"))
	}
	_, client := serve(t, c)
	ids := make(chan string)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- client.Follow(ctx, inspection.Filter{Limit: 2, Node: "etl"}, func(l inspection.Line) error {
			ids <- l.Request.ID
			return nil
		})
	}()
	require.Equal(t, "old1", <-ids)
	require.Equal(t, "old2", <-ids)
	c.Observe(of("elsewhere", "model"))
	c.Observe(of("new", "etl"))
	require.Equal(t, "new", <-ids)
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
}

// A client that reads nothing for a while is told how much it has missed, and keeps nobody
// waiting.
func TestAFollowerThatIsSlow(t *testing.T) {
	c := New()
	url, _ := serve(t, c)
	connection, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	require.NoError(t, err)
	defer connection.Close()
	require.NoError(t, connection.(*net.TCPConn).SetReadBuffer(4096))
	_, err = fmt.Fprintf(connection, "GET /requests?follow=1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
	require.NoError(t, err)
	lines := make([]byte, 1)
	_, err = connection.Read(lines) // it follows
	require.NoError(t, err)
	r := failed(of("a", "etl"), "etl")
	r.Error = strings.Repeat("long ", 400)
	for range 20_000 {
		c.Observe(r)
	}
	found := false
	for text := ""; !found; {
		room := make([]byte, 1<<20)
		n, err := connection.Read(room)
		require.NoError(t, err)
		text = text[max(0, len(text)-100):] + string(room[:n])
		found = strings.Contains(text, `{"lost":`)
	}
}

func TestFollowersAreBounded(t *testing.T) {
	c := New()
	url, client := serve(t, c)
	for range maxReaders {
		woken, _ := c.reader()
		require.NotNil(t, woken)
	}
	response, err := http.Head(url + "/requests?follow=1")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode, "it takes no place")
	require.Equal(t, "application/jsonl", response.Header.Get("Content-Type"))
	err = client.Follow(t.Context(), inspection.Filter{}, nil)
	require.EqualError(t, err, "cannot follow requests: 16 clients follow the requests already")
}

// Following ends when the entrypoint does.
func TestFollowEnds(t *testing.T) {
	c := New()
	base, end := context.WithCancel(context.Background())
	server := httptest.NewUnstartedServer(nil)
	server.Config = c.Server(base, nil)
	server.Start()
	defer server.Close()
	client, err := inspection.New(server.URL, nil)
	require.NoError(t, err)
	c.Observe(of("a"))
	require.NoError(t, client.Follow(t.Context(), inspection.Filter{Limit: 1}, func(inspection.Line) error {
		end()
		return nil
	}))
}
