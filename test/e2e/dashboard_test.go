package e2e_test

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/test/namespace"
)

// browser reads the pages of a dashboard and sends its forms, as one that has no JavaScript.
type browser struct {
	c      cli
	base   string
	host   string // the Host header, if not that of base
	header http.Header
	client *http.Client
}

// do sends a request as a page of the dashboard does, and returns the page that it led to.
func (b browser) do(method, path string, form url.Values) (int, string) {
	b.c.t.Helper()
	status, text, err := b.try(method, path, form)
	require.NoError(b.c.t, err)
	return status, text
}

// try is do where no connection may be had yet: a Service forwards a moment after its pod is ready.
func (b browser) try(method, path string, form url.Values) (int, string, error) {
	b.c.t.Helper()
	request, err := http.NewRequestWithContext(b.c.t.Context(), method, b.base+path, strings.NewReader(form.Encode()))
	require.NoError(b.c.t, err)
	request.Header, request.Host = b.header.Clone(), cmp.Or(b.host, request.Host)
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	return do(b.client, request)
}

// shows waits until a page of the version shows all the texts.
func (b browser) shows(version, page string, texts ...string) {
	b.c.t.Helper()
	b.c.Eventually(func() error {
		status, text, err := b.try(http.MethodGet, b.of(version)+page, nil)
		if err != nil {
			return err
		}
		for _, want := range texts {
			if status != http.StatusOK || !strings.Contains(text, want) {
				return fmt.Errorf("%s%s does not show %q: %d\n%.3000s", version, page, want, status, text)
			}
		}
		return nil
	})
}

func (b browser) of(version string) string {
	return "/ns/" + b.c.Name + "/versions/" + version
}

// act does what the button of the version does.
func (b browser) act(version, action string) {
	b.c.t.Helper()
	path := b.of(version) + "/actions/" + action
	status, page := b.do(http.MethodGet, path, nil)
	require.Equal(b.c.t, http.StatusOK, status, page)
	form := url.Values{"comment": {action + " by a test"}}
	for _, field := range []string{"old", "new"} {
		value := regexp.MustCompile(`name="` + field + `" value="([^"]*)"`).FindStringSubmatch(page)
		require.NotNil(b.c.t, value, page)
		form.Set(field, value[1])
	}
	status, page = b.do(http.MethodPost, path, form)
	require.Equal(b.c.t, http.StatusOK, status, page)
}

// dashboard starts kn krt dashboard, which the link that it prints opens once.
func (c cli) dashboard(more ...string) browser {
	c.t.Helper()
	words := append([]string{c.path, "kn-krt", "dashboard", "--insecure-registry", "--namespace", c.Name}, more...)
	command := exec.CommandContext(c.t.Context(), "env", words...) // not by kn, which does not pass signals on
	command.Stderr = os.Stderr
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	out, err := command.StdoutPipe()
	require.NoError(c.t, err)
	require.NoError(c.t, command.Start())
	lines := bufio.NewScanner(out)
	var link *url.URL
	for link == nil && lines.Scan() {
		if strings.HasPrefix(lines.Text(), "http://") {
			link, err = url.Parse(lines.Text())
			require.NoError(c.t, err)
		}
	}
	require.NotNil(c.t, link, "the dashboard has ended")
	c.t.Cleanup(func() {
		_, _ = io.Copy(io.Discard, out)
		_ = command.Wait() // the test's end has stopped it
	})
	jar, err := cookiejar.New(nil)
	require.NoError(c.t, err)
	b := browser{c: c, base: "http://" + link.Host, header: http.Header{}, client: &http.Client{Jar: jar}}
	status, page := b.do(http.MethodGet, "/?"+link.RawQuery, nil)
	require.Equal(c.t, http.StatusOK, status, page)
	stolen := browser{c: c, base: b.base, header: http.Header{}, client: &http.Client{}}
	status, _ = stolen.do(http.MethodGet, "/?"+link.RawQuery, nil)
	require.Equal(c.t, http.StatusUnauthorized, status, "the link works once")
	return b
}

