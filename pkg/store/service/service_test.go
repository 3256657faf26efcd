package service

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/credential"
	wire "krt.dev/kn-krt/pkg/runner/store"
)

// running is a store on this machine.
type running struct {
	*testing.T

	service      *Service
	url, metrics string
	key          []byte
	end          func() error
}

// start runs a store on SQLite until the end of the test.
func start(t *testing.T, changes ...func(*Config)) *running {
	t.Helper()
	key := credential.NewKey()
	c := Config{Keys: t.TempDir(), Settings: t.TempDir(), Documents: "sqlite://" + filepath.Join(t.TempDir(), "store.db")}
	require.NoError(t, os.WriteFile(filepath.Join(c.Keys, "current"), key, 0o600))
	for _, change := range changes {
		change(&c)
	}
	s, err := New(t.Context(), c, slog.New(slog.NewTextHandler(io.Discard, nil)))
	require.NoError(t, err)
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		return l
	}
	api, metrics := listen(), listen()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, api, metrics) }()
	r := &running{T: t, service: s, url: "http://" + api.Addr().String(), metrics: "http://" + metrics.Addr().String() + "/metrics", key: key}
	done := false
	r.end = func() error {
		if done {
			return nil
		}
		done = true
		cancel()
		return <-ended
	}
	t.Cleanup(func() { require.NoError(t, r.end()) })
	return r
}

func (r *running) credential(role credential.Role, namespace, version string) string {
	return credential.New(r.key, credential.Holder{Role: role, Namespace: namespace, Version: version})
}

// client is that of a version's node.
func (r *running) client(namespace, version string) *wire.Client {
	r.Helper()
	folder := r.TempDir()
	file := filepath.Join(folder, wire.FileCredential)
	require.NoError(r, os.WriteFile(file, []byte(r.credential(credential.Node, namespace, version)), 0o600))
	c, err := wire.New(r.url, wire.Credentials(folder))
	require.NoError(r, err)
	return c
}

// send sends a request with a credential, and returns status and body of the response.
func (r *running) send(method, path, credential, body string, headers ...string) (int, string) {
	r.Helper()
	req, err := http.NewRequestWithContext(r.Context(), method, r.url+path, strings.NewReader(body))
	require.NoError(r, err)
	if credential != "" {
		req.Header.Set("Authorization", "Bearer "+credential)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(req)
	require.NoError(r, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(r, err)
	return response.StatusCode, string(text)
}

func (r *running) find(c *wire.Client, coll string) (found []map[string]any) {
	r.Helper()
	require.NoError(r, c.Find(r.Context(), wire.Origin{}, coll, map[string]any{}, &found))
	return found
}

func TestNamespacesAreSeparate(t *testing.T) {
	r := start(t)
	a1, a2, b := r.client("a", "v1"), r.client("a", "v2"), r.client("b", "v1")
	for _, c := range []*wire.Client{a1, b} {
		_, err := c.Save(t.Context(), wire.Origin{Version: "v1", Node: "n"}, "rooms", map[string]any{"n": 1})
		require.NoError(t, err)
	}
	require.Len(t, r.find(a1, "rooms"), 1)
	require.Len(t, r.find(a2, "rooms"), 1, "versions of a runtime share documents")
	require.Len(t, r.find(b, "rooms"), 1)
}

func TestOriginIsThatOfTheCredential(t *testing.T) {
	r := start(t)
	mine := r.credential(credential.Node, "a", "mine")
	status, text := r.send(http.MethodPost, wire.PathPredictions, mine, `{"predicted_value": "x", "true_value": "x"}`,
		wire.HeaderVersion, "theirs", wire.HeaderNode, "model", "Krt-Runtime", "b")
	require.Equal(t, http.StatusCreated, status, text)
	_, text = r.send(http.MethodGet, wire.PathPredictions, mine, "")
	var listed struct {
		Predictions []struct{ Version, Node string }
	}
	require.NoError(t, json.Unmarshal([]byte(text), &listed))
	require.Len(t, listed.Predictions, 1)
	require.Equal(t, "mine", listed.Predictions[0].Version)
	require.Equal(t, "model", listed.Predictions[0].Node)
	_, text = r.send(http.MethodGet, wire.PathPredictions, r.credential(credential.Node, "b", "mine"), "")
	require.JSONEq(t, `{"predictions": []}`, text)

	status, text = r.send(http.MethodGet, wire.PathPredictions, mine, "", wire.HeaderNode, strings.Repeat("n", 64))
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, text, "at most 63 bytes")
}

func TestForgedCredentialsAreRefused(t *testing.T) {
	r := start(t)
	good := r.credential(credential.Node, "a", "v")
	other := credential.New(credential.NewKey(), credential.Holder{Role: credential.Node, Namespace: "a", Version: "v"})
	for text, want := range map[string]int{
		"": http.StatusUnauthorized, other: http.StatusForbidden, strings.Replace(good, ".a.", ".b.", 1): http.StatusForbidden,
		good + "x": http.StatusForbidden, "krt1": http.StatusForbidden, good: http.StatusOK,
	} {
		status, body := r.send(http.MethodPost, wire.PathCollections+"c/find", text, `{"query": {}}`)
		require.Equal(t, want, status, "%s %s", text, body)
	}
	_, page := r.send(http.MethodGet, "/healthz", "", "")
	require.JSONEq(t, "{}", page)
}

// A key is changed without losing a request: the store accepts both for a while.
func TestKeysAreReadAgain(t *testing.T) {
	r := start(t)
	former := r.credential(credential.Node, "a", "v")
	next := credential.NewKey()
	file := filepath.Join(r.service.config.Keys, "next")
	require.NoError(t, os.WriteFile(file, next, 0o600))
	r.service.keys.Read()
	latest := credential.New(next, credential.Holder{Role: credential.Node, Namespace: "a", Version: "v"})
	for _, text := range []string{former, latest} {
		status, _ := r.send(http.MethodGet, wire.PathPredictions, text, "")
		require.Equal(t, http.StatusOK, status)
	}
	require.NoError(t, os.Remove(filepath.Join(r.service.config.Keys, "current")))
	r.service.keys.Read()
	status, _ := r.send(http.MethodGet, wire.PathPredictions, former, "")
	require.Equal(t, http.StatusForbidden, status)
	require.NoError(t, os.Remove(file)) // what cannot be read changes nothing
	r.service.keys.Read()
	status, _ = r.send(http.MethodGet, wire.PathPredictions, latest, "")
	require.Equal(t, http.StatusOK, status)
}

func TestRequestsInFlightFinishAtTheEnd(t *testing.T) {
	r := start(t)
	body, writer := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+wire.PathCollections+"c", body)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+r.credential(credential.Node, "a", "v"))
	statuses := make(chan int, 1)
	go func() {
		response, err := http.DefaultClient.Do(req)
		if err != nil {
			statuses <- 0
			return
		}
		_ = response.Body.Close()
		statuses <- response.StatusCode
	}()
	_, err = writer.Write([]byte(`{"data": `))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return strings.Contains(r.page(), "krt_store_requests_in_flight 1") }, wait, tick)
	ended := make(chan error, 1)
	go func() { ended <- r.end() }()
	require.Eventually(t, r.service.draining.Load, wait, tick)
	_, err = writer.Write([]byte(`{"n": 1}}`))
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	require.Equal(t, http.StatusCreated, <-statuses)
	require.NoError(t, <-ended)
}
