package browser

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
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

// newCluster starts an apiserver; without Kubernetes built it skips the test.
func newCluster(t *testing.T) *onCluster {
	t.Helper()
	c := &onCluster{t: t, server: apiserver.For(t, "../../config/300-*.yaml"), namespace: "team"}
	var err error
	c.admin, err = c.server.NewClient()
	require.NoError(t, err)
	require.NoError(t, c.admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: c.namespace}}))
	return c
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
	v := c.version(name)
	v.BeginStatus()
	v.RecordState(metav1.Now())
	v.MarkConfigReady()
	for _, n := range v.Spec.Nodes {
		v.MarkNodeReady(n.Name, v.Name+"-"+n.Name+"-00001", n.Image+"@sha256:1")
	}
	for _, w := range v.Spec.Workflows {
		v.MarkWorkflowReady(w.Name, "http://"+w.Name)
	}
	v.MarkEntrypointReady("http://" + v.Name + "." + v.Namespace + ".svc.cluster.local")
	v.Status.Phase = phase
	if f != nil {
		f(v)
	}
	v.FinishStatus()
	require.NoError(c.t, c.admin.Status().Update(c.t.Context(), v))
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
	r := c.runtime()
	before := r.Status.PublishedVersion
	r.BeginStatus()
	if r.Spec.PublishedVersion == "" {
		r.MarkNothingPublished(metav1.Now())
	} else {
		r.MarkPublished(r.Spec.PublishedVersion, metav1.Now())
		c.mark(r.Spec.PublishedVersion, v1alpha1.PhasePublished, nil)
	}
	require.NoError(c.t, c.admin.Status().Update(c.t.Context(), r))
	if before != "" && before != r.Spec.PublishedVersion {
		c.mark(before, v1alpha1.PhaseStarted, nil)
	}
}

// reader is a user who may read versions and Runtimes, and nothing else.
func (c *onCluster) reader() *rest.Config {
	c.t.Helper()
	const user = "reader"
	require.NoError(c.t, c.admin.Create(c.t.Context(), &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: user, Namespace: c.namespace},
		Rules: []rbacv1.PolicyRule{{
			Verbs: []string{"get", "list", "watch"}, APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"versions", "runtimes"},
		}},
	}))
	require.NoError(c.t, c.admin.Create(c.t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: user, Namespace: c.namespace},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: user},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}},
	}))
	config := c.server.Config()
	config.Impersonate.UserName = user
	asked, err := cluster.New(config, c.namespace)
	require.NoError(c.t, err)
	require.True(c.t, apiserver.Soon(c.t.Context(), func() bool {
		_, err := asked.List(c.t.Context())
		return err == nil
	}), "the rights are known")
	return config
}

// home is a dashboard of a user of the cluster, as `kn krt dashboard` serves it.
type home struct {
	*httptest.Server
	tokens *guard.Tokens
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
	h := &home{Server: httptest.NewUnstartedServer(guard.Site(guard.Loopback(), tokens.Handler(pages))), tokens: tokens}
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
	return strings.TrimSuffix(h.URL+"/ns/team/versions/"+version+"/"+page, "/")
}

// act does an action by the buttons of the version's page.
func (p *page) act(button, comment string) {
	p.t.Helper()
	if !p.has("link", button) {
		p.do(chromedp.Click("#more-actions summary"))
	}
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
