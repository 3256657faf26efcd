package dashboard_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/dashboard/service"
	"krt.dev/kn-krt/test/apiserver"
)

// newToken makes a service account "me" with rights in its namespace, and returns a token of it
// and a function that ends that.
func newToken(t *testing.T, namespace string, rights ...cluster.Right) (token string, revoke func()) {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "me", Namespace: namespace}}
	require.NoError(t, admin.Create(t.Context(), account))
	apiserver.Allow(t, admin, server.As(namespace, "me"), namespace, rights...)
	request := &authenticationv1.TokenRequest{}
	require.NoError(t, admin.SubResource("token").Create(t.Context(), account, request))
	return request.Status.Token, func() { require.NoError(t, admin.Delete(context.WithoutCancel(t.Context()), account)) }
}

// all are the rights on versions and Runtimes.
func all(verbs ...string) (rights []cluster.Right) {
	for _, verb := range verbs {
		rights = append(rights, ours(verb, "versions"), ours(verb, "runtimes"))
	}
	return rights
}

// site is a dashboard that runs as in a cluster, in a browser of its own.
type site struct {
	*testing.T
	url     string
	browser *http.Client
}

func newSite(t *testing.T, c service.Config) *site {
	t.Helper()
	c.API, c.CA, c.SignIn = server.URL, server.CAFile, true
	c.CheckTime = time.Millisecond
	pages, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	probes, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- service.New(c, slog.New(slog.DiscardHandler)).Serve(ctx, pages, probes) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-ended)
	})
	return &site{T: t, url: "http://" + pages.Addr().String(), browser: newBrowser(t)}
}

func newBrowser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &http.Client{Jar: jar}
}

// do sends a request and returns the response's status and text; headers are pairs.
func (s *site) do(method, path string, form url.Values, headers ...string) (status int, text string) {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), method, s.url+path, strings.NewReader(form.Encode()))
	require.NoError(s, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := s.browser.Do(r)
	require.NoError(s, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(s, err)
	return response.StatusCode, string(body)
}

func (s *site) signIn(token string) (status int, text string) {
	return s.do(http.MethodPost, "/sign-in", url.Values{"token": {token}})
}

// Nobody sees anything without a token, and with one what its owner may see.
func TestServiceShowsWhatATokenMaySee(t *testing.T) {
	namespace, other := newNamespace(t), newNamespace(t)
	ref := create(t, namespace, "mine")
	hidden := create(t, other, "theirs")
	token, revoke := newToken(t, namespace, all("get", "list", "watch", "patch")...)
	s := newSite(t, service.Config{})
	status, text := s.do(http.MethodGet, "/", nil)
	require.Equal(t, http.StatusUnauthorized, status)
	require.Contains(t, text, `action="/sign-in"`)
	status, _ = s.do(http.MethodGet, "/ns/"+namespace+"/versions/mine", nil, "Authorization", "Bearer wrong")
	require.Equal(t, http.StatusUnauthorized, status)
	status, text = s.signIn("wrong")
	require.Equal(t, http.StatusUnauthorized, status)
	require.Contains(t, text, "the cluster does not accept this token")

	status, _ = s.signIn(token)
	require.Equal(t, http.StatusOK, status) // after the redirect
	require.True(t, apiserver.Soon(bounded(t), func() bool {
		_, text := s.do(http.MethodGet, "/", nil)
		return strings.Contains(text, "mine") && !strings.Contains(text, "theirs")
	}))
	status, _ = s.do(http.MethodGet, "/ns/"+ref.Namespace+"/versions/"+ref.Name, nil)
	require.Equal(t, http.StatusOK, status)
	status, _ = s.do(http.MethodGet, "/ns/"+hidden.Namespace+"/versions/"+hidden.Name, nil)
	require.Equal(t, http.StatusNotFound, status)

	// It is read-only unless it is configured otherwise, also for a user with the right.
	status, text = s.do(http.MethodPost, "/ns/"+ref.Namespace+"/versions/"+ref.Name+"/actions/stop", nil)
	require.Equal(t, http.StatusForbidden, status)
	require.Contains(t, text, "read-only")

	// What a proxy passes on has the same rights; nobody else's cookie or name of the host has.
	status, _ = s.do(http.MethodGet, "/", nil, "Authorization", "Bearer "+token)
	require.Equal(t, http.StatusOK, status)
	stranger := &site{T: t, url: s.url, browser: newBrowser(t)}
	status, _ = stranger.do(http.MethodGet, "/", nil)
	require.Equal(t, http.StatusUnauthorized, status)

	revoke()
	require.True(t, apiserver.Soon(bounded(t), func() bool {
		status, _ := s.do(http.MethodGet, "/", nil)
		return status == http.StatusUnauthorized
	}))
}

// With changes, a user's own rights decide.
func TestServiceChanges(t *testing.T) {
	namespace := newNamespace(t)
	ref := create(t, namespace, "mine")
	token, _ := newToken(t, namespace, all("get", "list", "watch")...)
	s := newSite(t, service.Config{Namespaces: []string{namespace}, Changes: true})
	_, _ = s.signIn(token)
	at := "/ns/" + ref.Namespace + "/versions/" + ref.Name + "/actions/stop"
	status, text := s.do(http.MethodPost, at, nil)
	require.Equal(t, http.StatusForbidden, status, text)
	apiserver.Allow(t, admin, server.As(namespace, "me"), namespace, all("patch")...)
	require.True(t, apiserver.Soon(bounded(t), func() bool {
		status, text = s.do(http.MethodPost, at, url.Values{"comment": {"enough"}})
		return status == http.StatusOK
	}), text)
	shown := newSource(t, newClient(t, server.Config(), namespace), namespace)
	require.True(t, apiserver.Soon(bounded(t), func() bool {
		v, err := shown.Version(t.Context(), ref)
		return err == nil && v.Comment == "enough"
	}))
	// A page of another site cannot.
	status, _ = s.do(http.MethodPost, at, nil, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site")
	require.Equal(t, http.StatusForbidden, status)
	status, _ = s.do(http.MethodPost, "/sign-out", nil)
	require.Equal(t, http.StatusUnauthorized, status)
}

// A stream ends when its user's token is not accepted any more.
func TestServiceEndsStreams(t *testing.T) {
	namespace := newNamespace(t)
	create(t, namespace, "mine")
	token, revoke := newToken(t, namespace, all("get", "list", "watch")...)
	s := newSite(t, service.Config{Namespaces: []string{namespace}})
	_, _ = s.signIn(token)
	r, err := http.NewRequestWithContext(bounded(t), http.MethodGet, s.url+"/events", nil)
	require.NoError(t, err)
	response, err := s.browser.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
	revoke()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Contains(t, string(text), `{"kind":"gone","text":"The cluster does not accept your token any more`)
}
