package dashboard_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/render"
	"krt.dev/kn-krt/test/apiserver"

	view "krt.dev/kn-krt/pkg/dashboard/cluster"
)

// granted is a right in a namespace; "" is that of the version.
type granted struct {
	cluster.Right
	namespace string
}

// row is a line of the table of rights in the docs.
type row struct {
	what   string
	rights []granted
}

// oneRight is a part of the second column, such as "`pods/log`: get, list in `krt-system`".
var oneRight = regexp.MustCompile("^`([a-z]+)(?:/([a-z]+))?`: ([a-z, ]+?)(?: in `([a-z-]+)`)?(?:, if .*)?$")

// documented reads the table.
func documented(t *testing.T) (rows []row) {
	t.Helper()
	page, err := os.ReadFile("../../../docs/reference/dashboard.md")
	require.NoError(t, err)
	_, text, _ := strings.Cut(string(page), "\n## Rights\n")
	text, _, _ = strings.Cut(text, "\n## ")
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if len(cells) != 2 || !strings.Contains(cells[1], "`") {
			continue
		}
		r := row{what: strings.TrimPrefix(cells[0], "| ")}
		for part := range strings.SplitSeq(strings.TrimSuffix(cells[1], " |"), " · ") {
			found := oneRight.FindStringSubmatch(part)
			require.NotNil(t, found, "%q is not a right", part)
			group := ""
			if found[1] == "versions" || found[1] == "runtimes" {
				group = v1alpha1.GroupVersion.Group
			}
			for verb := range strings.SplitSeq(found[3], ", ") {
				right := cluster.Right{Verb: verb, Group: group, Resource: found[1], Subresource: found[2]}
				r.rights = append(r.rights, granted{right, found[4]})
			}
		}
		rows = append(rows, r)
	}
	return rows
}

// place is a namespace with a started version "one" that has all that pages show, and "two", a stopped
// one.
type place struct {
	*testing.T
	one, two source.Ref
	user     *cluster.Client
	source   *view.Source
}

// newPlace makes a place, seen by a user who has exactly these rights.
func newPlace(t *testing.T, rights []granted) place {
	t.Helper()
	namespace := newNamespace(t)
	p := place{T: t, one: create(t, namespace, "one"), two: create(t, namespace, "two")}
	require.NoError(t, admin.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: render.ConfigName("one"), Namespace: namespace},
		Data:       map[string][]byte{"CURRENCY": []byte("EUR"), "CERT": []byte("x")},
	}))
	require.NoError(t, admin.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "store", Namespace: namespace}}))
	mark(t, p.one, v1alpha1.PhaseStarted, func(v *v1alpha1.Version) {
		v.Status.StartedWith = &v1alpha1.StartedWith{StoreSecret: "store"}
	})
	p.startEntrypoint()
	user := server.AsUser("user-of-" + namespace)
	of := map[string][]cluster.Right{}
	for _, r := range rights {
		of[r.namespace] = append(of[r.namespace], r.Right)
	}
	for at, these := range of {
		if at == "" {
			at = namespace
		}
		apiserver.Allow(t, admin, user, at, these...)
	}
	p.user = newClient(t, user, namespace)
	p.source = view.New(p.user, view.Options{Namespaces: []string{namespace}})
	t.Cleanup(p.source.Close)
	return p
}

// startEntrypoint makes a pod of the version's entrypoint that is ready and on no machine.
func (p place) startEntrypoint() {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "entrypoint", Namespace: p.one.Namespace,
			Labels: map[string]string{render.LabelVersion: p.one.Name, render.LabelVersionName: render.EntrypointName(p.one.Name)}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "entrypoint", Image: "localhost:5000/entrypoint"}}},
	}
	require.NoError(p, admin.Create(p.Context(), pod))
	pod.Status.Phase = corev1.PodRunning
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "entrypoint", ContainerID: "c", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
	}}
	require.NoError(p, admin.Status().Update(p.Context(), pod))
}

