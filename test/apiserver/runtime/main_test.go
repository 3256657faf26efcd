// Package runtime tests publishing: the whole controller on a real apiserver,
// with what else a cluster has pretended.
package runtime

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/controller"
	"krt.dev/kn-krt/test/apiserver"
	"krt.dev/kn-krt/test/apiserver/pretend"
)

// cluster is the one of all tests; nil without Kubernetes. Each test has a namespace of its own.
var cluster client.Client

// server is the apiserver of cluster.
var server *apiserver.Server

func TestMain(m *testing.M) {
	apiserver.Main(m, begin, apiserver.OurCRDs, apiserver.KnativeCRDs())
}

func begin(s *apiserver.Server) (end func() error, err error) {
	server = s
	if cluster, err = s.NewClient(); err != nil {
		return nil, err
	}
	if _, err := s.Install(context.Background(), apiserver.Folder+"/100-*.yaml"); err != nil {
		return nil, err
	}
	players, err := pretend.New(s.Config())
	if err != nil {
		return nil, err
	}
	ours, err := controller.New(s.Config(), controller.Options{EntrypointImage: "example.com/entrypoint",
		SwitchWait: time.Hour, WarmWait: time.Hour, SwitchSettle: time.Millisecond, TrafficSettle: 100 * time.Millisecond,
		MeasureInterval: 100 * time.Millisecond, Dial: entrypoints.dial})
	if err != nil {
		return nil, err
	}
	return apiserver.Run(players, ours), nil
}

// place is a namespace of one test's own.
type place struct {
	*testing.T
	namespace string
}

func newPlace(t *testing.T) *place {
	t.Helper()
	apiserver.Need(t)
	p := &place{T: t, namespace: apiserver.NewNamespace(t, cluster)}
	t.Cleanup(func() { // else its canary is looked at every 100 ms until all other tests have ended
		rt := &v1alpha1.Runtime{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.RuntimeName, Namespace: p.namespace}}
		require.NoError(t, client.IgnoreNotFound(cluster.Delete(context.WithoutCancel(t.Context()), rt)))
	})
	return p
}

const proto = `syntax = "proto3"; service Entrypoint { rpc Greet (M) returns (M); } message M {}`

// version makes a version that is started; one with a broken image never gets ready.
func (p *place) version(name, image string) *v1alpha1.Version {
	p.Helper()
	return p.make(name, image, proto)
}

// versionOf makes a version that is started and has another contract than the others.
func (p *place) versionOf(name, proto string) *v1alpha1.Version {
	p.Helper()
	return p.make(name, "example.com/a", proto)
}

func (p *place) make(name, image, proto string) *v1alpha1.Version {
	p.Helper()
	v := &v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: p.namespace}, Spec: v1alpha1.VersionSpec{
		State: v1alpha1.StateStarted, Description: "For tests.",
		Entrypoint: v1alpha1.Entrypoint{Proto: "p.proto", Files: []v1alpha1.ProtoFile{{Path: "p.proto", Content: proto}}},
		Nodes:      []v1alpha1.Node{{Name: "node", Image: image}},
		Workflows:  []v1alpha1.Workflow{{Name: "greeting", Entrypoint: "Greet", Sequential: []string{"node"}}},
	}}
	require.NoError(p, cluster.Create(p.Context(), v))
	return v
}

// publish sets the pointer, as kn krt publish does.
func (p *place) publish(version, comment string) {
	p.Helper()
	rt := &v1alpha1.Runtime{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.RuntimeName, Namespace: p.namespace}}
	err := cluster.Create(p.Context(), rt)
	require.NoError(p, client.IgnoreAlreadyExists(err))
	patch := fmt.Sprintf(`{"spec": {"publishedVersion": %q, "comment": %q}}`, version, comment)
	require.NoError(p, cluster.Patch(p.Context(), rt, client.RawPatch("application/merge-patch+json", []byte(patch))))
}

// until waits for a state of the runtime, and returns it.
func (p *place) until(what string, ok func(*v1alpha1.Runtime) bool) *v1alpha1.Runtime {
	p.Helper()
	rt := &v1alpha1.Runtime{}
	if !p.soon(func() bool {
		err := cluster.Get(p.Context(), client.ObjectKey{Namespace: p.namespace, Name: v1alpha1.RuntimeName}, rt)
		return err == nil && rt.Status.ObservedGeneration == rt.Generation && ok(rt)
	}) {
		var versions v1alpha1.VersionList
		require.NoError(p, cluster.List(p.Context(), &versions, client.InNamespace(p.namespace)))
		for _, v := range versions.Items {
			p.Logf("version %q: %+v", v.Name, v.Status)
		}
		require.Failf(p, "the runtime did not become "+what, "%+v", rt.Status)
	}
	return rt
}

// soon polls, for [apiserver.Patience] at most.
func (p *place) soon(ok func() bool) bool { return apiserver.Soon(p.Context(), ok) }

// published waits until a version is published and nothing is amiss.
func (p *place) published(version string) *v1alpha1.Runtime {
	p.Helper()
	return p.until("ready with "+version, func(rt *v1alpha1.Runtime) bool { return rt.IsReady() && rt.Status.PublishedVersion == version })
}

// refused waits until the runtime is not ready for a reason, and returns the message.
func (p *place) refused(reason string) string {
	p.Helper()
	rt := p.until("not ready for "+reason, func(rt *v1alpha1.Runtime) bool {
		c := rt.Status.Condition(v1alpha1.ConditionReady)
		return c != nil && c.Status == metav1.ConditionFalse && c.Reason == reason
	})
	return rt.Status.Condition(v1alpha1.ConditionReady).Message
}

// service reads a Service of the namespace, nil if it is not there.
func (p *place) service(name string) *corev1.Service {
	p.Helper()
	s := &corev1.Service{}
	err := cluster.Get(p.Context(), client.ObjectKey{Namespace: p.namespace, Name: name}, s)
	if apierrors.IsNotFound(err) {
		return nil
	}
	require.NoError(p, err)
	return s
}

func (p *place) selected() string {
	p.Helper()
	if s := p.service("active-entrypoint"); s != nil {
		return s.Spec.Selector["version-name"]
	}
	return ""
}
