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

	"krt.dev/kn-krt/pkg/cluster/logs"
	"krt.dev/kn-krt/pkg/render"
)

func TestTheErrorOfALogHasAReason(t *testing.T) {
	for status, want := range map[int]Reason{-1: ReasonUnreachable, http.StatusTeapot: ReasonOther} {
		c := logServer(t, status)
		var failed []*logs.Error
		_, err := c.Logs(t.Context(), "one", logs.Query{}, logs.Handler{Failed: func(e *logs.Error) { failed = append(failed, e) }})
		require.NoError(t, err)
		require.Len(t, failed, 1)
		var request *Error
		require.ErrorAs(t, failed[0], &request)
		require.Equal(t, want, request.Reason)
		if want == ReasonUnreachable {
			require.EqualError(t, failed[0], "cannot read the log of etl (pod etl-1): cannot reach the cluster at "+c.Host()+": EOF")
		}
	}
}

// logServer is a client of an API server with one pod, whose log has no other response than
// this status; -1 for none.
func logServer(t *testing.T, status int) *Client {
	t.Helper()
	pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "etl-1", Labels: map[string]string{render.LabelNode: "etl"}}}
	pod.Spec.Containers = []corev1.Container{{Name: "user-container"}}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "user-container", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
	}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/namespaces/ns/pods", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		kind := metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}
		_ = json.NewEncoder(w).Encode(corev1.PodList{TypeMeta: kind, Items: []corev1.Pod{pod}})
	})
	mux.HandleFunc("GET /api/v1/namespaces/ns/pods/etl-1/log", func(w http.ResponseWriter, _ *http.Request) {
		if status < 0 {
			panic(http.ErrAbortHandler)
		}
		respondStatus(w, &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: int32(status), Message: "lost"}})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	c, err := New(&rest.Config{Host: server.URL}, "ns")
	require.NoError(t, err)
	return c
}

// A machine's 404 about a log reads like that of an API server without the kind.
func TestAMachineThatLacksALogIsNoClusterWithoutTheKinds(t *testing.T) {
	c, err := New(&rest.Config{Host: "http://cluster"}, "ns")
	require.NoError(t, err)
	about := schema.GroupResource{Resource: "pods/log"}
	err = c.explain(apierrors.NewGenericServerResponse(http.StatusNotFound, "GET", about, "etl-1", "gone", 0, true), "cannot read")
	var request *Error
	require.ErrorAs(t, err, &request)
	require.Equal(t, ReasonOther, request.Reason)
}
