package inventory

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"krt.dev/kn-krt/pkg/knative"
)

// definitions are versions by the name of a definition.
type definitions map[string]string

func (d definitions) Get(_ context.Context, key client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	version, ok := d[key.Name]
	if !ok {
		return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
	}
	o.SetLabels(map[string]string{knative.VersionLabel: version})
	return nil
}

func (definitions) List(context.Context, client.ObjectList, ...client.ListOption) error { return nil }

// Each release is logged once if it is not supported; the metric has what is there now.
func TestKnativeIsReported(t *testing.T) {
	var logged strings.Builder
	ctx := log.IntoContext(t.Context(), funcr.New(func(_, text string) { logged.WriteString(text + "\n") }, funcr.Options{}))
	cluster := definitions{"services.serving.knative.dev": "1.23.0"}
	k := NewKnative(cluster)
	read := func() {
		for component, name := range components() {
			k.read(ctx, component, name)
		}
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(k.info)
	page := func() string {
		w := httptest.NewRecorder()
		promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		_, text, _ := strings.Cut(w.Body.String(), "gauge\n")
		return text
	}
	read()
	require.Equal(t, `krt_knative_info{component="serving",supported="true",version="1.23.0"} 1`+"\n", page())
	require.Empty(t, logged.String())

	cluster["services.serving.knative.dev"], cluster["sequences.flows.knative.dev"] = "1.24.1", "20260727-abc"
	read()
	read()
	require.Equal(t, `krt_knative_info{component="eventing",supported="true",version="20260727-abc"} 1`+"\n"+
		`krt_knative_info{component="serving",supported="false",version="1.24.1"} 1`+"\n", page())
	require.Equal(t, 1, strings.Count(logged.String(), "\n"), logged.String())
	require.Contains(t, logged.String(), `"component"="serving" "version"="1.24.1" "supported"="1.22 and 1.23"`)

	delete(cluster, "sequences.flows.knative.dev")
	read()
	require.Equal(t, `krt_knative_info{component="serving",supported="false",version="1.24.1"} 1`+"\n", page())
}
