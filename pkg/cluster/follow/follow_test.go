package follow

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// unwatchable is an API server that lists, but watches only until it is too busy. A client
// of a real one could not be used in a bubble of synctest.
type unwatchable struct {
	client.WithWatch

	lists   int
	watches int // how many come to an end by themselves, at once
}

func (u *unwatchable) List(context.Context, client.ObjectList, ...client.ListOption) error {
	u.lists++
	return nil
}

func (u *unwatchable) Watch(context.Context, client.ObjectList, ...client.ListOption) (watch.Interface, error) {
	if u.watches == 0 {
		return nil, apierrors.NewTooManyRequests("busy", 1)
	}
	u.watches--
	return watch.NewEmptyWatch(), nil
}

func TestWatchesThatFailAreNotBegunWithoutEnd(t *testing.T) {
	for _, watches := range []int{0, 5} {
		synctest.Test(t, func(t *testing.T) {
			server := &unwatchable{watches: watches}
			f := Follower[*corev1.Pod]{Kube: server, List: &corev1.PodList{}, Listed: func([]*corev1.Pod) {}}
			began := time.Now()
			require.True(t, apierrors.IsTooManyRequests(f.Run(t.Context())))
			require.Greater(t, time.Since(began), silence)
			require.Less(t, server.lists, 25)
		})
	}
}
