package dashboard_test

import (
	"bufio"
	"context"
	"encoding/json"
	"html"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/dashboard"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/test/apiserver"

	view "krt.dev/kn-krt/pkg/dashboard/cluster"
)

// pagesOf serves the pages of what a client's user sees in its namespace.
func pagesOf(t *testing.T, c *cluster.Client, o view.Options) *site {
	t.Helper()
	o.Namespaces = []string{c.Namespace()}
	shown := view.New(c, o)
	t.Cleanup(shown.Close)
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewUnstartedServer(dashboard.New(dashboard.Options{Sources: dashboard.One(shown), Title: "test"}))
	server.Config.BaseContext = func(net.Listener) context.Context { return ctx }
	server.Start()
	t.Cleanup(server.Close)
	t.Cleanup(cancel)
	return &site{T: t, url: server.URL, browser: newBrowser(t)}
}

// at is the path of a page of the version.
func at(ref source.Ref, page string) string {
	return strings.TrimSuffix("/ns/"+ref.Namespace+"/versions/"+ref.Name+"/"+page, "/")
}

// message is an event of a page.
type message struct{ Kind, Text string }

// events follows a page until the test ends.
func (s *site) events(path string) <-chan message {
	s.Helper()
	r, err := http.NewRequestWithContext(bounded(s.T), http.MethodGet, s.url+path+"/events", nil)
	require.NoError(s, err)
	response, err := s.browser.Do(r)
	require.NoError(s, err)
	require.Equal(s, http.StatusOK, response.StatusCode)
	all := make(chan message, 1000)
	go func() {
		defer close(all)
		defer response.Body.Close()
		for lines := bufio.NewScanner(response.Body); lines.Scan(); {
			var m message
			if data, found := strings.CutPrefix(lines.Text(), "data: "); found && json.Unmarshal([]byte(data), &m) == nil {
				all <- m
			}
		}
	}()
	return all
}

// until waits for an event of that kind, and returns its text.
func until(t *testing.T, events <-chan message, kind string) (text string) {
	t.Helper()
	for m := range events {
		if m.Kind == kind {
			return m.Text
		}
	}
	require.Fail(t, "the stream has ended before "+kind)
	return ""
}

// Without Prometheus and without a store every page is there, and says what is missing.
func TestPagesWithoutPrometheusAndStore(t *testing.T) {
	namespace := newNamespace(t)
	ref := create(t, namespace, "one")
	s := pagesOf(t, newClient(t, server.Config(), namespace), view.Options{})
	for page, want := range map[string]string{
		"":            "one",
		"requests":    "version &#34;one&#34; is not available",
		"logs":        "",
		"metrics":     "The store cannot be read: Nothing was saved: no version of the namespace has credentials for the store.",
		"predictions": "Nothing was saved: no version of the namespace has credentials for the store.",
		"docs":        "The version was created without files",
		"dashboards":  "The version was created without files",
		"config":      "2 of 2 without a value",
		"try":         "is not available",
		"history":     "",
		"compare":     "",
	} {
		status, text := s.do(http.MethodGet, at(ref, page), nil)
		require.Equal(t, http.StatusOK, status, "%s: %s", page, text)
		require.Contains(t, html.UnescapeString(text), html.UnescapeString(want), page)
		require.Contains(t, []string{"fragment", "beat", "own"}, (<-s.events(at(ref, page))).Kind, page)
	}
}

// A page says when the API server is away for longer than it usually is, and recovers by itself.
func TestPagesOutliveAnOutage(t *testing.T) {
	namespace := newNamespace(t)
	ref := create(t, namespace, "one")
	to, err := url.Parse(server.URL)
	require.NoError(t, err)
	relay := &apiserver.Relay{To: to.Host}
	require.NoError(t, relay.Start())
	t.Cleanup(relay.Cut)
	config := server.Config()
	config.Host = "https://" + relay.Address()
	s := pagesOf(t, newClient(t, config, namespace), view.Options{Silence: time.Nanosecond})
	events := s.events(at(ref, ""))
	until(t, events, "beat")
	var running []int
	for range 3 {
		relay.Cut()
		require.Contains(t, until(t, events, "problem"), "cannot list versions: ")
		status, text := s.do(http.MethodGet, at(ref, ""), nil)
		require.Equal(t, http.StatusBadGateway, status)
		require.Contains(t, text, "cannot list versions: ")
		require.NoError(t, relay.Start())
		until(t, events, "beat")
		status, _ = s.do(http.MethodGet, at(ref, ""), nil)
		require.Equal(t, http.StatusOK, status)
		running = append(running, ourGoroutines())
	}
	settled := apiserver.Soon(bounded(t), func() bool { return ourGoroutines() <= running[0] })
	require.True(t, settled, "each outage leaves some: %v", running)
}

// ourGoroutines is how many goroutines are kn-krt's: those of connections, of which some are open later than others,
// are not.
func ourGoroutines() (n int) {
	stacks := make([]byte, 4<<20)
	for stack := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		if strings.Contains(stack, "krt.dev/kn-krt/pkg/") {
			n++
		}
	}
	return n
}

// A page shows nothing more once its user has lost the right, though the API server lets a watch that
// has begun go on.
func TestPagesEndWithTheirRights(t *testing.T) {
	namespace := newNamespace(t)
	ref := create(t, namespace, "one")
	user := server.AsUser("reader-" + namespace)
	apiserver.Allow(t, admin, user, namespace, readVersions()...)
	s := pagesOf(t, newClient(t, user, namespace), view.Options{Review: time.Millisecond})
	events := s.events(at(ref, ""))
	until(t, events, "beat")
	require.NoError(t, admin.DeleteAllOf(t.Context(), &rbacv1.RoleBinding{}, client.InNamespace(namespace)))
	require.Contains(t, until(t, events, "problem"), "versions")
	require.True(t, apiserver.Soon(bounded(t), func() bool {
		status, _ := s.do(http.MethodGet, at(ref, ""), nil)
		return status == http.StatusForbidden
	}))
	status, text := s.do(http.MethodGet, "/", nil)
	require.Equal(t, http.StatusForbidden, status)
	require.NotContains(t, text, ">one<")
}
