package runtime

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

func TestPublish(t *testing.T) {
	p := newPlace(t)
	p.version("a", "example.com/a")
	p.publish("a", "the first")
	rt := p.published("a")

	s := p.service("active-entrypoint")
	require.Equal(t, map[string]string{"type": "entrypoint", "version-name": "a-entrypoint"}, s.Labels)
	require.Equal(t, s.Labels, s.Spec.Selector)
	own := p.service("a")
	require.Equal(t, own.Spec.Ports, s.Spec.Ports, "the same as the version's own")
	require.Equal(t, own.Spec.Selector, s.Spec.Selector)
	require.True(t, metav1.IsControlledBy(s, rt), "it goes when the runtime goes")
	require.Equal(t, "Ready", rt.Status.Conditions[0].Type)
	require.Equal(t, []string{"a: the first, lasting"}, history(rt))
	require.Equal(t, rt.Status.History[0].From, *rt.Status.Since)

	require.True(t, p.soon(func() bool {
		var list eventsv1.EventList
		require.NoError(t, cluster.List(t.Context(), &list, client.InNamespace(p.namespace)))
		for _, e := range list.Items {
			if e.Note == `version "a" is published` && e.Regarding.Kind == "Runtime" && e.Reason == "Published" {
				return true
			}
		}
		return false
	}), "it is told as an event")
}

// history is one line a publication.
func history(rt *v1alpha1.Runtime) (lines []string) {
	for _, h := range rt.Status.History {
		state := "ended"
		if h.To == nil {
			state = "lasting"
		}
		lines = append(lines, fmt.Sprintf("%s: %s, %s", h.Version, h.Comment, state))
	}
	return lines
}

func TestAnotherVersionTakesOverAndIsRolledBack(t *testing.T) {
	p := newPlace(t)
	p.version("a", "example.com/a")
	p.version("b", "example.com/b")
	p.publish("a", "one")
	first := p.published("a")
	uid := p.service("active-entrypoint").UID
	p.publish("b", "two")
	rt := p.published("b")
	require.Equal(t, "b-entrypoint", p.selected())
	require.NotNil(t, p.service("a"), "the old version's own name goes on leading to it")
	require.Equal(t, []string{"a: one, ended", "b: two, lasting"}, history(rt))
	require.Equal(t, first.Status.History[0].From, rt.Status.History[0].From)
	p.publish("a", "back")
	rt = p.published("a")
	require.Equal(t, []string{"a: one, ended", "b: two, ended", "a: back, lasting"}, history(rt))
	require.Equal(t, uid, p.service("active-entrypoint").UID, "the Service stays, and its address with it")
}

func TestWhatIsNotReadyIsNotPublished(t *testing.T) {
	for name, tt := range map[string]struct {
		prepare func(p *place)
		reason  string
		message string
	}{
		"a version that is not there": {
			prepare: func(p *place) { p.version("greeter-v2", "example.com/a"); p.publish("greeter-v22", "") },
			reason:  v1alpha1.ReasonVersionNotFound,
			message: `there is no version "greeter-v22" ("old" stays published); did you mean "greeter-v2"? List the versions: kn krt list -n NS`,
		},
		"a version that fails": {
			prepare: func(p *place) { p.version("bad", "example.com/broken"); p.publish("bad", "") },
			reason:  v1alpha1.ReasonVersionNotReady,
			message: `version "bad" is not ready ("old" stays published): node "node": `,
		},
		"a version that is stopped": {
			prepare: func(p *place) {
				v := p.version("idle", "example.com/a")
				patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec": {"state": "Stopped"}}`))
				require.NoError(p, cluster.Patch(p.Context(), v, patch))
				p.publish("idle", "")
			},
			reason:  v1alpha1.ReasonVersionNotReady,
			message: `version "idle" is not ready ("old" stays published): it is stopped; start it: kn krt start idle -n NS`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			p.version("old", "example.com/a")
			p.publish("old", "")
			p.published("old")
			tt.prepare(p)
			message := p.refused(tt.reason)
			require.Contains(t, replace(message, p.namespace), tt.message)
			rt := p.until("the same", func(*v1alpha1.Runtime) bool { return true })
			require.Equal(t, "old", rt.Status.PublishedVersion)
			require.Equal(t, []string{"old: , lasting"}, history(rt))
			require.Equal(t, "old-entrypoint", p.selected())
			p.publish("old", "")
			p.published("old")
		})
	}
}