// publish publishes the version "one", as if the controller had done it.
func (p place) publish() {
	c := newClient(p.T, server.Config(), p.one.Namespace)
	for _, name := range []string{"two", "one"} {
		_, err := c.Publish(p.Context(), name, "because")
		require.NoError(p, err)
		apiserver.MarkRuntime(p.T, admin, p.one.Namespace)
	}
}

// divide makes the version "one" the canary of "two".
func (p place) divide() {
	c := newClient(p.T, server.Config(), p.one.Namespace)
	_, err := c.Publish(p.Context(), "two", "")
	require.NoError(p, err)
	_, err = c.PublishCanary(p.Context(), v1alpha1.Canary{Version: "one", Weight: 10}, "")
	require.NoError(p, err)
}

// act is an action on the version "one".
func act(a source.Action, prepare func(place)) func(place) error {
	return func(p place) error {
		prepare(p)
		return p.source.Act(bounded(p.T), source.Order{Ref: p.one, Action: a})
	}
}

func nothing(place) {}

// stop stops the version "one", as if the controller had done it.
func (p place) stop() {
	c := newClient(p.T, server.Config(), p.one.Namespace)
	_, err := c.Stop(p.Context(), p.one.Name, "")
	require.NoError(p, err)
	mark(p.T, p.one, v1alpha1.PhaseStopped, (*v1alpha1.Version).MarkStopped)
}

var errNotShown = errors.New("it is not shown")

// seen is what the version shows.
func seen(ok func(*source.Version) bool) func(place) error {
	return func(p place) error {
		v, err := p.source.Version(bounded(p.T), p.one)
		if err == nil && !ok(v) {
			err = errNotShown
		}
		return err
	}
}

// allowed is nil unless a right is missing: no pod is on a machine here.
func allowed(err error) error {
	var refused *source.RefusedError
	if errors.As(err, &refused) && refused.Refusal == source.Forbidden {
		return err
	}
	return nil
}

