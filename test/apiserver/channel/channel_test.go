// Package channel_test shows that the tests' own kind of channel (test/channel) is kept up to date by its
// objects, with the rights it is given.
package channel_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/yaml"

	"krt.dev/kn-krt/test/apiserver"
	"krt.dev/kn-krt/test/channel"
	"krt.dev/kn-krt/test/channel/watch"
)

// process is what test/channel/cmd/channel runs.
type process struct {
	d    *channel.Dispatcher
	url  string
	stop func()
}

func start(t *testing.T, s *apiserver.Server, store string) *process {
	t.Helper()
	d, err := channel.Open(store, channel.Options{Pause: time.Millisecond})
	require.NoError(t, err)
	web := httptest.NewServer(d)
	m, err := ctrl.NewManager(s.As("krt-test-channel", "test-channel"), ctrl.Options{
		Scheme: runtime.NewScheme(), Metrics: server.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: new(true)}, // one after the other
	})
	require.NoError(t, err)
	var synced atomic.Bool
	require.NoError(t, watch.Add(m, d, web.URL, func() { synced.Store(true) }))
	end := apiserver.Run(m)
	p := &process{d: d, url: web.URL}
	p.stop = func() {
		require.NoError(t, end())
		web.Close()
		require.NoError(t, d.Close())
	}
	require.True(t, apiserver.Soon(t.Context(), synced.Load), "its channels are known")
	return p
}

// post sends an event to the channel and returns the status.
func (p *process) post(t *testing.T, id string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/default/one", strings.NewReader("x"))
	require.NoError(t, err)
	for name, value := range map[string]string{"Specversion": "1.0", "Id": id, "Source": "/test", "Type": "t"} {
		request.Header.Set("Ce-"+name, value)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}

func TestChannelsOfACluster(t *testing.T) {
	s := apiserver.For(t)
	c, err := s.NewClient()
	require.NoError(t, err)
	require.True(t, apiserver.Soon(t.Context(), func() bool {
		_, err = s.Install(t.Context(), "../../channel/channel.yaml")
		return err == nil || !strings.Contains(err.Error(), "no matches")
	}))
	require.NoError(t, err)
	var away atomic.Bool
	var handled atomic.Int64
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if away.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		handled.Add(1)
	}))
	defer node.Close()
	object := &unstructured.Unstructured{}
	require.NoError(t, yaml.Unmarshal(fmt.Appendf(nil, `
apiVersion: messaging.krt.test/v1
kind: TestChannel
metadata: {name: one, namespace: default}
spec:
  subscribers:
  - {uid: a, generation: 3, subscriberUri: %q, delivery: {retry: 1000000, deadLetterSink: {uri: "http://127.0.0.1:1"}}}
`, node.URL), &object.Object))
	require.True(t, apiserver.Soon(t.Context(), func() bool { return c.Create(t.Context(), object) == nil }), "its kind is known")

	store := filepath.Join(t.TempDir(), "events")
	p := start(t, s, store)
	ready := func(want string) *unstructured.Unstructured {
		t.Helper()
		require.True(t, apiserver.Soon(t.Context(), func() bool {
			require.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(object), object))
			conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
			observed, _, _ := unstructured.NestedInt64(object.Object, "status", "observedGeneration")
			return len(conditions) == 1 && conditions[0].(map[string]any)["status"] == want && observed == object.GetGeneration()
		}), "Ready is not %s: %v", want, object.Object["status"])
		return object
	}
	address, _, _ := unstructured.NestedString(ready("True").Object, "status", "address", "url")
	require.Equal(t, p.url+"/default/one", address)
	subscribers, _, _ := unstructured.NestedSlice(object.Object, "status", "subscribers")
	require.Equal(t, []any{map[string]any{"uid": "a", "observedGeneration": int64(3), "ready": "True"}}, subscribers)
	require.Equal(t, http.StatusAccepted, p.post(t, "1"))
	require.True(t, apiserver.Soon(t.Context(), func() bool { return handled.Load() == 1 }))

	// What is stored when the process ends, the next one delivers.
	away.Store(true)
	require.Equal(t, http.StatusAccepted, p.post(t, "2"))
	p.stop()
	away.Store(false)
	p = start(t, s, store)
	defer func() { p.stop() }()
	require.True(t, apiserver.Soon(t.Context(), func() bool { return handled.Load() == 2 }))

	before := object.DeepCopy()
	require.NoError(t, unstructured.SetNestedField(object.Object, int64(101), "spec", "faults", "repeat"))
	require.NoError(t, c.Patch(t.Context(), object, client.MergeFrom(before)))
	ready("False")
	require.NoError(t, c.Delete(context.Background(), object))
	require.True(t, apiserver.Soon(t.Context(), func() bool { return p.post(t, "3") == http.StatusNotFound }))
}