// What a version is and does on a real cluster is on the pages of kn krt dashboard, and the
// buttons work with the user's rights: the entrypoint and store are reached by port-forward, the
// documentation comes from the registry.
func TestKnKrtDashboard(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.storeReady()
	const version = "price-estimator-v1"
	c.krt("create", inspectable(t), "--base=python="+os.Getenv("KRT_PYTHON_BASE"), "--set=OUTPUT_PRICE_CURRENCY=EUR", "--delivery=Direct")
	b := c.dashboard()
	b.shows(version, "", "ny-room-price", "save-metrics", "etl", "model", "output", "Stopped")
	b.act(version, "start")
	b.shows(version, "", "Started", "Ready")
	b.act(version, "publish")
	b.shows(version, "", "Published")
	require.Equal(t, version, c.Get("runtime/default", "{.status.publishedVersion}"))
	b.shows(version, "/history", "publish by a test")
	b.shows(version, "/config", "OUTPUT_PRICE_CURRENCY")

	b.shows(version, "/try", "borough")
	status, page := b.do(http.MethodPost, b.of(version)+"/try",
		url.Values{"workflow": {"ny-room-price"}, "do": {"send-json"}, "json": {inspectedRequest}})
	require.Equal(t, http.StatusOK, status, page)
	require.Contains(t, page, "currency")
	require.Contains(t, page, "OK")
	c.krt("invoke", version, "ny-room-price", "-d", inspectedRequest, "--inspect")
	// The log first: a node may have no pod some time after its last request.
	status, lines := b.do(http.MethodGet, b.of(version)+"/logs/download?node=model", nil)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, lines, "model trained on")
	request := c.requests(version)[0].ID
	b.shows(version, "/requests", request)
	b.shows(version, "/requests/"+request, "roomprice.internal.EtlOutput", "[redacted]")
	b.shows(version, "/docs", "Price of a room in New York")
	b.shows(version, "/dashboards", "prices")
	b.shows(version, "/predictions", "predictions")

	b.act(version, "unpublish")
	b.shows(version, "", b.of(version)+"/actions/stop") // it is no longer published: the button is enabled
	b.act(version, "stop")
	b.shows(version, "", "Stopped")
}

// The dashboard in a cluster has no rights: a user signs in with a token of the API server and
// sees what that one may see.
func TestDashboardInTheCluster(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.Inside()
	c.create("../bundles/cases/documents")
	c.Ko("apply", "--sbom=none", "--filename=config/dashboard/")
	c.Afterwards("kubectl", "delete", "--filename=../../config/dashboard/", "--ignore-not-found")
	c.Kubectl("rollout", "status", "deployment/krt-dashboard", "-n", "krt-system", "--timeout", namespace.Patience.String())
	for name, role := range map[string]string{"viewer": "view", "nobody": ""} {
		c.In("create", "serviceaccount", name)
		if role != "" {
			c.In("create", "rolebinding", name, "--clusterrole="+role, "--serviceaccount="+c.Name+":"+name)
		}
	}
	const address = "http://krt-dashboard.krt-system.svc.cluster.local"
	as := func(token string) browser {
		header := http.Header{}
		if token != "" {
			header.Set("Authorization", "Bearer "+token)
		}
		return browser{c: c, base: address, host: "krt-dashboard.krt-system.svc", header: header, client: &http.Client{}}
	}
	viewer := as(c.In("create", "token", "viewer"))
	viewer.shows("documents-v1", "", "one", "Started")
	other := viewer
	other.host = "elsewhere.example.com"
	status, page := other.do(http.MethodGet, "/", nil)
	require.Equal(t, http.StatusMisdirectedRequest, status, page)
	status, page = as("").do(http.MethodGet, viewer.of("documents-v1"), nil)
	require.Equal(t, http.StatusUnauthorized, status, page)
	require.NotContains(t, page, "documents-v1")
	status, page = as(c.In("create", "token", "nobody")).do(http.MethodGet, viewer.of("documents-v1"), nil)
	require.NotEqual(t, http.StatusOK, status)
	require.NotContains(t, page, "Started")
	status, page = viewer.do(http.MethodPost, viewer.of("documents-v1")+"/actions/stop", url.Values{"old": {""}, "new": {""}})
	require.NotEqual(t, http.StatusOK, status)
	require.Contains(t, page, "read-only")
	require.NotEqual(t, "Stopped", c.Get("version/documents-v1", "{.status.phase}"))
}
