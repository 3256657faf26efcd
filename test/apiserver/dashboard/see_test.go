package dashboard_test

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/test/apiserver"
)

func TestVersions(t *testing.T) {
	namespace, other := newNamespace(t), newNamespace(t)
	ref := create(t, namespace, "one")
	create(t, namespace, "two")
	create(t, other, "three")
	s := newSource(t, newClient(t, server.Config(), "default"), namespace)
	all, err := s.Versions(bounded(t))
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.Equal(t, "one", all[0].Name)
	require.Equal(t, source.Ready, all[0].State)
	require.Equal(t, "house.Entrypoint/Price", all[0].Workflows[0].Method)
	_, err = s.Version(bounded(t), source.Ref{Namespace: other, Name: "three"})
	var unknown *source.NotFoundError
	require.ErrorAs(t, err, &unknown)
	_, err = s.Version(bounded(t), source.Ref{Namespace: namespace, Name: "three"})
	require.ErrorAs(t, err, &unknown)

	// A ready node without pods sleeps, until it has some.
	shown(t, s, ref, func(v *source.Version) bool { return v.Nodes[0].State == source.Asleep && v.Nodes[0].Pods == 0 })
	startPod(t, ref)
	shown(t, s, ref, func(v *source.Version) bool { return v.Nodes[0].State == source.Ready && v.Nodes[0].Pods == 1 })
	mark(t, ref, v1alpha1.PhaseStarted, func(v *v1alpha1.Version) {
		v.MarkNodeNotReady("etl", v1alpha1.ReasonCrashed, "boom; see its log: kn krt logs one -n "+namespace+" --node etl")
	})
	v := shown(t, s, ref, func(v *source.Version) bool { return v.State == source.Failed })
	require.Equal(t, source.Node{Name: "etl", State: source.Failed, Reason: "Crashed", Cause: "boom",
		Next: "see its log: kn krt logs one -n " + namespace + " --node etl", Pods: 1,
		Image: "localhost:5000/etl@sha256:1", Revision: "one-etl-00001"}, v.Nodes[0])
	require.Equal(t, source.Failed, v.Workflows[0].State)
}

// A user who may read versions and nothing else sees their states.
func TestVersionsWithoutPods(t *testing.T) {
	namespace := newNamespace(t)
	ref := create(t, namespace, "one")
	user := server.AsUser("reader-" + namespace)
	apiserver.Allow(t, admin, user, namespace, readVersions()...)
	s := newSource(t, newClient(t, user, namespace), namespace)
	v, err := s.Version(bounded(t), ref)
	require.NoError(t, err)
	require.Equal(t, source.Ready, v.Nodes[0].State)
	require.Equal(t, source.UnknownPods, v.Nodes[0].Pods)
	require.False(t, v.Published)
}

// A user who may read one namespace only sees that one when all are asked for.
func TestAllNamespacesOfAUser(t *testing.T) {
	namespace, second, other := newNamespace(t), newNamespace(t), newNamespace(t)
	create(t, namespace, "one")
	ref := create(t, second, "two")
	hidden := create(t, other, "three")
	user := server.AsUser("user-" + namespace)
	apiserver.Allow(t, admin, user, namespace, readVersions()...)
	apiserver.Allow(t, admin, user, second, readVersions()...)
	s := newSource(t, newClient(t, user, namespace))
	all, err := s.Versions(bounded(t))
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, "one", all[0].Name)
	// Namespaces cannot be listed, but one that is named is shown if it may be.
	_, err = s.Version(bounded(t), ref)
	require.NoError(t, err)
	all, err = s.Versions(bounded(t))
	require.NoError(t, err)
	require.Len(t, all, 2)
	_, err = s.Version(bounded(t), hidden)
	var unknown *source.NotFoundError
	require.ErrorAs(t, err, &unknown)
}

func TestNoRights(t *testing.T) {
	namespace := newNamespace(t)
	create(t, namespace, "one")
	s := newSource(t, newClient(t, server.AsUser("nobody-"+namespace), namespace), namespace)
	_, err := s.Versions(bounded(t))
	var refused *source.RefusedError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, source.Forbidden, refused.Refusal)
	require.Contains(t, refused.Text, "cannot list versions: ")

	// Nor does anybody whose credentials are not accepted see anything.
	config := server.Config()
	config.BearerToken = "wrong"
	s = newSource(t, newClient(t, config, namespace), namespace)
	_, err = s.Versions(bounded(t))
	require.ErrorAs(t, err, &refused)
	require.Equal(t, source.Unauthorized, refused.Refusal)
}