// use returns what is done with the rights of a line of the table.
func use(t *testing.T, what string) func(place) error {
	t.Helper()
	all := map[string]func(place) error{
		"Versions, Status, History": func(p place) error {
			all, err := p.source.Versions(bounded(p.T))
			if err == nil && len(all) != 2 {
				err = errNotShown
			}
			_, noHistory := p.source.History(bounded(p.T), p.one)
			return errors.Join(err, noHistory)
		},
		"what is published, since when, with which comments": func(p place) error {
			if r, _ := newClient(p.T, server.Config(), p.one.Namespace).Runtime(p.Context()); r == nil {
				p.publish()
			}
			return seen(func(v *source.Version) bool { return v.Published && !v.Since.IsZero() && v.Comment == "because" })(p)
		},
		"numbers of pods and restarts, *asleep*": seen(func(v *source.Version) bool { return v.Nodes[0].State == source.Asleep }),
		"numbers of Status and Metrics without Prometheus, Requests, Try": func(p place) error {
			_, _, unreached := p.source.Reach(bounded(p.T), p.one)
			_, _, unread := p.source.Requests(bounded(p.T), p.one, inspection.Filter{})
			return errors.Join(allowed(unreached), allowed(unread))
		},
		"Dead letters, to replay and delete them, Queue": func(p place) error {
			reasons, err := p.source.Rights(bounded(p.T), p.one)
			if why := reasons[source.Letters]; why != "" {
				err = errors.New(why)
			}
			return errors.Join(err, allowed(p.source.Inspect(bounded(p.T), p.one, func(context.Context, *inspection.Client) error { return nil })))
		},
		"Logs": func(p place) error { // to follow them takes watch, too
			return p.source.Logs(bounded(p.T), p.one, source.LogQuery{}, source.LogHandler{})
		},
		"Predictions, dashboards of the bundle, Metrics of the store": func(p place) error {
			_, _, err := p.source.Predictions(bounded(p.T), p.one)
			return allowed(err)
		},
		"Documentation, contract, commands": func(p place) error {
			_, err := p.source.Contract(bounded(p.T), p.one)
			return err
		},
		"Configuration": func(p place) error {
			_, err := p.source.Config(bounded(p.T), p.one)
			return err
		},
		"set or remove a value": func(p place) error {
			value := map[string][]byte{"CURRENCY": []byte("USD")}
			return errors.Join(p.source.SetConfig(bounded(p.T), p.one, value, nil), p.source.SetConfig(bounded(p.T), p.two, value, nil))
		},
		"Start":     act(source.Start, place.stop),
		"Stop":      act(source.Stop, nothing),
		"Restart":   act(source.Restart, nothing),
		"Publish":   publish,
		"Unpublish": act(source.Unpublish, place.publish),
		"Roll back": act(source.Rollback, place.publish),
		"Promote, Change weight": func(p place) error {
			p.divide()
			return errors.Join(p.source.Act(bounded(p.T), source.Order{Ref: p.one, Action: source.Weigh, Weight: 5}),
				p.source.Act(bounded(p.T), source.Order{Ref: p.one, Action: source.Promote}))
		},
		"Abort, Pause, Resume": act(source.Abort, place.divide),
		"Delete":               act(source.Delete, place.stop),
		"Create": func(p place) error {
			v := &v1alpha1.Version{}
			require.NoError(p, admin.Get(p.Context(), client.ObjectKey(p.one), v))
			made := &v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: "three", Namespace: p.one.Namespace}, Spec: v.Spec}
			made.Spec.State = v1alpha1.StateStopped
			if _, err := p.user.CheckCreate(bounded(p.T), made, nil); err != nil {
				return err
			}
			return p.user.Create(bounded(p.T), made, nil)
		},
	}
	require.Contains(t, all, what, "a line of the table that nothing tests")
	require.Len(t, documented(t), len(all), "all of this is in the table")
	return all[what]
}

// publish publishes the version "one" while nothing was ever published, and again after another one.
func publish(p place) error {
	first := p.source.Act(bounded(p.T), source.Order{Ref: p.one, Action: source.Publish})
	if first == nil {
		apiserver.MarkRuntime(p.T, admin, p.one.Namespace)
	} else {
		p.publish()
	}
	return errors.Join(first, p.source.Act(bounded(p.T), source.Order{Ref: p.two, Action: source.Publish}))
}

// A user with the rights of a line of the table, and no others, can do what it names; without one of
// them the user cannot.
func TestTheTableOfRights(t *testing.T) {
	apiserver.Need(t)
	err := admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: cluster.SystemNamespace}})
	require.True(t, err == nil || apierrors.IsAlreadyExists(err), "%v", err)
	rows := documented(t)
	base := rows[0].rights
	// All users may read the settings (config/200-user-roles.yaml).
	base = append(base, granted{cluster.Right{Verb: "get", Resource: "configmaps"}, cluster.SystemNamespace})
	for i, r := range rows {
		t.Run(r.what, func(t *testing.T) {
			do := use(t, r.what)
			all := r.rights
			if i > 0 {
				all = slices.Concat(base, all)
			}
			p := newPlace(t, all)
			var err error
			require.True(t, apiserver.Soon(bounded(t), func() bool { err = do(p); return err == nil }), "%v", err)
		})
		for at, missing := range r.rights {
			if missing.Verb == "watch" {
				continue // what is listed is shown until it is known that it cannot be watched
			}
			t.Run(fmt.Sprintf("%s without %s", r.what, missing), func(t *testing.T) {
				left := slices.Delete(slices.Clone(r.rights), at, at+1)
				if i > 0 {
					left = slices.Concat(base, left)
				}
				require.Error(t, use(t, r.what)(newPlace(t, left)))
			})
		}
	}
}
