package scale

import (
	"fmt"
	"strings"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/serving/pkg/apis/serving"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/render"
	"krt.dev/kn-krt/test/apiserver"
)

// withoutRight is how many namespaces there are for one in which the controller may not read Secrets.
const withoutRight = 10

// fleet are many versions in many namespaces.
type fleet struct {
	*cluster
	versions, namespaces, nodes int
}

func (f *fleet) namespaceOf(i int) string { return fmt.Sprintf("runtime-%d", i%f.namespaces) }

// forbidden reports whether the controller may not read the Secrets of the i-th version's namespace.
func (f *fleet) forbidden(i int) bool { return i%f.namespaces%withoutRight == withoutRight-1 }

// ready is how many versions can be ready before the rights of all namespaces are granted.
func (f *fleet) ready() (n int) {
	for i := range f.versions {
		if !f.forbidden(i) {
			n++
		}
	}
	return n
}

// install creates the controller's roles, of which that on Secrets is bound in most namespaces only.
func (f *fleet) install() {
	f.Helper()
	s := f.server
	_, err := s.Install(f.Context(), apiserver.Folder+"/200-*.yaml")
	require.NoError(f, err)
	everywhere := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: secretsRole}}
	require.NoError(f, f.client.Delete(f.Context(), everywhere))
	var namespaces, bindings []client.Object
	for i := range f.namespaces {
		namespaces = append(namespaces, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: f.namespaceOf(i)}})
		if !f.forbidden(i) {
			bindings = append(bindings, secretsIn(f.namespaceOf(i)))
		}
	}
	f.create(namespaces)
	f.create(bindings)
}

const secretsRole = "krt-controller-secrets"

// secretsIn lets the controller use the Secrets of a namespace, as config/200-controller-role.yaml explains.
func secretsIn(namespace string) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: secretsRole, Namespace: namespace},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: secretsRole},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: render.SystemNamespace, Name: "krt-controller"}},
	}
}

// make creates the versions, with their config values.
func (f *fleet) make() {
	f.Helper()
	var secrets, versions []client.Object
	for i := range f.versions {
		v := version(f.namespaceOf(i), fmt.Sprintf("v%d", i), v1alpha1.DeliverySequence)
		v.Spec.Nodes = nil
		var steps []string
		for n := range f.nodes {
			v.Spec.Nodes = append(v.Spec.Nodes, v1alpha1.Node{Name: fmt.Sprintf("n%d", n), Image: image})
			steps = append(steps, fmt.Sprintf("n%d", n))
		}
		v.Spec.Workflows[0].Sequential = steps
		v.Spec.Config.Variables = []string{"CURRENCY", "THRESHOLD"}
		v.Spec.Entrypoint.Files[0].Content += strings.Repeat("\n// A contract has comments, too.", 64)
		versions = append(versions, v)
		secrets = append(secrets, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: render.ConfigName(v.Name), Namespace: v.Namespace},
			StringData: map[string]string{"CURRENCY": "EUR", "THRESHOLD": "0.5"}})
	}
	f.create(secrets)
	f.create(versions)
}

// populate creates what only a whole cluster has of the versions: a Revision of each node, and the
// pods of each entrypoint and of one node of each version, as if all others were scaled to zero.
func (f *fleet) populate() (created int) {
	f.Helper()
	var services servingv1.ServiceList
	require.NoError(f, f.client.List(f.Context(), &services))
	var revisions, pods []client.Object
	for i := range services.Items {
		s := &services.Items[i]
		r := revisionOf(s)
		revisions = append(revisions, r)
		if strings.HasSuffix(s.Name, "-n0") {
			pods = append(pods, podOf(r))
		}
	}
	f.create(revisions)
	f.create(pods)
	return len(revisions) + len(pods)
}

func revisionOf(s *servingv1.Service) *servingv1.Revision {
	r := &servingv1.Revision{
		ObjectMeta: metav1.ObjectMeta{Name: s.Status.LatestCreatedRevisionName, Namespace: s.Namespace,
			Labels: map[string]string{}, Annotations: map[string]string{}},
		Spec: *s.Spec.Template.Spec.DeepCopy(),
	}
	for _, from := range []map[string]string{s.Spec.Template.Labels, {
		serving.ServiceLabelKey: s.Name, serving.ConfigurationLabelKey: s.Name, serving.ConfigurationGenerationLabelKey: "1",
		serving.ServiceUIDLabelKey: string(s.UID),
	}} {
		for name, value := range from {
			r.Labels[name] = value
		}
	}
	for name, value := range s.Spec.Template.Annotations {
		r.Annotations[name] = value
	}
	return r
}

// queueSettings is about how many variables Knative's sidecar has.
const queueSettings = 35

// podOf is a pod of a Revision, with Knative's sidecar.
func podOf(r *servingv1.Revision) *corev1.Pod {
	spec := r.Spec.PodSpec.DeepCopy()
	spec.Containers[0].Name, spec.Containers[0].ReadinessProbe = "user-container", nil // its port is the sidecar's choice
	sidecar := corev1.Container{Name: "queue-proxy", Image: image}
	for i := range queueSettings {
		sidecar.Env = append(sidecar.Env, corev1.EnvVar{Name: fmt.Sprintf("SERVING_SETTING_%d", i), Value: strings.Repeat("v", 40)})
	}
	spec.Containers = append(spec.Containers, sidecar)
	labels := map[string]string{serving.RevisionLabelKey: r.Name, serving.RevisionUID: string(r.UID)}
	for name, value := range r.Labels {
		labels[name] = value
	}
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: r.Name + "-deployment-abc", Namespace: r.Namespace, Labels: labels}, Spec: *spec}
}
