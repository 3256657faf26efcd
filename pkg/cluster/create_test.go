package cluster

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

func respondStatus(w http.ResponseWriter, err *apierrors.StatusError) {
	status := err.Status()
	status.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(int(status.Code))
	_ = json.NewEncoder(w).Encode(status)
}

// createServer is an API server without a Secret at first. secret responds to its creation,
// version to that of a version; deleted counts the deletions of the Secret.
func createServer(t *testing.T, secret, version http.HandlerFunc) (c *Client, deleted *int) {
	t.Helper()
	deleted = new(int)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/namespaces/ns/secrets/{name}", func(w http.ResponseWriter, r *http.Request) {
		respondStatus(w, apierrors.NewNotFound(corev1.Resource("secrets"), r.PathValue("name")))
	})
	mux.HandleFunc("POST /api/v1/namespaces/ns/secrets", secret)
	mux.HandleFunc("DELETE /api/v1/namespaces/ns/secrets/{name}", func(w http.ResponseWriter, _ *http.Request) {
		*deleted++
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}})
	})
	mux.HandleFunc("POST /apis/krt.dev/v1alpha1/namespaces/ns/versions", version)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	c, err := New(&rest.Config{Host: server.URL}, "ns")
	require.NoError(t, err)
	return c, deleted
}

func TestConfigValuesAreDeletedOnlyIfTheVersionWasRefused(t *testing.T) {
	created := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(corev1.Secret{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}})
	}
	versions := schema.GroupResource{Group: "krt.dev", Resource: "versions"}
	fails := func(err *apierrors.StatusError) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { respondStatus(w, err) }
	}
	for name, test := range map[string]struct {
		version http.HandlerFunc
		deleted int
	}{
		"invalid":           {fails(apierrors.NewBadRequest("no")), 1},
		"forbidden":         {fails(apierrors.NewForbidden(versions, "v", nil)), 1},
		"no response":       {fails(apierrors.NewTimeoutError("slow", 0)), 0},
		"too slow a client": {fails(apierrors.NewGenericServerResponse(http.StatusRequestTimeout, "post", versions, "v", "", 0, true)), 0},
		"broken off":        {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c, deleted := createServer(t, created, test.version)
			v := &v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: "v", Namespace: "ns"}}
			require.Error(t, c.Create(t.Context(), v, map[string][]byte{"A": []byte("1")}))
			require.Equal(t, test.deleted, *deleted)
		})
	}
}

func TestConfigThatSomebodyElseCreatesIsAConflict(t *testing.T) {
	c, _ := createServer(t, func(w http.ResponseWriter, _ *http.Request) {
		respondStatus(w, apierrors.NewAlreadyExists(corev1.Resource("secrets"), "v-config"))
	}, http.NotFound)
	created, err := c.SetConfig(t.Context(), "v", map[string][]byte{"A": []byte("1")}, nil)
	require.False(t, created)
	var lost *Error
	require.ErrorAs(t, err, &lost)
	require.Equal(t, ReasonConflict, lost.Reason)
}
