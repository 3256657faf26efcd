package dashboard_test

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/test/apiserver"

	view "krt.dev/kn-krt/pkg/dashboard/cluster"
)

// refusals are pages of a namespace with the started version "one".
type refusals struct {
	*site
	ref  source.Ref
	user *cluster.Client
}

func newRefusals(t *testing.T) refusals {
	t.Helper()
	namespace := newNamespace(t)
	r := refusals{ref: create(t, namespace, "one"), user: newClient(t, server.Config(), namespace)}
	r.site = pagesOf(t, r.user, view.Options{Hint: func(namespace string, _ error) string { return "hint in " + namespace }})
	return r
}

// stop stops the version, and waits until pages show that.
func (r refusals) stop() {
	_, err := r.user.Stop(r.Context(), r.ref.Name, "")
	require.NoError(r, err)
	mark(r.T, r.ref, v1alpha1.PhaseStopped, (*v1alpha1.Version).MarkStopped)
	r.until("Stopped")
}

// publish publishes the version, and waits until pages show that.
func (r refusals) publish() {
	_, err := r.user.Publish(r.Context(), r.ref.Name, "")
	require.NoError(r, err)
	apiserver.MarkRuntime(r.T, admin, r.ref.Namespace)
	mark(r.T, r.ref, v1alpha1.PhasePublished, func(*v1alpha1.Version) {})
	r.until("Published")
}

func (r refusals) until(text string) {
	require.True(r, apiserver.Soon(bounded(r.T), func() bool {
		_, page := r.do(http.MethodGet, at(r.ref, "history"), nil)
		return strings.Contains(page, text)
	}))
}

// What is refused is shown in the API's or the rule's own words, with what to do next.
func TestRefusalsAreShown(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(refusals)
		action  source.Action
		form    url.Values
		want    string
	}{
		"publish what is stopped": {refusals.stop, source.Publish, url.Values{"old": {"nothing"}, "new": {"one"}},
			`cannot publish version "one": it is stopped`},
		"delete what is published": {refusals.publish, source.Delete, nil, `cannot delete version "one": it is published in namespace`},
		"stop what is published":   {refusals.publish, source.Stop, nil, `cannot stop version "one": it is published in namespace`},
		"delete what is started":   {func(refusals) {}, source.Delete, nil, `cannot delete version "one": it is started`},
		"roll back to nothing": {refusals.publish, source.Rollback, url.Values{"old": {"one"}, "new": {"nothing"}},
			"cannot roll back: no version was published in namespace"},
		"roll back what is not published": {func(refusals) {}, source.Rollback, url.Values{"old": {"nothing"}, "new": {"nothing"}},
			`cannot roll back version "one": nothing is published in namespace`},
		"unpublish what is not published": {func(refusals) {}, source.Unpublish, url.Values{"old": {"nothing"}, "new": {"nothing"}},
			`cannot unpublish version "one": nothing is published in namespace`},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRefusals(t)
			test.prepare(r)
			status, page := r.do(http.MethodPost, at(r.ref, "actions/"+string(test.action)), test.form)
			page = html.UnescapeString(page)
			require.Equal(t, http.StatusConflict, status, page)
			require.Contains(t, page, test.want)
			require.Contains(t, page, "hint in "+r.ref.Namespace)
			require.NotContains(t, page, "Configuration</a>, then", "values of the config are not the reason")
		})
	}
}

// A version whose config is not complete is not started: the page names what is missing, and where it
// is set.
func TestAStartWithoutConfigLeadsToIt(t *testing.T) {
	r := newRefusals(t)
	r.stop()
	start := func() (status int, page string) { return r.do(http.MethodPost, at(r.ref, "actions/start"), nil) }
	status, page := start()
	require.Equal(t, http.StatusConflict, status)
	config := at(r.ref, "config")
	for _, want := range []string{config + "#config:CURRENCY", config + "#config:CERT", `href="` + config + `">Configuration</a>`} {
		require.Contains(t, page, want)
	}
	_, page = r.do(http.MethodGet, config, nil)
	require.Contains(t, page, `id="config:CURRENCY"`)
	status, page = r.do(http.MethodPost, config, url.Values{"name": {"CURRENCY"}, "value": {"EUR"}})
	require.Equal(t, http.StatusOK, status, page)
	status, page = start()
	require.Equal(t, http.StatusConflict, status)
	require.NotContains(t, page, "#config:CURRENCY")
	_, err := r.user.SetConfig(t.Context(), "one", map[string][]byte{"CERT": []byte("x")}, nil)
	require.NoError(t, err)
	status, page = start()
	require.Equal(t, http.StatusOK, status, page)
}

// A refusal of the API server's own, here by a policy of the cluster, is shown in its words.
func TestAPolicysRefusalIsShown(t *testing.T) {
	r := newRefusals(t)
	policy := &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "no-stop"},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{admissionv1.Update},
					Rule: admissionv1.Rule{APIGroups: []string{v1alpha1.GroupVersion.Group}, APIVersions: []string{"*"},
						Resources: []string{"versions"}},
				},
			}}},
			Validations: []admissionv1.Validation{{Expression: "object.spec.state != 'Stopped'", Message: "not on <Fridays>"}},
		}}
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: "no-stop"},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: "no-stop", ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
			MatchResources: &admissionv1.MatchResources{NamespaceSelector: &metav1.LabelSelector{
				MatchLabels: map[string]string{"kubernetes.io/metadata.name": r.ref.Namespace},
			}},
		}}
	require.NoError(t, admin.Create(t.Context(), policy))
	require.NoError(t, admin.Create(t.Context(), binding))
	var status int
	var page string
	require.True(t, apiserver.Soon(bounded(t), func() bool { // the policy counts some time after it is there
		status, page = r.do(http.MethodPost, at(r.ref, "actions/stop"), nil)
		if status == http.StatusOK {
			_, err := r.user.SetConfig(t.Context(), "one", map[string][]byte{"CURRENCY": []byte("EUR"), "CERT": []byte("x")}, nil)
			require.NoError(t, err)
			_, err = r.user.Start(t.Context(), "one", "")
			require.NoError(t, err)
		}
		return status != http.StatusOK
	}))
	require.Equal(t, http.StatusConflict, status)
	require.Contains(t, page, "not on &lt;Fridays&gt;")
}
