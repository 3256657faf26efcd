// Package rights_test runs the whole controller with the rights that config/ gives
// it and no others, through the life of a version.
package rights_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/controller"
	"krt.dev/kn-krt/test/apiserver"
	"krt.dev/kn-krt/test/apiserver/pretend"
)

const folder = "../../../config"

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

// install makes the namespace, the roles and the settings of config/.
func install(t *testing.T, c client.Client) {
	t.Helper()
	for _, pattern := range []string{"100-*.yaml", "200-*.yaml", "400-*.yaml"} {
		files, err := filepath.Glob(filepath.Join(folder, pattern))
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, document := range regexp.MustCompile(`(?m)^---$`).Split(string(text), -1) {
				object := &unstructured.Unstructured{}
				require.NoError(t, yaml.Unmarshal([]byte(document), object))
				require.NoError(t, c.Create(t.Context(), object))
			}
		}
	}
}

// start runs the managers until the test ends.
func start(t *testing.T, managers ...interface{ Start(context.Context) error }) {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var all sync.WaitGroup
	for _, m := range managers {
		all.Go(func() {
			if err := m.Start(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() { stop(); all.Wait() })
}

// as is a configuration for the controller's account.
func as(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:krt-system:krt-controller",
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:krt-system", "system:authenticated"},
	}
	return config
}

func TestTheRolesSuffice(t *testing.T) {
	program := os.Getenv("KRT_KUBE")
	if program == "" {
		t.Skip("needs Kubernetes built: make test-api")
	}
	s, err := apiserver.Start(t.Context(), t.TempDir(), apiserver.Options{Program: program, CRDs: []string{folder + "/300-*.yaml", os.Getenv("KRT_CRDS")}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop()) })
	config, err := clientcmd.BuildConfigFromFlags("", s.Kubeconfig)
	require.NoError(t, err)
	scheme := runtime.NewScheme()
	builder := runtime.NewSchemeBuilder(clientscheme.AddToScheme, v1alpha1.AddToScheme)
	require.NoError(t, builder.AddToScheme(scheme))
	c, err := client.New(config, client.Options{Scheme: scheme})
	require.NoError(t, err)
	install(t, c)

	logged := &lines{}
	ctrl.SetLogger(funcr.New(logged.add, funcr.Options{}))
	players, err := pretend.New(config)
	require.NoError(t, err)
	ours, err := controller.New(as(config), controller.Options{EntrypointImage: "example.com/entrypoint", LeaderElect: true, SwitchSettle: time.Millisecond})
	require.NoError(t, err)
	start(t, players, ours)

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

	rt := &v1alpha1.Runtime{ObjectMeta: metav1.ObjectMeta{Name: "default", Namespace: "default"}, Spec: v1alpha1.RuntimeSpec{PublishedVersion: "a"}}
	require.NoError(t, c.Create(t.Context(), rt))
	l.until(rt, "is published", func() bool { return rt.IsReady() && rt.Status.PublishedVersion == "a" })
	require.NoError(t, c.Patch(t.Context(), rt, client.RawPatch("application/merge-patch+json", []byte(`{"spec": {"publishedVersion": null}}`))))
	l.until(rt, "publishes nothing", func() bool { return rt.IsReady() && rt.Status.PublishedVersion == "" })
	l.until(v, "is unpublished", func() bool { return v.Status.Phase == v1alpha1.PhaseStarted })

	require.NoError(t, c.Delete(t.Context(), v))
	gone := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		return apierrors.IsNotFound(c.Get(ctx, client.ObjectKeyFromObject(v), v)), nil
	})
	require.NoErrorf(t, gone, "its finalizer stays\n%s", l.logs)
}

func is(c *metav1.Condition, status metav1.ConditionStatus) bool {
	return c != nil && c.Status == status
}

// until reads an object again and again, for a minute at most, until a state is there.
func (l life) until(o client.Object, what string, ok func() bool) {
	l.Helper()
	err := wait.PollUntilContextTimeout(l.Context(), 20*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		return l.c.Get(ctx, client.ObjectKeyFromObject(o), o) == nil && ok(), nil
	})
	if err != nil {
		o.SetManagedFields(nil)
		text, _ := yaml.Marshal(o)
		require.Failf(l, "never: "+what, "%s\n%s", text, l.logs)
	}
}
