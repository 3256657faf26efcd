// Package rights_test runs the whole controller with the rights that config/ gives
// it and no others, through the life of a version.
package rights_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/controller"
	"krt.dev/kn-krt/test/apiserver"
	"krt.dev/kn-krt/test/apiserver/pretend"
)

// lines keeps what the controller logs.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) add(prefix, args string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.WriteString(prefix + " " + args + "\n")
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestTheRolesSuffice(t *testing.T) {
	s := apiserver.For(t, apiserver.OurCRDs, apiserver.KnativeCRDs())
	c, err := s.NewClient()
	require.NoError(t, err)
	_, err = s.Install(t.Context(), apiserver.Folder+"/[124]00-*.yaml")
	require.NoError(t, err)

	logged := &lines{}
	ctrl.SetLogger(funcr.New(logged.add, funcr.Options{}))
	players, err := pretend.New(s.Config())
	require.NoError(t, err)
	ours, err := controller.New(s.As("krt-system", "krt-controller"),
		controller.Options{EntrypointImage: "example.com/entrypoint", LeaderElect: true, SwitchSettle: time.Millisecond})
	require.NoError(t, err)
	stop := apiserver.Run(players, ours)
	t.Cleanup(func() { require.NoError(t, stop()) })

	life{T: t, c: c, logs: logged}.live()
	for line := range strings.Lines(logged.String()) {
		require.NotContains(t, strings.ToLower(line), "forbidden", "a right is missing in config/200-controller-role.yaml")
	}
}

// life is that of one version.
type life struct {
	*testing.T
	c    client.Client
	logs *lines
}

// live makes a version that uses everything, publishes it, unpublishes and deletes it.
func (l life) live() {
	l.Helper()
	t, c := l.T, l.c
	v := &v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: "a", Namespace: "default"}, Spec: v1alpha1.VersionSpec{
		State: v1alpha1.StateStarted, Description: "For tests.",
		Entrypoint: v1alpha1.Entrypoint{Proto: "p.proto", Replicas: new(int32(2)), Files: []v1alpha1.ProtoFile{{
			Path: "p.proto", Content: `syntax = "proto3"; service Entrypoint { rpc Greet (M) returns (M); } message M {}`,
		}}},
		Config:    v1alpha1.Config{Variables: []string{"CURRENCY"}},
		Nodes:     []v1alpha1.Node{{Name: "good", Image: "example.com/good"}, {Name: "gpu", Image: "example.com/gpu", GPU: true}},
		Workflows: []v1alpha1.Workflow{{Name: "greeting", Entrypoint: "Greet", Sequential: []string{"good", "gpu"}}},
	}}
	require.NoError(t, c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "knative-serving"}}))
	require.NoError(t, c.Create(t.Context(), v))
	l.until(v, "wants a value", func() bool { return is(v.Status.Condition("ConfigReady"), metav1.ConditionFalse) })
	require.NoError(t, c.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "a-config", Namespace: "default"}, StringData: map[string]string{"CURRENCY": "EUR"},
	}))
	l.until(v, "wants flags", func() bool {
		c := v.Status.Condition("Ready")
		return c != nil && c.Reason == v1alpha1.ReasonFeatureDisabled
	})
	require.NoError(t, c.Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "config-features", Namespace: "knative-serving"},
		Data:       map[string]string{"kubernetes.podspec-nodeselector": "enabled", "kubernetes.podspec-tolerations": "enabled"},
	}))
	l.until(v, "is started", func() bool { return v.Status.Phase == v1alpha1.PhaseStarted })

	rt := &v1alpha1.Runtime{ObjectMeta: metav1.ObjectMeta{Name: "default", Namespace: "default"},
		Spec: v1alpha1.RuntimeSpec{PublishedVersion: "a"}}
	require.NoError(t, c.Create(t.Context(), rt))
	l.until(rt, "is published", func() bool { return rt.IsReady() && rt.Status.PublishedVersion == "a" })
	require.NoError(t, c.Patch(t.Context(), rt, client.RawPatch("application/merge-patch+json",
		[]byte(`{"spec": {"publishedVersion": null}}`))))
	l.until(rt, "publishes nothing", func() bool { return rt.IsReady() && rt.Status.PublishedVersion == "" })
	l.until(v, "is unpublished", func() bool { return v.Status.Phase == v1alpha1.PhaseStarted })

	require.NoError(t, c.Delete(t.Context(), v))
	gone := apiserver.Soon(t.Context(), func() bool { return apierrors.IsNotFound(c.Get(t.Context(), client.ObjectKeyFromObject(v), v)) })
	require.Truef(t, gone, "its finalizer stays\n%s", l.logs)
}

func is(c *metav1.Condition, status metav1.ConditionStatus) bool {
	return c != nil && c.Status == status
}

// until reads an object again and again until a state is there.
func (l life) until(o client.Object, what string, ok func() bool) {
	l.Helper()
	if !apiserver.Soon(l.Context(), func() bool { return l.c.Get(l.Context(), client.ObjectKeyFromObject(o), o) == nil && ok() }) {
		o.SetManagedFields(nil)
		text, _ := yaml.Marshal(o)
		require.Failf(l, "never: "+what, "%s\n%s", text, l.logs)
	}
}
