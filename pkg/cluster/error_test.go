package cluster

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/rest"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// readOnlyServer is an API server with one started version, which may only be read.
func readOnlyServer(t *testing.T) *Client {
	t.Helper()
	v := &v1alpha1.Version{}
	v.SetKind()
	v.Name, v.Spec.State = "one", v1alpha1.StateStarted
	mux := http.NewServeMux()
	respond := func(object any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(object)
		}
	}
	mux.HandleFunc("GET /apis/krt.dev/v1alpha1/namespaces/ns/versions/one", respond(v))
	mux.HandleFunc("GET /version", respond(version.Info{GitVersion: "v1.36.0"}))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		respondStatus(w, &apierrors.StatusError{ErrStatus: metav1.Status{
			Status: metav1.StatusFailure, Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden, Message: "no right",
		}})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	c, err := New(&rest.Config{Host: server.URL}, "ns")
	require.NoError(t, err)
	return c
}

func TestARefusalNamesWhatWasRefused(t *testing.T) {
	c := readOnlyServer(t)
	require.EqualError(t, c.Restart(t.Context(), "one", ""), `cannot change version "one": no right`)
	require.EqualError(t, c.Delete(t.Context(), "one"), `cannot delete version "one": no right`)
	_, err := c.Get(t.Context(), "two")
	require.EqualError(t, err, `cannot read version "two": no right`)
}

func TestADiagnosisEndsWithItsContext(t *testing.T) {
	c := readOnlyServer(t)
	findings, err := c.Diagnose(t.Context())
	require.NoError(t, err)
	require.Contains(t, findings[0].Text, "Kubernetes v1.36.0 at ")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	findings, err = c.Diagnose(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, findings, "its first request has failed")
}
