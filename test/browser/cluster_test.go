package browser

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/dashboard"
	view "krt.dev/kn-krt/pkg/dashboard/cluster"
	"krt.dev/kn-krt/pkg/dashboard/guard"
	"krt.dev/kn-krt/pkg/render"
	"krt.dev/kn-krt/test/apiserver"
)

// onCluster is a real apiserver with a namespace. No controller runs: the tests write the status
// of versions themselves.
type onCluster struct {
	t         *testing.T
	server    *apiserver.Server
	admin     client.Client
	namespace string
}

// kube is the apiserver of all tests: it takes seconds to start. It is nil without Kubernetes.
var kube *apiserver.Server

// newCluster makes a namespace; without Kubernetes built it skips the test. The test's name must
// say that it needs an apiserver: make test-api runs those that do, make test the others.
func newCluster(t *testing.T) *onCluster {
	t.Helper()
	require.Contains(t, t.Name(), "OnACluster", "make test-api would leave it out")
	apiserver.Need(t)
	admin, err := kube.NewClient()
	require.NoError(t, err)
	return &onCluster{t: t, server: kube, admin: admin, namespace: apiserver.NewNamespace(t, admin)}
}

// start creates the version of the original's documentation: two workflows, four nodes, all ready.
func (c *onCluster) start(name string) {
	c.t.Helper()
	node := func(name string) v1alpha1.Node { return v1alpha1.Node{Name: name, Image: "localhost:5000/" + name} }
	require.NoError(c.t, c.admin.Create(c.t.Context(), &v1alpha1.Version{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: c.namespace},
		Spec: v1alpha1.VersionSpec{
			State: v1alpha1.StateStarted, Description: "Estimates prices of rooms.",
			Entrypoint: v1alpha1.Entrypoint{Proto: "p.proto", Files: []v1alpha1.ProtoFile{{Path: "p.proto",
				Content: `syntax = "proto3"; package room; service Entrypoint { rpc Predict (M) returns (M); rpc Save (M) returns (M); } message M {}`,
			}}},
			Config: v1alpha1.Config{Variables: []string{"CURRENCY"}},
			Nodes:  []v1alpha1.Node{node("etl"), node("model"), node("output"), node("save")},
			Workflows: []v1alpha1.Workflow{
				{Name: "make-prediction", Entrypoint: "Predict", Sequential: []string{"etl", "model", "output"}},
				{Name: "save-metrics", Entrypoint: "Save", Sequential: []string{"save"}},
			},
		},
	}))
	c.mark(name, v1alpha1.PhaseStarted, nil)
}

// version reads a version.
func (c *onCluster) version(name string) *v1alpha1.Version {
	c.t.Helper()
	v := &v1alpha1.Version{}
	require.NoError(c.t, c.admin.Get(c.t.Context(), client.ObjectKey{Namespace: c.namespace, Name: name}, v))
	return v
}

// mark writes the version's status as the controller does: ready but for what f marks.
func (c *onCluster) mark(name string, phase v1alpha1.Phase, f func(*v1alpha1.Version)) {
	c.t.Helper()
	apiserver.MarkVersion(c.t, c.admin, client.ObjectKey{Namespace: c.namespace, Name: name}, func(v *v1alpha1.Version) {
		v.Status.Phase = phase
		if f != nil {
			f(v)
		}
	})
}

// runtime reads the Runtime.
func (c *onCluster) runtime() *v1alpha1.Runtime {
	c.t.Helper()
	r := &v1alpha1.Runtime{}
	require.NoError(c.t, c.admin.Get(c.t.Context(), client.ObjectKey{Namespace: c.namespace, Name: v1alpha1.RuntimeName}, r))
	return r
}

// reconcile writes that what the Runtime asks for is published, as the controller does.
func (c *onCluster) reconcile() {
	c.t.Helper()
	before := c.runtime().Status.PublishedVersion
	apiserver.MarkRuntime(c.t, c.admin, c.namespace)
	now := c.runtime().Status.PublishedVersion
	if now != "" {
		c.mark(now, v1alpha1.PhasePublished, nil)
	}
	if before != "" && before != now {
		c.mark(before, v1alpha1.PhaseStarted, nil)
	}
}

// reader is a user who may read versions and Runtimes, and nothing else.
func (c *onCluster) reader() *rest.Config {
	c.t.Helper()
	user := c.server.AsUser("reader-of-" + c.namespace)
	var rights []cluster.Right
	for _, resource := range []string{"versions", "runtimes"} {
		for _, verb := range []string{"get", "list", "watch"} {
			rights = append(rights, cluster.Right{Verb: verb, Group: v1alpha1.GroupVersion.Group, Resource: resource})
		}
	}
	apiserver.Allow(c.t, c.admin, user, c.namespace, rights...)
	return user
}

// home is a dashboard of a user of the cluster, as `kn krt dashboard` serves it.
type home struct {
	*httptest.Server
	tokens    *guard.Tokens
	namespace string
}

// serve serves the dashboard of the configuration's user.
func (c *onCluster) serve(config *rest.Config, readOnly bool) *home {
	c.t.Helper()
	user, err := cluster.New(config, c.namespace)
	require.NoError(c.t, err)
	shown := view.New(user, view.Options{Namespaces: []string{c.namespace}, Hint: func(string, error) string { return "" }})
	tokens := guard.NewTokens("")
	pages := dashboard.New(dashboard.Options{Sources: dashboard.One(shown), Title: "test", ReadOnly: readOnly})
	ctx, cancel := context.WithCancel(context.Background())
	site := httptest.NewUnstartedServer(guard.Site(guard.Loopback(), tokens.Handler(pages)))
	h := &home{Server: site, tokens: tokens, namespace: c.namespace}
	h.Config.BaseContext = baseContext(ctx)
	h.Start()
	c.t.Cleanup(func() {
		cancel()
		h.Close()
		shown.Close()
	})
	return h
}

// link is one that opens the dashboard once.
func (h *home) link() string { return h.URL + "/" + h.tokens.Query() }

// of is the URL of a page of a version.
func (h *home) of(version, page string) string {
	return strings.TrimSuffix(h.URL+"/ns/"+h.namespace+"/versions/"+version+"/"+page, "/")
}

// act does an action by the buttons of the version's page.
func (p *page) act(button, comment string) {
	p.t.Helper()
	p.until("link "+button, func() bool {
		_, _ = peek[bool](p, "document.getElementById('more-actions').open = true")
		return p.has("link", button)
	})
	p.press("link", button)
	p.await("document.activeElement?.name == 'comment'")
	p.do(chromedp.KeyEvent(comment))
	p.press("button", button)
}

// configValues are those of the version's Secret.
func (c *onCluster) configValues(version string) map[string][]byte {
	c.t.Helper()
	secret := &corev1.Secret{}
	require.NoError(c.t, c.admin.Get(c.t.Context(), client.ObjectKey{Namespace: c.namespace, Name: render.ConfigName(version)}, secret))
	return secret.Data
}