func TestNothingWasPublishedAndTheFirstIsNotReady(t *testing.T) {
	p := newPlace(t)
	p.version("bad", "example.com/broken")
	p.publish("bad", "")
	require.NotContains(t, p.refused(v1alpha1.ReasonVersionNotReady), "stays published")
	require.Empty(t, p.selected())
}

// A publication is a wish that stays: it comes true when it can.
func TestAVersionThatGetsReadyIsPublished(t *testing.T) {
	p := newPlace(t)
	p.publish("late", "")
	p.refused(v1alpha1.ReasonVersionNotFound)
	p.version("late", "example.com/a")
	p.published("late")
}

func TestUnpublish(t *testing.T) {
	p := newPlace(t)
	p.version("a", "example.com/a")
	p.publish("a", "")
	p.published("a")
	p.publish("", "enough")
	rt := p.published("")
	require.Empty(t, p.selected())
	require.Nil(t, rt.Status.Since)
	require.Equal(t, []string{"a: , ended"}, history(rt))
	require.NotNil(t, p.service("a"))
	p.publish("a", "again")
	require.Equal(t, []string{"a: , ended", "a: again, lasting"}, history(p.published("a")))
}

func TestHistoryIsBounded(t *testing.T) {
	p := newPlace(t)
	p.version("a", "example.com/a")
	p.version("b", "example.com/b")
	var rt *v1alpha1.Runtime
	for i := range 23 {
		name := string("ab"[i%2])
		p.publish(name, fmt.Sprint(i))
		rt = p.published(name)
	}
	lines := history(rt)
	require.Len(t, lines, 20)
	require.Equal(t, "b: 3, ended", lines[0])
	require.Equal(t, "a: 22, lasting", lines[19])
}

func TestOthersActiveEntrypointIsNotTouched(t *testing.T) {
	p := newPlace(t)
	theirs := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "active-entrypoint", Namespace: p.namespace}}
	theirs.Spec.Ports = []corev1.ServicePort{{Port: 7}}
	require.NoError(t, cluster.Create(t.Context(), theirs))
	p.version("a", "example.com/a")
	p.publish("a", "")
	require.Equal(t, `cannot apply Service "active-entrypoint": it exists and has no owner; delete it, and kn-krt creates its own: kubectl `+
		`delete service active-entrypoint -n NS`,
		replace(p.refused(v1alpha1.ReasonNotOwned), p.namespace))
	require.Equal(t, theirs.ResourceVersion, p.service("active-entrypoint").ResourceVersion)
	require.NoError(t, cluster.Delete(t.Context(), theirs))
	p.published("a")
}

func TestWhatOthersDoToActiveEntrypointIsUndone(t *testing.T) {
	p := newPlace(t)
	p.version("a", "example.com/a")
	p.publish("a", "")
	p.published("a")
	s := p.service("active-entrypoint")
	s.Spec.Selector["version-name"] = "evil"
	require.NoError(t, cluster.Update(t.Context(), s))
	require.True(t, p.soon(func() bool { return p.selected() == "a-entrypoint" }))
	require.NoError(t, cluster.Delete(t.Context(), s))
	require.True(t, p.soon(func() bool { return p.selected() == "a-entrypoint" }))
}

// Callers may still be led to the old version after the selector has changed.
func TestPublishedIsReportedWhenTheEndpointsHaveFollowed(t *testing.T) {
	p := newPlace(t)
	old := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Name: "late", Namespace: p.namespace, Labels: map[string]string{
			"version-name": "old-entrypoint", discoveryv1.LabelServiceName: "active-entrypoint",
		}},
		AddressType: discoveryv1.AddressTypeIPv4, Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}}},
	}
	require.NoError(t, cluster.Create(t.Context(), old))
	p.version("a", "example.com/a")
	p.publish("a", "")
	rt := p.until("publishing", func(rt *v1alpha1.Runtime) bool {
		c := rt.Status.Condition(v1alpha1.ConditionReady)
		return c != nil && c.Status == metav1.ConditionUnknown && p.selected() == "a-entrypoint" &&
			c.Message == `active-entrypoint selects version "a"; its endpoints are being updated`
	})
	require.Empty(t, rt.Status.PublishedVersion)
	require.NoError(t, cluster.Delete(t.Context(), old))
	p.published("a")
}
