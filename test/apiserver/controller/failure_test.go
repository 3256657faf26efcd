package controller

import (
	"context"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/test/apiserver/pretend"
)

// secret makes the user's Secret.
func (p *place) secret(name string, values map[string]string) {
	p.Helper()
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: p.namespace}, StringData: values}
	require.NoError(p, p.Create(p.Context(), s))
}

func configMissing(p *place) {
	p.version("v", configured)
	message := p.failed("v", v1alpha1.ReasonConfigMissing)
	require.Equal(p, `no value in Secret "v-config" for "CERT", "CURRENCY"; set it: kn krt config v -n `+p.namespace+
		` --set-from-file CERT=PATH --set CURRENCY=VALUE`, message)
	require.False(p, p.read("v-node", &servingv1.Service{}))

	p.secret("v-config", map[string]string{"CURRENCY": "EUR"})
	p.until("v", func(v *v1alpha1.Version) bool {
		return v.Status.Condition(v1alpha1.ConditionReady).Message == `no value in Secret "v-config" for "CERT"; set it: kn krt `+
			`config v -n `+p.namespace+` --set-from-file CERT=PATH`
	})
	p.patch(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "v-config"}}, `{"stringData": {"CERT": "x", "OTHER": "y"}}`)
	v := p.started("v")
	require.Equal(p, v1alpha1.ReasonUnknownKeys, v.Status.Condition(v1alpha1.ConditionConfigReady).Reason)
	secret := &corev1.Secret{}
	require.True(p, p.read("v-config", secret))
	require.Empty(p, secret.OwnerReferences, "it is the user's")
}

func (p *place) configHash() string {
	p.Helper()
	s := &servingv1.Service{}
	require.True(p, p.read("v-node", s))
	return s.Spec.Template.Annotations["krt.dev/config-hash"]
}

func configChanges(p *place) {
	p.secret("v-config", map[string]string{"CURRENCY": "EUR", "CERT": "x"})
	p.version("v", configured)
	p.started("v")
	before := p.configHash()
	require.NotEmpty(p, before)
	p.patch(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "v-config"}}, `{"stringData": {"CURRENCY": "USD"}}`)
	v := p.until("v", func(v *v1alpha1.Version) bool { return v.IsReady() && v.Status.Nodes[0].Revision == "v-node-00002" })
	require.Equal(p, v1alpha1.PhaseStarted, v.Status.Phase)
	require.NotEqual(p, before, p.configHash())
}

func configVanishes(p *place) {
	p.secret("v-config", map[string]string{"CURRENCY": "EUR", "CERT": "x"})
	p.version("v", configured)
	p.started("v")
	before := p.configHash()
	p.remove(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "v-config"}})
	v := p.until("v", func(v *v1alpha1.Version) bool {
		return v.Status.Condition(v1alpha1.ConditionReady).Reason == v1alpha1.ReasonConfigMissing
	})
	require.Equal(p, v1alpha1.PhaseStarted, v.Status.Phase)
	require.Equal(p, before, p.configHash(), "new pods without values would not start")
	require.True(p, p.read("v-entrypoint", &appsv1.Deployment{}))
}

func invalid(p *place) {
	p.version("rpc", func(v *v1alpha1.Version) { v.Spec.Workflows[0].Entrypoint = "Greeet" })
	require.Equal(p, `workflow "greeting": rpc "Greeet" is not in p.proto; did you mean "Greet"? Fix it in a version with another name, `+
		`or in this one after stopping it: kn krt stop rpc -n `+p.namespace, p.failed("rpc", v1alpha1.ReasonInvalid))
	p.version("upload", func(v *v1alpha1.Version) { v.Spec.Workflows[0].Entrypoint = "Upload" })
	require.Contains(p, p.failed("upload", v1alpha1.ReasonInvalid), `rpc "Entrypoint.Upload" is client-streaming`)
	p.version("proto", func(v *v1alpha1.Version) {
		v.Spec.Entrypoint.Files[0].Content = `syntax = "proto3"; service S { rpc Greet (M) returns (N); }`
	})
	require.Contains(p, p.failed("proto", v1alpha1.ReasonInvalid), `p.proto:1:`)
	for _, name := range []string{"rpc", "upload", "proto"} {
		require.False(p, p.read(name+"-node", &servingv1.Service{}))
	}
	// Content may change once it is stopped.
	p.ask("rpc", v1alpha1.StateStopped)
	p.patch(&v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: "rpc"}},
		`{"spec": {"workflows": [{"name": "greeting", "entrypoint": "Greet", "sequential": ["node"]}]}}`)
	p.ask("rpc", v1alpha1.StateStarted)
	p.started("rpc")
}

// crashingPod is a pod of a node's revision that has ended with a message.
func (p *place) crashingPod(version, message string) {
	p.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: version + "-pod", Namespace: p.namespace, Labels: map[string]string{
		"app.kubernetes.io/managed-by": "kn-krt", "krt.dev/version": version, "krt.dev/node": "node",
		"serving.knative.dev/revision": version + "-node-00001",
	}}}
	pod.Spec.Containers = []corev1.Container{{Name: "user-container", Image: "example.com/broken"}}
	require.NoError(p, p.Create(p.Context(), pod))
	pod.Status.Phase = corev1.PodRunning
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "user-container", RestartCount: 1,
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
		LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ExitCode: 1, Reason: "Error", Message: message}}}}
	require.NoError(p, p.Status().Update(p.Context(), pod))
}

