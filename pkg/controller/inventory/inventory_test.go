package inventory_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/controller/inventory"
)

// held is what a cache holds: test/apiserver/controller has a real one.
type held struct {
	versions []v1alpha1.Version
	runtimes []v1alpha1.Runtime
	err      error
}

func (h held) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return h.err
}

func (h held) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	switch l := list.(type) {
	case *v1alpha1.VersionList:
		l.Items = h.versions
	case *v1alpha1.RuntimeList:
		l.Items = h.runtimes
	}
	return h.err
}

func (h held) version(name string, phase v1alpha1.Phase, state v1alpha1.State, ready metav1.ConditionStatus) held {
	v := v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "prices"}}
	v.Spec.State, v.Status.Phase = state, phase
	v.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: ready}}
	h.versions = append(h.versions, v)
	return h
}

// page is what is served of what a cache holds, without comments.
func page(t *testing.T, h held) string {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(inventory.New(h))
	w := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	var lines []string
	for line := range strings.Lines(w.Body.String()) {
		if !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "krt_build_info") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

func TestInventory(t *testing.T) {
	h := held{}.version("a", v1alpha1.PhasePublished, v1alpha1.StateStarted, metav1.ConditionTrue).
		version("b", v1alpha1.PhaseStarting, v1alpha1.StateStarted, metav1.ConditionUnknown).
		version("c", v1alpha1.PhaseStopped, "", metav1.ConditionUnknown).
		version("d", v1alpha1.PhasePublished, v1alpha1.StateStopped, metav1.ConditionFalse) // a published version is not stopped
	rt := v1alpha1.Runtime{ObjectMeta: metav1.ObjectMeta{Name: "runtime", Namespace: "prices"}}
	rt.Status.PublishedVersion = "a"
	h.runtimes = []v1alpha1.Runtime{rt, {ObjectMeta: metav1.ObjectMeta{Name: "runtime", Namespace: "empty"}}}
	require.Equal(t, `krt_published_info{namespace="prices",version="a"} 1
krt_version_ready{namespace="prices",version="a"} 1
krt_version_ready{namespace="prices",version="b"} 0
krt_version_ready{namespace="prices",version="d"} 0
krt_versions{phase="Published"} 2
krt_versions{phase="Publishing"} 0
krt_versions{phase="Started"} 0
krt_versions{phase="Starting"} 1
krt_versions{phase="Stopped"} 1
krt_versions{phase="Stopping"} 0
`, page(t, h))
}

func TestANewVersionHasNoPhase(t *testing.T) {
	require.Contains(t, page(t, held{}.version("a", "", "", metav1.ConditionUnknown)), `krt_versions{phase=""} 1`)
	require.NotContains(t, page(t, held{}), `phase=""`)
}

func TestACacheThatCannotBeReadLeavesTheRest(t *testing.T) {
	require.Empty(t, page(t, held{err: errors.New("not started")}))
}
