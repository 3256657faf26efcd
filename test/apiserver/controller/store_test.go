package controller

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/credential"
	"krt.dev/kn-krt/test/apiserver"
	"krt.dev/kn-krt/test/apiserver/pretend"
)

// storeKey is the store's key in the Secret that the controller has created.
func (p *place) storeKey() []byte {
	p.Helper()
	secret := &corev1.Secret{}
	at := client.ObjectKey{Namespace: "krt-system", Name: "krt-store-key"}
	require.True(p, p.soon(func() bool { return p.Get(p.Context(), at, secret) == nil }))
	return secret.Data["current"]
}

// credentials are the Secret that a pod of the version mounts, whom the one of it is for that the pod sees, and the owner's.
func (p *place) credentials(pod corev1.PodSpec) (name string, own, owner credential.Holder) {
	p.Helper()
	key := ""
	for _, v := range pod.Volumes {
		if v.Name != "krt-store" {
			continue
		}
		name = v.Secret.SecretName
		require.Len(p, v.Secret.Items, 1)
		key = v.Secret.Items[0].Key
	}
	if name == "" {
		return "", own, owner
	}
	secret := &corev1.Secret{}
	p.there(name, secret)
	keys := credential.NewKeys(p.storeKey())
	var err error
	own, err = keys.Check(string(secret.Data[key]))
	require.NoError(p, err)
	owner, err = keys.Check(string(secret.Data["owner"]))
	require.NoError(p, err)
	require.Equal(p, "Version", metav1.GetControllerOf(secret).Kind)
	return name, own, owner
}

// podsOf are the pods of the version's node and of its entrypoint.
func (p *place) podsOf(version string) (node, entrypoint corev1.PodSpec) {
	p.Helper()
	s, d := &servingv1.Service{}, &appsv1.Deployment{}
	require.True(p, p.read(version+"-node", s) && p.read(version+"-entrypoint", d))
	return s.Spec.Template.Spec.PodSpec, d.Spec.Template.Spec
}

func TestCredentialsForTheStore(t *testing.T) {
	apiserver.Need(t)
	c, err := newCluster(t.Context(), apiserver.For(t, apiserver.OurCRDs, apiserver.KnativeCRDs()))
	require.NoError(t, err)
	players, err := pretend.New(c.Config())
	require.NoError(t, err)
	stop := apiserver.Run(players)
	t.Cleanup(func() { require.NoError(t, stop()) })
	p := newPlace(t, c)
	c.start(t)
	p.version("v")
	v := p.started("v")
	nodePod, entrypointPod := p.podsOf("v")
	name, node, owner := p.credentials(nodePod)
	require.Equal(t, v.Status.StartedWith.StoreSecret, name)
	require.Equal(t, credential.Holder{Role: credential.Node, Namespace: p.namespace, Version: "v"}, node)
	require.Equal(t, credential.Holder{Role: credential.Owner, Namespace: p.namespace, Version: "v"}, owner)
	other, own, _ := p.credentials(entrypointPod)
	require.Equal(t, name, other)
	require.Equal(t, credential.Holder{Role: credential.Entrypoint, Namespace: p.namespace, Version: "v"}, own)

	p.secretIsCreatedAgain(name)
	p.keyIsChanged(name)
	p.versionsWithASharedCredentialKeepIt()
	p.versionsWithoutCredentialsStaySo()
}