func crash(p *place) {
	p.secret("v-config", map[string]string{"CURRENCY": "s3cr3t", "CERT": "x"})
	p.version("v", configured, image("example.com/broken"))
	p.there("v-node", &servingv1.Service{})
	p.crashingPod("v", "Traceback (most recent call last):\nValueError: s3cr3t is no currency\n")
	require.Equal(p, `node "node": its container ended with exit code 1: ValueError: *** is no currency; see its log: kn krt `+
		`logs v -n `+p.namespace+` --node node`,
		p.failed("v", v1alpha1.ReasonCrashed))
	p.gone("v-entrypoint", &appsv1.Deployment{}) // no endpoints
	require.True(p, p.read("v-node", &servingv1.Service{}), "what may recover stays")

	// As if the image behind the tag had been fixed.
	p.remove(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "v-pod"}})
	p.patch(&servingv1.Service{ObjectMeta: metav1.ObjectMeta{Name: "v-node"}}, `{"metadata": {"annotations": {"`+pretend.Mended+`": "true"}}}`)
	p.started("v")
}

func flags(p *place) {
	// The flags are one for all tests, and none but this one needs them.
	features := types.NamespacedName{Namespace: "knative-serving", Name: "config-features"}
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: features.Namespace, Name: features.Name},
		Data: map[string]string{"kubernetes.podspec-nodeselector": "enabled"}}
	require.NoError(p, p.Create(p.Context(), config))
	p.Cleanup(func() { require.NoError(p, p.Delete(context.Background(), config)) })
	p.version("v", gpu, startsWithin(time.Second))
	require.Equal(p, `node "node": feature flags of Knative that the node needs are off; enable them: kubectl patch configmap `+
		`config-features -n knative-serving `+
		`--type merge -p '{"data":{"kubernetes.podspec-tolerations":"enabled"}}'`, p.failed("v", v1alpha1.ReasonFeatureDisabled))
	require.False(p, p.read("v-node", &servingv1.Service{}), "what the webhook would refuse is not sent")
	require.NoError(p, p.Patch(p.Context(), config, client.RawPatch(types.MergePatchType,
		[]byte(`{"data":{"kubernetes.podspec-tolerations":"enabled"}}`))))
	p.started("v")
}

func namesMeet(p *place) {
	p.version("a-b", func(v *v1alpha1.Version) { v.Spec.Nodes[0].Name, v.Spec.Workflows[0].Sequential[0] = "c", "c" })
	p.started("a-b")
	p.version("a", func(v *v1alpha1.Version) { v.Spec.Nodes[0].Name, v.Spec.Workflows[0].Sequential[0] = "b-c", "b-c" })
	require.Equal(p, `node "b-c": Service "a-b-c" belongs to Version "a-b", whose object names collide with this version's; rename this `+
		`version or delete the other one: kn krt delete a-b -n `+p.namespace,
		p.failed("a", v1alpha1.ReasonNotOwned))
	require.True(p, p.until("a-b", func(*v1alpha1.Version) bool { return true }).IsReady())
}

func stranger(p *place) {
	theirs := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "v", Namespace: p.namespace}}
	theirs.Spec.Ports = []corev1.ServicePort{{Port: 1}}
	require.NoError(p, p.Create(p.Context(), theirs))
	p.version("v")
	require.Contains(p, p.failed("v", v1alpha1.ReasonNotOwned), `Service "v" exists and does not belong to kn-krt`)
	after := &corev1.Service{}
	require.True(p, p.read("v", after))
	require.Equal(p, theirs.ResourceVersion, after.ResourceVersion)
}

func refused(p *place) {
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "q", Namespace: p.namespace}}
	quota.Spec.Hard = corev1.ResourceList{"count/services.serving.knative.dev": quantity(0)}
	require.NoError(p, p.Create(p.Context(), quota))
	quota.Status.Hard, quota.Status.Used = quota.Spec.Hard, quota.Spec.Hard // nobody counts here
	require.NoError(p, p.Status().Update(p.Context(), quota))
	probe := &servingv1.Service{ObjectMeta: metav1.ObjectMeta{Name: "probe", Namespace: p.namespace}}
	probe.Spec.Template.Spec.Containers = []corev1.Container{{Image: "example.com/node"}}
	require.True(p, p.soon(func() bool { // it counts some time after it is there
		return apierrors.IsForbidden(p.Create(p.Context(), probe.DeepCopy(), client.DryRunAll))
	}))
	p.version("v")
	message := p.failed("v", v1alpha1.ReasonRefused)
	require.Contains(p, message, `cannot apply Service "v-node"`)
	require.Contains(p, message, "exceeded quota")
	require.Contains(p, message, fmt.Sprintf("node %q: ", "node"))
}
