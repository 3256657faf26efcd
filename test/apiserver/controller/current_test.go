package controller

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	flowsv1 "knative.dev/eventing/pkg/apis/flows/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/apply"
	"krt.dev/kn-krt/pkg/controller"
	"krt.dev/kn-krt/test/apiserver"
	"krt.dev/kn-krt/test/apiserver/pretend"
)

// channelOf is a setting: channels of another kind than the default's.
func channelOf(kind string) string {
	return fmt.Sprintf("apiVersion: messaging.example.com/v1\nkind: %s", kind)
}

// set changes settings; nil takes one away.
func (p *place) set(data map[string]any) {
	p.Helper()
	text, err := json.Marshal(map[string]any{"data": data})
	require.NoError(p, err)
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "config-krt", Namespace: "krt-system"}}
	require.NoError(p, p.Patch(p.Context(), config, client.RawPatch(types.MergePatchType, text)))
}

// current waits until the condition Current says so; without a message True.
func (p *place) current(name, reason, message string) *v1alpha1.Version {
	p.Helper()
	return p.until(name, func(v *v1alpha1.Version) bool {
		c := v.Status.Condition(v1alpha1.ConditionCurrent)
		return c != nil && c.Reason == reason && strings.Contains(c.Message, message)
	})
}

func (p *place) restart(name, token string) {
	p.Helper()
	p.patch(&v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: name}}, fmt.Sprintf(`{"spec": {"restart": %q}}`, token))
}

func (p *place) patchStatus(v *v1alpha1.Version, text string) {
	p.Helper()
	require.NoError(p, p.Status().Patch(p.Context(), v, client.RawPatch(types.MergePatchType, []byte(text))))
}

// made are the names of Sequences, and what tells how all that serves was last made.
func (p *place) made(name string) (sequences []string, versions map[string]string) {
	p.Helper()
	var list flowsv1.SequenceList
	require.NoError(p, p.List(p.Context(), &list, client.InNamespace(p.namespace)))
	versions = map[string]string{}
	for _, s := range list.Items {
		sequences = append(sequences, s.Name)
		versions["sequence "+s.Name] = fmt.Sprint(s.Generation)
	}
	node, entrypoint := &servingv1.Service{}, &appsv1.Deployment{}
	require.True(p, p.read(name+"-node", node) && p.read(name+"-entrypoint", entrypoint))
	spec, err := json.Marshal(entrypoint.Spec) // a Deployment's generation counts annotations too
	require.NoError(p, err)
	versions["node"], versions["entrypoint"] = fmt.Sprint(node.Generation), string(spec)
	return sequences, versions
}

// What runs is not changed by what changes around it.
func TestWhatRunsStaysAsItWasStarted(t *testing.T) {
	apiserver.Need(t)
	c, err := newCluster(t.Context(), apiserver.For(t, apiserver.OurCRDs, apiserver.KnativeCRDs()))
	require.NoError(t, err)
	players, err := pretend.New(c.Config())
	require.NoError(t, err)
	stop := apiserver.Run(players)
	t.Cleanup(func() { require.NoError(t, stop()) })
	p := newPlace(t, c)
	first := c.start(t)
	p.version("v")
	v := p.started("v")
	require.Equal(t, v1alpha1.ReasonCurrent, v.Status.Condition(v1alpha1.ConditionCurrent).Reason)
	require.Equal(t, "30s", v.Status.StartedWith.Settings["timeout"])
	require.Equal(t, "example.com/entrypoint", v.Status.StartedWith.EntrypointImage)
	p.publish("v")
	p.phase("v", v1alpha1.PhasePublished)

	p.settingsAreTakenOnByARestart()
	p.settingsThatHoldAtOnce()
	p.whatKnativeEncryptsIsNotCalledPastIt()
	second := p.anotherProgramChangesNothing(first)
	p.podsOfBeforeFindTheirConfiguration(second)
}