// A kn-krt of before has started the version: its nodes and its entrypoint show the store the same credential, until
// they are restarted.
func (p *place) versionsWithASharedCredentialKeepIt() {
	shared := credential.Holder{Role: credential.Shared, Namespace: p.namespace, Version: "v"}
	holders := func() (node, entrypoint credential.Holder) {
		p.Helper()
		nodePod, entrypointPod := p.podsOf("v")
		_, node, _ = p.credentials(nodePod)
		_, entrypoint, _ = p.credentials(entrypointPod)
		return node, entrypoint
	}
	p.patchStatus(p.started("v"), `{"status": {"startedWith": {"level": 1}}}`)
	require.True(p, p.soon(func() bool {
		node, entrypoint := holders()
		return node == shared && entrypoint == shared
	}))
	p.started("v")
	p.current("v", v1alpha1.ReasonBehind, "changed since it was started: kn-krt (a restart brings: nodes without the entrypoint's "+
		"rights on the store, an entrypoint whose pods outlive a failed upgrade, a Sequence whose in-memory channels keep no responses, "+
		"nodes whose timeout does not end a wait for a machine); "+
		"restart it to apply the change: kn krt restart v")
	p.restart("v", "shared")
	require.True(p, p.soon(func() bool {
		node, entrypoint := holders()
		return node.Role == credential.Node && entrypoint.Role == credential.Entrypoint
	}))
	p.current("v", v1alpha1.ReasonCurrent, "")
}

func (p *place) secretIsCreatedAgain(name string) {
	secret := &corev1.Secret{}
	require.True(p, p.read(name, secret))
	before := secret.Data
	p.remove(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}})
	p.there(name, secret)
	require.Equal(p, before, secret.Data)
}

func (p *place) keyIsChanged(former string) {
	text, err := json.Marshal(map[string]any{"data": map[string]any{"previous": p.storeKey(), "current": credential.NewKey()}})
	require.NoError(p, err)
	key := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "krt-store-key", Namespace: "krt-system"}}
	// A pod of before, which has not started yet.
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "former", Namespace: p.namespace, Labels: map[string]string{"krt.dev/version": "v"}},
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{{Name: "c", Image: "image"}},
			Volumes: []corev1.Volume{{Name: "krt-store", VolumeSource: corev1.VolumeSource{
				Secret: &corev1.SecretVolumeSource{SecretName: former}}}},
		},
	}
	require.NoError(p, p.Create(p.Context(), pod))
	require.NoError(p, p.Patch(p.Context(), key, client.RawPatch(types.MergePatchType, text)))
	v := p.until("v", func(v *v1alpha1.Version) bool {
		return v.Status.StartedWith != nil && v.Status.StartedWith.StoreSecret != former && v.IsReady()
	})
	require.True(p, p.soon(func() bool {
		node, entrypoint := p.podsOf("v")
		name, _, _ := p.credentials(node)
		other, _, _ := p.credentials(entrypoint)
		return name == v.Status.StartedWith.StoreSecret && other == name
	}))
	// The credentials of before go when nothing mounts them any more.
	secret := &corev1.Secret{}
	require.True(p, p.read(former, secret))
	require.NoError(p, p.Delete(p.Context(), pod, client.GracePeriodSeconds(0)))
	require.True(p, p.soon(func() bool { return !p.read(former, secret) }))
	require.True(p, p.read(v.Status.StartedWith.StoreSecret, secret))
}

// mounts waits until the version's node mounts credentials, or none.
func (p *place) mounts(version string, want bool) {
	p.Helper()
	require.True(p, p.soon(func() bool {
		pod, _ := p.podsOf(version)
		name, _, _ := p.credentials(pod)
		return (name != "") == want && strings.Contains(fmt.Sprint(pod.Containers[0].Env), "KRT_STORE") == want
	}))
}

// A kn-krt of before has started the version without credentials, and knows no store but
// that of the settings.
func (p *place) versionsWithoutCredentialsStaySo() {
	v := p.started("v")
	p.patchStatus(v, `{"status": {"startedWith": {"storeSecret": null}}}`)
	p.mounts("v", false)
	require.Empty(p, p.started("v").Status.StartedWith.StoreSecret)
	p.restart("v", "1")
	p.mounts("v", true)

	// But the setting applies at once.
	p.set(map[string]any{"store-url": "none"})
	p.mounts("v", false)
	p.set(map[string]any{"store-url": nil})
	p.mounts("v", true)
}