// Pages are told of changes of what they show, and only of these; also of those that were
// made while the cluster was away.
func TestWatch(t *testing.T) {
	namespace := newNamespace(t)
	one, two := create(t, namespace, "one"), create(t, namespace, "two")
	at, err := url.Parse(server.URL)
	require.NoError(t, err)
	relay := &apiserver.Relay{To: at.Host}
	require.NoError(t, relay.Start())
	config := server.Config()
	config.Host = "https://" + relay.Address()
	s := newSource(t, newClient(t, config, namespace), namespace)
	_, err = s.Versions(bounded(t))
	require.NoError(t, err)

	ctx, stop := context.WithCancel(bounded(t))
	phases := make(chan string, 100)
	ended := make(chan error, 1)
	go func() {
		ended <- s.Watch(ctx, one, func() {
			if v, err := s.Version(ctx, one); err == nil {
				phases <- v.Phase
			}
		})
	}()
	until := func(phase string) {
		t.Helper()
		for got := range phases {
			if got == phase {
				return
			}
		}
	}
	until("Started")
	mark(t, two, v1alpha1.PhaseStopping, func(*v1alpha1.Version) {})
	mark(t, one, v1alpha1.PhasePublishing, func(*v1alpha1.Version) {})
	until("Publishing")
	relay.Cut()
	mark(t, one, v1alpha1.PhaseStopping, func(*v1alpha1.Version) {})
	require.NoError(t, relay.Start())
	until("Stopping")
	stop()
	require.NoError(t, <-ended)

	// It has ended for all when the source has.
	go func() { ended <- s.Watch(t.Context(), source.Ref{}, func() {}) }()
	s.Close()
	require.Error(t, <-ended)
	_, err = s.Versions(bounded(t))
	require.Error(t, err)
	relay.Cut()
}

func TestActions(t *testing.T) {
	namespace := newNamespace(t)
	one, two := create(t, namespace, "one"), create(t, namespace, "two")
	c := newClient(t, server.Config(), namespace)
	s := newSource(t, c, namespace)
	act := func(ref source.Ref, a source.Action) error {
		return s.Act(bounded(t), source.Order{Ref: ref, Action: a, Comment: "because"})
	}
	refused := func(err error) (text string) {
		t.Helper()
		var refused *source.RefusedError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, source.Conflict, refused.Refusal)
		require.Equal(t, "hint in "+namespace, refused.Next)
		return refused.Text
	}
	require.NoError(t, s.SetConfig(bounded(t), one, map[string][]byte{"CURRENCY": []byte("EUR"), "CERT": []byte("cert")}, nil))
	entries, err := s.Config(bounded(t), one)
	require.NoError(t, err)
	require.Equal(t, []source.ConfigEntry{{Name: "CURRENCY", Set: true}, {Name: "CERT", File: true, Set: true}}, entries)
	err = s.SetConfig(bounded(t), one, map[string][]byte{"CURENCY": []byte("secret")}, nil)
	require.ErrorContains(t, err, `config variable "CURENCY" is not declared in the manifest; did you mean "CURRENCY"?`)
	refused(s.SetConfig(bounded(t), one, nil, []string{"CERT"}))

	require.NoError(t, act(one, source.Start)) // it is started
	require.NoError(t, act(one, source.Publish))
	apiserver.MarkRuntime(t, admin, namespace)
	shown(t, s, one, func(v *source.Version) bool { return v.Published && v.Comment == "because" && !v.Since.IsZero() })
	require.Contains(t, refused(act(one, source.Stop)), `it is published in namespace "`+namespace+`"`)
	refused(act(one, source.Delete))
	refused(act(two, source.Unpublish))
	require.NoError(t, act(two, source.Publish))
	apiserver.MarkRuntime(t, admin, namespace)
	refused(act(one, source.Rollback)) // it is not what is published
	require.NoError(t, act(two, source.Rollback))
	apiserver.MarkRuntime(t, admin, namespace)
	shown(t, s, one, func(v *source.Version) bool { return v.Published })
	require.NoError(t, act(one, source.Unpublish))
	apiserver.MarkRuntime(t, admin, namespace)
	require.NoError(t, act(one, source.Restart))
	require.NoError(t, act(one, source.Stop))
	mark(t, one, v1alpha1.PhaseStopped, (*v1alpha1.Version).MarkStopped)
	h := historyOf(t, s, one)
	require.Equal(t, "Stopped", h.Events[0].What)
	require.Equal(t, "because", h.Events[0].Comment)
	require.Len(t, h.Publications, 3)
	require.Equal(t, "one", h.Publications[0].Version)
	require.False(t, h.Publications[0].To.IsZero())
	require.NoError(t, act(one, source.Delete))
	require.Error(t, admin.Get(t.Context(), client.ObjectKey(one), &v1alpha1.Version{}))
	var unknown *source.NotFoundError
	require.ErrorAs(t, act(one, source.Start), &unknown)
	require.ErrorAs(t, act(source.Ref{Namespace: "default", Name: "one"}, source.Start), &unknown)
	require.Error(t, act(two, "explode"))
}

// historyOf waits until the history has a stop.
func historyOf(t *testing.T, s source.Source, ref source.Ref) *source.History {
	t.Helper()
	var last *source.History
	require.True(t, apiserver.Soon(bounded(t), func() bool {
		h, err := s.History(t.Context(), ref)
		last = h
		return err == nil && len(h.Events) > 0 && h.Events[0].What == "Stopped" && len(h.Publications) == 3
	}), "last: %+v", last)
	return last
}

