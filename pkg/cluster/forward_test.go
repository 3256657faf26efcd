package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/apimachinery/pkg/util/httpstream/spdy"
	"k8s.io/client-go/rest"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/render"
)

// forwardServer is an API server with the version "one" and pods of its entrypoint, whose
// ports return what they receive. It knows no WebSocket, as API servers did until 1.30.
func forwardServer(t *testing.T, v *v1alpha1.Version, pods ...corev1.Pod) *Client {
	t.Helper()
	mux := http.NewServeMux()
	respond := func(path string, object any) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(object)
		})
	}
	v.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Version"}
	v.Name, v.Namespace = "one", "ns"
	respond("/apis/krt.dev/v1alpha1/namespaces/ns/versions/one", v)
	respond("/api/v1/namespaces/ns/pods", corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}, Items: pods})
	mux.HandleFunc("POST /api/v1/namespaces/ns/pods/ready/portforward", echo)
	mux.HandleFunc("/api/v1/namespaces/ns/pods/refused/portforward", func(w http.ResponseWriter, _ *http.Request) {
		respondStatus(w, apierrors.NewForbidden(corev1.Resource("pods"), "", errors.New("no right")))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	c, err := New(&rest.Config{Host: server.URL}, "ns")
	require.NoError(t, err)
	return c
}

// echo serves a port-forward to ports that return what they receive.
func echo(w http.ResponseWriter, r *http.Request) {
	if _, err := httpstream.Handshake(r, w, []string{"portforward.k8s.io"}); err != nil {
		return
	}
	streams := make(chan httpstream.Stream, 10)
	connection := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(s httpstream.Stream, _ <-chan struct{}) error {
		streams <- s
		return nil
	})
	if connection == nil {
		return
	}
	defer connection.Close()
	for {
		select {
		case s := <-streams:
			if s.Headers().Get(corev1.StreamType) == corev1.StreamTypeError {
				_ = s.Close() // there is no error
				continue
			}
			go func() {
				_, _ = io.WriteString(s, s.Headers().Get(corev1.PortHeader)+" ")
				_, _ = io.Copy(s, s)
				_ = s.Close()
			}()
		case <-connection.CloseChan():
			return
		}
	}
}

func entrypointPod(name string, ready corev1.ConditionStatus) corev1.Pod {
	p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: name, Namespace: "ns", Labels: map[string]string{render.LabelVersionName: "one-entrypoint"},
	}}
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}
	return p
}

func TestAPortIsForwardedUntilItIsClosed(t *testing.T) {
	c := forwardServer(t, &v1alpha1.Version{}, entrypointPod("starting", corev1.ConditionFalse), entrypointPod("ready", corev1.ConditionTrue))
	f, err := c.Forward(t.Context(), "one", GRPCPort)
	require.NoError(t, err)
	connection, err := net.Dial("tcp", f.Address)
	require.NoError(t, err)
	_, err = io.WriteString(connection, "hello")
	require.NoError(t, err)
	require.NoError(t, connection.(*net.TCPConn).CloseWrite())
	text, err := io.ReadAll(connection)
	require.NoError(t, err)
	require.Equal(t, "9000 hello", string(text))
	require.NoError(t, f.Err())
	f.Close()
	<-f.Done()
	require.NoError(t, f.Err())
	_, err = net.Dial("tcp", f.Address)
	require.Error(t, err)
	f.Close() // once more does nothing
}

func TestAPortIsForwardedAsLongAsItsContext(t *testing.T) {
	c := forwardServer(t, &v1alpha1.Version{}, entrypointPod("ready", corev1.ConditionTrue))
	ctx, cancel := context.WithCancel(t.Context())
	f, err := c.Forward(ctx, "one", GRPCPort)
	require.NoError(t, err)
	cancel()
	<-f.Done()
}

func TestWithoutAReadyPodAVersionIsNotAvailable(t *testing.T) {
	started := &v1alpha1.Version{Spec: v1alpha1.VersionSpec{State: v1alpha1.StateStarted}}
	going := entrypointPod("going", corev1.ConditionTrue)
	going.DeletionTimestamp = new(metav1.Now())
	for want, v := range map[string]*v1alpha1.Version{
		`version "one" is not available: it is stopped`:                     {},
		`version "one" is not available: no pod of its entrypoint is ready`: started,
	} {
		_, err := forwardServer(t, v, entrypointPod("starting", corev1.ConditionUnknown), going).Forward(t.Context(), "one", GRPCPort)
		require.EqualError(t, err, want)
		var unavailable *UnavailableError
		require.ErrorAs(t, err, &unavailable)
	}
}

func TestAForwardThatIsRefusedSaysWhy(t *testing.T) {
	c := forwardServer(t, &v1alpha1.Version{}, entrypointPod("refused", corev1.ConditionTrue))
	_, err := c.Forward(t.Context(), "one", GRPCPort)
	var refused *Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, ReasonForbidden, refused.Reason)
	require.ErrorContains(t, err, "pods is forbidden: no right")

	c = forwardServer(t, &v1alpha1.Version{}, entrypointPod("going", corev1.ConditionTrue))
	_, err = c.Forward(t.Context(), "one", GRPCPort)
	require.NotErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "404")
}
