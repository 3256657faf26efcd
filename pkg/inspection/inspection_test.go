package inspection_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/inspection"
)

func TestFilter(t *testing.T) {
	r := inspection.Request{
		Workflow: "price", Code: "INTERNAL", DurationMS: 12.5, Node: "model",
		Steps: []inspection.Step{{Node: "etl"}},
	}
	for query, want := range map[string]bool{
		"":                              true,
		"limit=3":                       true,
		"failed=1":                      true,
		"slower=12ms":                   true,
		"slower=13ms":                   false,
		"workflow=price":                true,
		"workflow=other":                false,
		"node=etl":                      true,
		"node=model":                    true,
		"node=output":                   false,
		"failed=true&slower=1s":         false,
		"workflow=price&node=etl&limit": false, // not a filter
	} {
		t.Run(query, func(t *testing.T) {
			q, err := url.ParseQuery(query)
			require.NoError(t, err)
			f, _, err := inspection.ParseFilter(q)
			require.Equal(t, want, err == nil && f.Match(&r))
		})
	}
	r.Code = "OK"
	require.False(t, (&inspection.Filter{Failed: true}).Match(&r))
}

func TestParseFilterRefuses(t *testing.T) {
	for query, want := range map[string]string{
		"limit=-1":               `the parameter limit is "-1"; it must be a number from 0 to 256, once`,
		"limit=257":              `the parameter limit is "257"; it must be a number from 0 to 256, once`,
		"failed=yes":             `the parameter failed is "yes"; it must be 1 or 0, once`,
		"follow=&x":              "", // either
		"slower=fast":            `the parameter slower is "fast"; it must be a duration such as "250ms", once`,
		"slower=-1s":             `the parameter slower is "-1s"; it must be a duration such as "250ms", once`,
		"workflow=a&workflow=b":  `the parameter workflow is "a"; it must be a name of at most 253 bytes, once`,
		"node=" + long(254):      `the parameter node is "` + long(64) + `"; it must be a name of at most 253 bytes, once`,
		"limits=1":               `the parameter "limits" is unknown; known are limit, failed, slower, workflow, node and follow`,
		"follow=1&slower=1h&a=1": `the parameter "a" is unknown; known are limit, failed, slower, workflow, node and follow`,
	} {
		t.Run(query, func(t *testing.T) {
			q, err := url.ParseQuery(query)
			require.NoError(t, err)
			_, _, err = inspection.ParseFilter(q)
			require.ErrorContains(t, err, want)
		})
	}
}

func long(n int) string { return strings.Repeat("a", n) }

func FuzzParseFilter(f *testing.F) {
	f.Add("limit=10&failed=1&slower=250ms&workflow=w&node=n&follow=1")
	f.Add("limit=1e3&slower=9223372036854775807ns")
	f.Fuzz(func(t *testing.T, query string) {
		q, _ := url.ParseQuery(query)
		filter, _, err := inspection.ParseFilter(q)
		if err != nil {
			require.Less(t, len(err.Error()), 1000)
			return
		}
		require.GreaterOrEqual(t, filter.Slower, time.Duration(0))
		require.LessOrEqual(t, filter.Limit, inspection.MaxRequests)
	})
}

// serve serves text at path, and returns a client.
func serve(t *testing.T, path, text string) *inspection.Client {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Queried", r.URL.RawQuery)
		_, _ = io.WriteString(w, strings.ReplaceAll(text, "QUERY", r.URL.RawQuery))
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "there is no such request", http.StatusNotFound)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	client, err := inspection.New(server.URL, nil)
	require.NoError(t, err)
	return client
}

func TestList(t *testing.T) {
	c := serve(t, "/requests", `{"requests":[{"id":"b","error":"QUERY"},{"id":"a","durationMs":1.5}]}`)
	list, err := c.List(t.Context(), inspection.Filter{Limit: 2, Failed: true, Slower: time.Second, Workflow: "w", Node: "n"})
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, "failed=1&limit=2&node=n&slower=1s&workflow=w", list[0].Error)
	require.Equal(t, 1500*time.Microsecond, list[1].Duration())
}

func TestGet(t *testing.T) {
	c := serve(t, "/requests/{id}", `{"id":"a","steps":[{"node":"etl","output":{"type":"T","size":3,"json":{"a":1}}}]}`)
	r, err := c.Get(t.Context(), "a/../b?c")
	require.NoError(t, err)
	require.JSONEq(t, `{"a":1}`, string(r.Steps[0].Output.JSON))

	_, err = serve(t, "/requests", "").Get(t.Context(), "b")
	require.EqualError(t, err, `cannot get request "b": there is no such request`)
	var refused *inspection.StatusError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, http.StatusNotFound, refused.Code)
}

func TestResponsesAreBounded(t *testing.T) {
	_, err := serve(t, "/requests", `{"requests":[{"error":"`+long(8<<20)+`"}]}`).List(t.Context(), inspection.Filter{})
	require.EqualError(t, err, "cannot list requests: the response is larger than 8388608 bytes")
	_, err = serve(t, "/requests", "<html>").List(t.Context(), inspection.Filter{})
	require.ErrorContains(t, err, "cannot list requests: the response is not the JSON of an inspection port: invalid character")
	err = serve(t, "/requests", long(300<<10)).Follow(t.Context(), inspection.Filter{}, func(inspection.Line) error { return nil })
	require.EqualError(t, err, "cannot follow requests: bufio.Scanner: token too long")
}

func TestFollow(t *testing.T) {
	c := serve(t, "/requests", "{\"request\":{\"id\":\"a\",\"error\":\"QUERY\"}}\n\n{\"lost\":3}\n")
	var lines []inspection.Line
	keep := func(l inspection.Line) error {
		lines = append(lines, l)
		return nil
	}
	require.NoError(t, c.Follow(t.Context(), inspection.Filter{Limit: 1}, keep))
	require.Len(t, lines, 2)
	require.Equal(t, "follow=1&limit=1", lines[0].Request.Error)
	require.Equal(t, 3, lines[1].Lost)

	enough := errors.New("enough")
	require.ErrorIs(t, c.Follow(t.Context(), inspection.Filter{}, func(inspection.Line) error { return enough }), enough)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, c.Follow(ctx, inspection.Filter{}, keep), context.Canceled)
	require.ErrorContains(t, serve(t, "/requests", "no JSON\n").Follow(t.Context(), inspection.Filter{}, keep), "a line is not JSON")
}

func TestNewRefuses(t *testing.T) {
	for _, base := range []string{"", "127.0.0.1:8082", "ftp://127.0.0.1", "http://"} {
		_, err := inspection.New(base, nil)
		require.ErrorContains(t, err, "is not the address of an inspection port", base)
	}
}
