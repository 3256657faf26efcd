// Package load_test puts versions on a real cluster under load while what
// carries them changes or fails, and counts what became of each request. It
// takes minutes: make e2e-long.
package load_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/test/conformance/node"
	"krt.dev/kn-krt/test/namespace"
)

// requestTimeout is the versions' timeout; callers give it and margin, so that a
// request that ends by its caller's clock has been left hanging by the version.
const (
	requestTimeout = 10 * time.Second
	margin         = 5 * time.Second
)

// place is a test's namespace, with a client that is fast enough to be used while
// time is taken.
type place struct {
	*namespace.Namespace
	t      *testing.T
	client client.WithWatch
}

func newPlace(t *testing.T) place {
	t.Helper()
	if os.Getenv("KRT_E2E_LONG") == "" {
		t.Skip("takes minutes: make e2e-long")
	}
	n := namespace.New(t)
	n.Inside()
	config, err := ctrl.GetConfig()
	require.NoError(t, err)
	config.QPS = -1
	scheme := runtime.NewScheme()
	require.NoError(t, clientgoscheme.AddToScheme(scheme))
	require.NoError(t, v1alpha1.AddToScheme(scheme))
	c, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	require.NoError(t, err)
	return place{n, t, c}
}

// version is a version of Go nodes that are always there; each rpc's workflow
// has as many of them as its name says.
func (p place) version(name string, change func(*v1alpha1.Version)) *v1alpha1.Version {
	p.t.Helper()
	proto, err := node.Bundle.ReadFile("conformance.proto")
	require.NoError(p.t, err)
	v := &v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: p.Name}}
	v.Spec = v1alpha1.VersionSpec{
		State: v1alpha1.StateStarted,
		Entrypoint: v1alpha1.Entrypoint{
			Proto:   "conformance.proto",
			Files:   []v1alpha1.ProtoFile{{Path: "conformance.proto", Content: string(proto)}},
			Timeout: &metav1.Duration{Duration: requestTimeout},
		},
		Nodes: []v1alpha1.Node{{
			Name: "n1", Image: p.Image("test/e2e/node"),
			Scale: &v1alpha1.Scale{Min: new(int32(1)), Max: new(int32(1))},
		}},
		Workflows: []v1alpha1.Workflow{{Name: "one", Entrypoint: "One", Sequential: []string{"n1"}}},
	}
	if change != nil {
		change(v)
	}
	require.NoError(p.t, p.client.Create(p.t.Context(), v))
	return v
}

// patch changes an object as it is then.
func patch[T client.Object](ctx context.Context, p place, object T, change func(T)) error {
	before := object.DeepCopyObject().(T)
	change(object)
	return p.client.Patch(ctx, object, client.MergeFrom(before))
}

// publish says which version is to be published and waits until it is reported.
// It returns when each was.
func (p place) publish(ctx context.Context, rt *v1alpha1.Runtime, version string) (asked, reported time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, namespace.Patience)
	defer cancel()
	watch, err := p.client.Watch(ctx, &v1alpha1.RuntimeList{}, client.InNamespace(p.Name))
	if err != nil {
		return asked, reported, err
	}
	defer watch.Stop()
	asked = time.Now()
	if err := patch(ctx, p, rt, func(rt *v1alpha1.Runtime) { rt.Spec.PublishedVersion = version }); err != nil {
		return asked, reported, err
	}
	for {
		select {
		case event, ok := <-watch.ResultChan():
			if !ok {
				return asked, reported, fmt.Errorf("the watch ended before %s was published", version)
			}
			if seen, ok := event.Object.(*v1alpha1.Runtime); ok && seen.Status.PublishedVersion == version && seen.IsReady() {
				return asked, time.Now(), nil
			}
		case <-ctx.Done():
			return asked, reported, fmt.Errorf("%s was not published: %w", version, ctx.Err())
		}
	}
}
