// Package controller tests the life of versions: the whole controller on a real
// apiserver, with the rights it has in a cluster, and with what else a cluster
// has pretended.
package controller

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	flowsv1 "knative.dev/eventing/pkg/apis/flows/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/controller"
	"krt.dev/kn-krt/test/apiserver"
	"krt.dev/kn-krt/test/apiserver/pretend"
)

// cluster is an apiserver with everything in config/ but the controller.
type cluster struct {
	client.Client
	config *rest.Config // an administrator's
}

// shared is the one of all tests that need no other; nil without Kubernetes.
var shared *cluster

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if os.Getenv("KRT_KUBE") == "" {
		return m.Run() // every test skips itself
	}
	dir, err := os.MkdirTemp("", "controller")
	must(err)
	defer os.RemoveAll(dir)
	ctx, stop := context.WithCancel(context.Background())
	c, end := newCluster(ctx, dir, os.Getenv("KRT_CRDS"))
	defer end()
	shared = c
	players, err := pretend.New(c.config)
	must(err)
	ended := make(chan error)
	go func() { ended <- players.Start(ctx) }()
	defer func() { must(<-ended) }()
	defer stop()
	return m.Run()
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// newCluster starts an apiserver with the CRDs of the given files, if any, and ours.
func newCluster(ctx context.Context, dir string, knative ...string) (*cluster, func()) {
	s, err := apiserver.Start(ctx, dir, apiserver.Options{Program: os.Getenv("KRT_KUBE"), CRDs: append(knative, "../../../config/300-*.yaml")})
	must(err)
	config, err := clientcmd.BuildConfigFromFlags("", s.Kubeconfig)
	must(err)
	config.QPS = -1
	scheme := runtime.NewScheme()
	builder := runtime.NewSchemeBuilder(clientscheme.AddToScheme, v1alpha1.AddToScheme, servingv1.AddToScheme, flowsv1.AddToScheme)
	must(builder.AddToScheme(scheme))
	c := &cluster{config: config}
	c.Client, err = client.New(config, client.Options{Scheme: scheme})
	must(err)
	c.install(ctx, "", "../../../config/100-*.yaml", "../../../config/200-controller-role.yaml")
	// A start fails soon here.
	settings := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "config-krt", Namespace: "krt-system"}, Data: map[string]string{"start-timeout": "1s"}}
	must(c.Create(ctx, settings))
	flags := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "knative-serving"}}
	must(c.Create(ctx, flags))
	return c, func() { _ = s.Stop() }
}

// install creates what stands in files, of one kind only unless that is empty.
func (c *cluster) install(ctx context.Context, kind string, patterns ...string) {
	for _, pattern := range patterns {
		files, err := filepath.Glob(pattern)
		must(err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			must(err)
			for decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 1<<12); ; {
				object := &unstructured.Unstructured{}
				if decoder.Decode(object) != nil {
					break
				}
				if object.Object != nil && (kind == "" || kind == object.GetKind()) {
					must(c.Create(ctx, object))
				}
			}
		}
	}
}

// process is a running controller and what it asks of the apiserver.
type process struct {
	stop func()

	mu    sync.Mutex
	calls []string // but for watches and what informers list
}

// start runs the controller until the end of the test, with the rights of config/.
func (c *cluster) start(t *testing.T) *process {
	t.Helper()
	p := &process{}
	config := rest.CopyConfig(c.config)
	config.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:krt-system:krt-controller",
		Groups:   []string{"system:serviceaccounts", "system:authenticated"},
	}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &counter{next, p} })
	mgr, err := controller.New(config, controller.Options{EntrypointImage: "example.com/entrypoint", SwitchWait: time.Hour, SwitchSettle: time.Millisecond})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	p.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			var stacks bytes.Buffer
			_ = pprof.Lookup("goroutine").WriteTo(&stacks, 1)
			t.Errorf("the controller does not end: %v\n%s", err, &stacks)
		}
	})
	t.Cleanup(p.stop)
	return p
}

type counter struct {
	next    http.RoundTripper
	process *process
}

func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	informer := r.Method == http.MethodGet && (r.URL.Query().Has("watch") || r.URL.Query().Has("resourceVersion"))
	if !informer && strings.Contains(r.URL.Path, "/namespaces/") {
		c.process.mu.Lock()
		c.process.calls = append(c.process.calls, r.Method+" "+r.URL.Path)
		c.process.mu.Unlock()
	}
	return c.next.RoundTrip(r)
}

// since returns what was asked about a namespace after the first n calls, and how many there are now.
func (p *process) since(n int, namespace string) (calls []string, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, call := range p.calls[n:] {
		if strings.Contains(call, "/namespaces/"+namespace+"/") {
			calls = append(calls, call)
		}
	}
	return calls, len(p.calls)
}
