package canary

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// cached is a cache that has these pods.
type cached []corev1.Pod

func (cached) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return errors.New("there are only pods")
}

func (c cached) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	list.(*corev1.PodList).Items = c
	return nil
}

func pod(name, ip string) corev1.Pod {
	return corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name)},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: ip}}
}

// The text is the same each time, whichever entrypoint fails last.
func TestWhyEntrypointsCannotBeRead(t *testing.T) {
	first := make(chan struct{})
	pods := cached{pod("v1-b", "10.0.0.2"), pod("v1-a", "10.0.0.1")}
	m := Meter{Client: pods, Dial: func(_ context.Context, _, address string) (net.Conn, error) {
		if address == "10.0.0.1:8081" {
			close(first)
			return nil, errors.New("that of a")
		}
		<-first
		return nil, errors.New("that of b")
	}}
	_, unread := m.entrypoints(t.Context(), task)
	require.Equal(t, `the metrics of 2 of 2 entrypoints of "v1" cannot be read: that of a`, unread)
}
