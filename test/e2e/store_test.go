package e2e_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/test/localrun"
	"krt.dev/kn-krt/test/namespace"
)

const (
	storeURL     = "http://krt-store.krt-system.svc.cluster.local"
	documentsRPC = "entrypoint.Entrypoint/One"
)

// storeReady waits until the store runs.
func (n place) storeReady() {
	n.t.Helper()
	n.Kubectl("rollout", "status", "statefulset/krt-store", "-n", "krt-system", "--timeout", namespace.Patience.String())
}

// documents is a started version of the bundle that saves documents.
func (c cli) documents() *localrun.Version {
	c.t.Helper()
	c.create("../bundles/cases/documents")
	return c.called("documents-v1")
}

// credential is one of those in the Secret of a version.
func (n place) credential(version, role string) string {
	n.t.Helper()
	secret := n.Get("version/"+version, "{.status.startedWith.storeSecret}")
	require.NotEmpty(n.t, secret)
	text, err := base64.StdEncoding.DecodeString(n.Get("secret/"+secret, "{.data."+role+"}"))
	require.NoError(n.t, err)
	return string(text)
}

// ask sends a request to the store as a pod would, and returns status and text.
func (n place) ask(method, path, credential, body string, headers ...string) (int, string) {
	n.t.Helper()
	request, err := http.NewRequestWithContext(n.t.Context(), method, storeURL+path, strings.NewReader(body))
	require.NoError(n.t, err)
	request.Header.Set("Authorization", "Bearer "+credential)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	status, text, err := do(http.DefaultClient, request)
	require.NoError(n.t, err)
	return status, text
}

// The same documents are found as in a local run, and in no other namespace.
func TestStoreKeepsDocuments(t *testing.T) {
	t.Parallel()
	t.Run("as locally", func(t *testing.T) {
		c := newCLI(t)
		c.storeReady()
		v := c.documents()
		for _, one := range localrun.DocumentCases() {
			c.answers(v, documentsRPC, "one", one.Request, one.Response)
		}
		c.forgeries("documents-v1")
	})
	t.Run("not elsewhere", func(t *testing.T) {
		c := newCLI(t)
		c.storeReady()
		v := c.documents()
		c.answers(v, documentsRPC, "one", `{"op": "tag", "arg": "poetry"}`, `{"text": "nobody"}`)
	})
}

// forgeries are refused, and headers do not say who sends a request.
func (n place) forgeries(version string) {
	n.t.Helper()
	n.Inside()
	mine := n.credential(version, "node")
	const find = `{"query": {}}`
	for _, forged := range []string{
		strings.Replace(mine, "."+n.Name+".", ".default.", 1), strings.Replace(mine, "."+version+".", ".other.", 1),
		strings.Replace(mine, ".handler.", ".owner.", 1), strings.Replace(mine, ".handler.", ".entrypoint.", 1), mine + "A",
	} {
		status, text := n.ask(http.MethodPost, store.PathCollections+"people/find", forged, find)
		require.Equal(n.t, http.StatusForbidden, status, text)
	}
	status, text := n.ask(http.MethodPost, store.PathPredictions, mine, `{"predicted_value": "a", "true_value": "b"}`,
		store.HeaderVersion, "another", "Krt-Runtime", "default")
	require.Equal(n.t, http.StatusCreated, status, text)
	_, text = n.ask(http.MethodGet, store.PathPredictions, mine, "")
	require.Contains(n.t, text, `"version":"`+version+`"`)
	require.NotContains(n.t, text, "another")
}