func (p *place) settingsAreTakenOnByARestart() {
	_, before := p.made("v")
	p.set(map[string]any{"channel-template": channelOf(pretend.Broken + "Channel"), "timeout": "40s", "gpu-resource": "amd.com/gpu"})
	v := p.current("v", v1alpha1.ReasonBehind, "changed since it was started: channel-template, timeout; restart it to apply the change: kn "+
		"krt restart v -n "+p.namespace)
	require.True(p, v.IsReady())
	_, now := p.made("v")
	require.Equal(p, before, now)

	p.version("w")
	p.failed("w", v1alpha1.ReasonSequenceFailed)

	// A restart onto what does not work: what was there serves.
	p.restart("v", "1")
	v = p.current("v", v1alpha1.ReasonSequenceFailed, `the version still runs as before the restart: workflow "greeting": its brokenChannel`)
	require.Equal(p, v1alpha1.PhasePublished, v.Status.Phase)
	require.True(p, v.IsReady())
	sequences, now := p.made("v")
	require.Len(p, sequences, 3) // one is w's
	for what, generation := range before {
		require.Equal(p, generation, now[what], "%s", what)
	}

	// Mended, it goes on by itself; what served stays until its requests are answered.
	old := p.entrypointPod("v")
	p.set(map[string]any{"channel-template": channelOf("GoodChannel")})
	// A version that is not up follows the settings. Its Sequence is made anew, not changed.
	require.NotEmpty(p, p.started("w").Status.StartedWith.Sequences)
	p.gone("w-greeting", &flowsv1.Sequence{})
	p.ask("w", v1alpha1.StateStopped)
	require.Nil(p, p.phase("w", v1alpha1.PhaseStopped).Status.StartedWith)

	v = p.current("v", v1alpha1.ReasonCurrent, "")
	require.Equal(p, "1", v.Status.StartedWith.Restart)
	require.Equal(p, "40s", v.Status.StartedWith.Settings["timeout"])
	beside := "v-greeting-" + v.Status.StartedWith.Sequences
	v = p.until("v", (*v1alpha1.Version).IsReady)
	require.Contains(p, v.Status.Workflows[0].Address, beside)
	require.Contains(p, p.content("v").Data["entrypoint.json"], beside)
	require.True(p, p.read("v-greeting", &flowsv1.Sequence{}), "a pod of before may still send to it")
	require.WithinDuration(p, time.Now().Add(time.Hour), v.Status.StartedWith.FormerUntil.Time, 10*time.Minute,
		"work that was begun goes on in it")
	p.remove(old)
	p.patchStatus(v, `{"status": {"startedWith": {"formerUntil": "2026-01-01T00:00:00Z"}}}`)
	require.True(p, p.soon(func() bool {
		sequences, _ := p.made("v")
		return len(sequences) == 1 && sequences[0] == beside
	}), "what nobody uses any more is gone")
	require.Equal(p, "1", v.Status.History[len(v.Status.History)-1].Restart)
}

func (p *place) settingsThatHoldAtOnce() {
	_, before := p.made("v")
	p.set(map[string]any{"store-url": "http://store"})
	require.True(p, p.soon(func() bool {
		node := &servingv1.Service{}
		require.True(p, p.read("v-node", node))
		text, err := json.Marshal(node.Spec)
		require.NoError(p, err)
		return strings.Contains(string(text), "http://store")
	}))
	v := p.until("v", func(v *v1alpha1.Version) bool {
		return v.IsReady() && v.Status.StartedWith.Settings["store-url"] == "http://store"
	})
	require.Equal(p, v1alpha1.ReasonCurrent, v.Status.Condition(v1alpha1.ConditionCurrent).Reason)
	_, now := p.made("v")
	for _, changed := range []string{"node", "entrypoint"} { // the entrypoint saves measurements there
		require.NotEqual(p, before[changed], now[changed])
		before[changed] = now[changed]
	}
	require.Equal(p, before, now)
}