// The Runtime's status is what both of its versions show.
func TestDivision(t *testing.T) {
	namespace := newNamespace(t)
	one, two := create(t, namespace, "one"), create(t, namespace, "two")
	c := newClient(t, server.Config(), namespace)
	s := newSource(t, c, namespace)
	d, err := s.Division(bounded(t), one)
	require.NoError(t, err)
	require.Equal(t, &source.Division{}, d)

	_, err = c.Publish(bounded(t), "one", "")
	require.NoError(t, err)
	apiserver.MarkRuntime(t, admin, namespace)
	_, err = c.PublishCanary(bounded(t), v1alpha1.Canary{
		Version: "two", Mirror: 50, Sticky: &v1alpha1.MetadataName{Metadata: "x-user-id"},
		Plan: &v1alpha1.CanaryPlan{Steps: []v1alpha1.CanaryStep{{Weight: 5, For: metav1.Duration{Duration: time.Minute}}}},
	}, "")
	require.NoError(t, err)
	r, err := c.Runtime(bounded(t))
	require.NoError(t, err)
	r.Status.Canary = &v1alpha1.CanaryStatus{
		Version: "two", Phase: v1alpha1.CanaryProgressing, Weight: 5, Mirror: 50, Step: 1, Message: "37 of 100 requests",
		Samples: v1alpha1.CanarySamples{Published: 700, Canary: 37},
		Values:  []v1alpha1.CanaryValue{{Name: "p95", Published: "12 ms", Canary: "13 ms", Limit: "14 ms", Verdict: v1alpha1.VerdictWaiting}},
	}
	require.NoError(t, admin.Status().Update(bounded(t), r))
	v := shown(t, s, two, func(v *source.Version) bool { return v.Share != nil })
	require.Equal(t, &source.Share{Canary: true, Other: "one", Weight: 5, Mirror: 50, Planned: true}, v.Share)
	v = shown(t, s, one, func(v *source.Version) bool { return v.Share != nil })
	require.Equal(t, &source.Share{Other: "two", Weight: 95}, v.Share)
	d, err = s.Division(bounded(t), one)
	require.NoError(t, err)
	require.Equal(t, &source.Division{Published: one, Canary: &source.Canary{
		Ref: two, Share: source.Share{Canary: true, Other: "one", Weight: 5, Mirror: 50, Planned: true},
		Phase: "Progressing", Verdict: "37 of 100 requests", Good: true, Step: 1,
		Steps: []source.PlanStep{{Weight: 5, For: time.Minute}}, PublishedRequests: 700, CanaryRequests: 37,
		Values: []source.JudgedValue{{Name: "p95", Published: "12 ms", Canary: "13 ms", Limit: "14 ms", Verdict: "Waiting"}},
		Rules:  []string{"The value of x-user-id decides which version a request gets."},
	}}, d)

	err = s.Act(bounded(t), source.Order{Ref: one, Action: source.Abort})
	var refused *source.RefusedError
	require.ErrorAs(t, err, &refused, "the page of another version than the canary")
	require.NoError(t, s.Act(bounded(t), source.Order{Ref: two, Action: source.Pause}))
	r, err = c.Runtime(bounded(t))
	require.NoError(t, err)
	require.True(t, r.Spec.Canary.Paused)
}

func TestRights(t *testing.T) {
	namespace := newNamespace(t)
	ref := create(t, namespace, "one")
	user := server.AsUser("starter-" + namespace)
	apiserver.Allow(t, admin, user, namespace,
		append(readVersions(), ours("patch", "versions"), cluster.Right{Verb: "get", Resource: "secrets"})...)
	s := newSource(t, newClient(t, user, namespace), namespace)
	reasons, err := s.Rights(bounded(t), ref)
	require.NoError(t, err)
	there := `In namespace "` + namespace + `" you do not have the right to `
	require.Equal(t, map[source.Action]string{
		source.Stop:      there + "get runtimes.",
		source.Publish:   there + "create runtimes and get runtimes and patch runtimes.",
		source.Unpublish: there + "get runtimes and patch runtimes.",
		source.Rollback:  there + "get runtimes and patch runtimes.",
		source.Promote:   there + "get runtimes and patch runtimes.",
		source.Abort:     there + "get runtimes and patch runtimes.",
		source.Pause:     there + "get runtimes and patch runtimes.",
		source.Resume:    there + "get runtimes and patch runtimes.",
		source.Weigh:     there + "get runtimes and patch runtimes.",
		source.Delete:    there + "get runtimes and delete versions.",
		source.Configure: there + "create secrets and patch secrets.",
		source.Letters:   there + "list pods and create pods/portforward.",
	}, reasons)
	err = s.Act(bounded(t), source.Order{Ref: ref, Action: source.Publish})
	var refused *source.RefusedError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, source.Forbidden, refused.Refusal)

	s = newSource(t, newClient(t, server.Config(), namespace), namespace)
	reasons, err = s.Rights(bounded(t), ref)
	require.NoError(t, err)
	require.Empty(t, reasons)
}