// price-estimator's workflow save-metrics saves the same predictions as locally.
func TestStoreKeepsPredictions(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.Inside()
	c.storeReady()
	const bundle, version, rpc = "../../functions/price-estimator", "price-estimator-v1", "roomprice.Entrypoint/SaveMetrics"
	c.create(bundle, "--set=OUTPUT_PRICE_CURRENCY=EUR")
	local := localrun.StartWith(t, filepath.Join(programs, "kn-krt"), bundle, "--set=OUTPUT_PRICE_CURRENCY=EUR")
	remote := c.called(version)
	for _, request := range []string{
		`{"predictedCategory": "low", "trueCategory": "mid", "date": "2020-04-06T09:02:09Z"}`,
		`{"predictedCategory": "high", "trueCategory": "high", "date": "2020-04-07T09:02:09Z"}`,
		`{"predictedCategory": "high", "trueCategory": "palace", "date": "2020-04-08T09:02:09Z"}`,
		`{"predictedCategory": "", "trueCategory": "", "date": "2020-04-09T09:02:09Z"}`,
	} {
		method, err := local.Method(t.Context(), rpc)
		require.NoError(t, err)
		want, err := method.Call(t.Context(), request)
		require.NoError(t, err)
		c.answers(remote, rpc, "save-metrics", request, want)
	}
	var here, there struct{ Predictions []map[string]any }
	require.NoError(t, json.Unmarshal([]byte(local.Store(t, store.PathPredictions)), &here))
	require.Len(t, here.Predictions, 4)
	_, text := c.ask(http.MethodGet, store.PathPredictions, c.credential(version, "owner"), "")
	require.NoError(t, json.Unmarshal([]byte(text), &there))
	// answers sends each request by several protocols.
	there.Predictions = slices.CompactFunc(there.Predictions, func(a, b map[string]any) bool { return a["date"] == b["date"] })
	require.Equal(t, here.Predictions, there.Predictions)
}

// What the store has acknowledged is there, whatever becomes of its pod. Other tests use
// the same store, so this one is not parallel to them.
func TestStoreLosesNothingAcknowledged(t *testing.T) {
	c := newCLI(t)
	c.storeReady()
	v := c.documents()
	method, err := v.Method(t.Context(), documentsRPC)
	require.NoError(t, err)
	saver := &saver{method: method}
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() { saver.run(ctx, i) })
	}
	for _, deleted := range [][]string{{"--wait=true"}, {"--force", "--grace-period=0"}, {"--wait=true"}} {
		before := saver.count()
		c.Eventually(func() error { return saver.beyond(before + 100) })
		c.Kubectl(append([]string{"delete", "pod", "krt-store-0", "-n", "krt-system"}, deleted...)...)
		c.storeReady()
	}
	before := saver.count()
	c.Eventually(func() error { return saver.beyond(before + 100) })
	stop()
	all.Wait()
	var response struct{ Text string }
	found := map[string]bool{}
	c.Eventually(func() error {
		text, err := method.Call(t.Context(), `{"op": "tag", "arg": "maths"}`)
		if err != nil {
			return err
		}
		return json.Unmarshal([]byte(text), &response)
	})
	for name := range strings.FieldsSeq(response.Text) {
		found[name] = true
	}
	lost := slices.DeleteFunc(saver.acknowledged, func(name string) bool { return found[name] })
	t.Logf("sent %d, acknowledged %d, found %d, lost %d", saver.sent, len(saver.acknowledged), len(found), len(lost))
	require.Empty(t, lost)
}

// saver saves documents and keeps the names of those that were acknowledged.
type saver struct {
	method *localrun.Method

	mu           sync.Mutex
	sent         int
	acknowledged []string
}

func (s *saver) run(ctx context.Context, client int) {
	for i := 0; ctx.Err() == nil; i++ {
		name := fmt.Sprintf("%d-%d", client, i)
		call, cancel := context.WithTimeout(ctx, 30*time.Second)
		_, err := s.method.Call(call, fmt.Sprintf(`{"op": "save", "arg": %q}`, name))
		cancel()
		s.mu.Lock()
		s.sent++
		if err == nil {
			s.acknowledged = append(s.acknowledged, name)
		}
		s.mu.Unlock()
	}
}

func (s *saver) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.acknowledged)
}

// beyond reports that more than n documents have been acknowledged.
func (s *saver) beyond(n int) error {
	if have := s.count(); have <= n {
		return fmt.Errorf("%d documents are acknowledged, not more than %d", have, n)
	}
	return nil
}