func (p *place) whatKnativeEncryptsIsNotCalledPastIt() {
	p.version("d", direct, func(v *v1alpha1.Version) {
		other := v.Spec.Nodes[0]
		other.Name = "one"
		other.Scale = &v1alpha1.Scale{Min: new(int32(1)), Max: new(int32(1))}
		v.Spec.Nodes = append(v.Spec.Nodes, other)
		v.Spec.Workflows[0].Sequential = append(v.Spec.Workflows[0].Sequential, "one")
	})
	v := p.started("d")
	way := &corev1.Service{}
	require.True(p, p.read("d---node", way) && p.read("d--one", way))
	network := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "config-network", Namespace: "knative-serving"},
		Data: map[string]string{"system-internal-tls": "Enabled"}}
	require.NoError(p, p.Create(p.Context(), network))
	p.current("d", v1alpha1.ReasonBehind, "changed since it was started: system-internal-tls; restart it to apply the change")
	require.True(p, p.read("d---node", way) && p.read("d--one", way), "it runs as before")
	require.False(p, v.Status.StartedWith.Encrypted)
	p.restart("d", "1")
	require.True(p, p.current("d", v1alpha1.ReasonCurrent, "").Status.StartedWith.Encrypted)
	p.gone("d---node", way)
	p.gone("d--one", way)
	require.True(p, p.soon(func() bool { return !strings.Contains(p.content("d").Data["entrypoint.json"], "d--") }))
	require.NoError(p, p.Delete(p.Context(), network))
	p.current("d", v1alpha1.ReasonBehind, "system-internal-tls")
	p.current("v", v1alpha1.ReasonCurrent, "")
}

func (p *place) anotherProgramChangesNothing(first *process) (second *process) {
	first.stop()
	// It has another image, other words for the same node, and cannot read the settings.
	p.patch(&servingv1.Service{ObjectMeta: metav1.ObjectMeta{Name: "v-node"}}, fmt.Sprintf(`{"metadata": {"annotations": {%q: "of old"}},
		"spec": {"template": {"spec": {"timeoutSeconds": 7}}}}`, apply.HashAnnotation))
	p.set(map[string]any{"timeout": "for ever"})
	_, before := p.made("v")
	second = p.start(p.T, func(o *controller.Options) { o.EntrypointImage = "example.com/entrypoint:new" })
	p.remove(&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "v-entrypoint"}})
	d := &appsv1.Deployment{}
	require.True(p, p.soon(func() bool { return p.read("v-entrypoint", d) && d.DeletionTimestamp == nil }),
		"what a version was started with is known")
	require.Equal(p, "example.com/entrypoint", d.Spec.Template.Spec.Containers[0].Image)

	p.set(map[string]any{"timeout": nil})
	p.current("v", v1alpha1.ReasonBehind, "changed since it was started: timeout, entrypoint-image, kn-krt; restart it to apply the change")
	_, now := p.made("v")
	require.Equal(p, before["node"], now["node"])

	p.restart("v", "2")
	p.current("v", v1alpha1.ReasonCurrent, "")
	v := p.until("v", (*v1alpha1.Version).IsReady)
	require.Equal(p, "example.com/entrypoint:new", v.Status.StartedWith.EntrypointImage)
	require.True(p, p.read("v-entrypoint", d))
	require.Equal(p, "example.com/entrypoint:new", d.Spec.Template.Spec.Containers[0].Image)
	node := &servingv1.Service{}
	require.True(p, p.read("v-node", node))
	require.NotEqual(p, int64(7), *node.Spec.Template.Spec.TimeoutSeconds)

	// It comes to rest.
	second.rests(p.T, p.namespace)
	_, calls := second.since(0, p.namespace)
	p.patch(&v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: "v"}}, `{"metadata": {"labels": {"look": "again"}}}`)
	p.publish("")
	p.phase("v", v1alpha1.PhaseStarted)
	said, _ := second.since(calls, p.namespace)
	for _, call := range said {
		require.NotContains(p, call, "/services/v-node")
		require.NotContains(p, call, "sequences")
	}
	p.ask("v", v1alpha1.StateStopped)
	v = p.phase("v", v1alpha1.PhaseStopped)
	require.Nil(p, v.Status.StartedWith)
	require.Nil(p, v.Status.Condition(v1alpha1.ConditionCurrent))
	p.ask("v", v1alpha1.StateStarted)
	v = p.started("v")
	require.Empty(p, v.Status.StartedWith.Sequences)
	require.True(p, p.read("v-greeting", &flowsv1.Sequence{}))
	return second
}
