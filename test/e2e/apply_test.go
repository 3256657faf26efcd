package e2e_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	flowsv1 "knative.dev/eventing/pkg/apis/flows/v1"
	duckv1 "knative.dev/pkg/apis/duck/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/config"

	"krt.dev/kn-krt/pkg/apply"
)

// Knative's webhooks fill in what was left out; that must not look like drift for ever.
func TestWhatKnativeFillsInIsNoDrift(t *testing.T) {
	t.Parallel()
	n := newPlace(t)
	scheme := runtime.NewScheme()
	builder := runtime.NewSchemeBuilder(clientscheme.AddToScheme, servingv1.AddToScheme, flowsv1.AddToScheme)
	require.NoError(t, builder.AddToScheme(scheme))
	cfg, err := config.GetConfig()
	require.NoError(t, err)
	cfg.WarningHandler = rest.NoWarnings{} // a Deployment without a security context is not the matter here
	c, err := client.New(cfg, client.Options{Scheme: scheme})
	require.NoError(t, err)
	owner := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "owner", Namespace: n.Name}}
	require.NoError(t, c.Create(t.Context(), owner))

	service := &servingv1.Service{ObjectMeta: metav1.ObjectMeta{Name: "step", Namespace: n.Name}}
	service.Spec.Template.Spec.Containers = []corev1.Container{{Image: n.Image("test/e2e/app"),
		Env: []corev1.EnvVar{{Name: "NAME", Value: "step"}}}}
	sequence := &flowsv1.Sequence{ObjectMeta: metav1.ObjectMeta{Name: "steps", Namespace: n.Name}}
	sequence.Spec.Steps = []flowsv1.SequenceStep{{Destination: duckv1.Destination{
		Ref: &duckv1.KReference{APIVersion: "serving.knative.dev/v1", Kind: "Service", Name: "step"},
	}}}
	applier := &apply.Applier{Client: c, Live: c}
	do := func() apply.Result {
		result, err := applier.Apply(t.Context(), owner, service, sequence)
		require.NoError(t, err)
		return result
	}
	ready := func() {
		n.Eventually(func() error {
			s, q := service.DeepCopy(), sequence.DeepCopy()
			if err := c.Get(t.Context(), client.ObjectKeyFromObject(s), s); err != nil {
				return err
			}
			if err := c.Get(t.Context(), client.ObjectKeyFromObject(q), q); err != nil {
				return err
			}
			if !s.IsReady() || s.Generation != s.Status.ObservedGeneration || !q.Status.IsReady() || q.Generation != q.Status.ObservedGeneration {
				return fmt.Errorf("not ready: %v %v", s.Status.Conditions, q.Status.Conditions)
			}
			return nil
		})
	}
	require.Len(t, do().Changed, 2)
	ready()
	for range 3 {
		require.Empty(t, do().Changed)
	}

	// What is taken away goes, and what Knative had filled in beside it stays as it was.
	service.Spec.Template.Spec.Containers[0].Env = nil
	require.Equal(t, []apply.Change{{Kind: "Service", Name: "step", Action: apply.Updated}}, do().Changed)
	ready()
	for range 3 {
		require.Empty(t, do().Changed)
	}
	var now servingv1.Service
	require.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(service), &now))
	require.Empty(t, now.Spec.Template.Spec.Containers[0].Env)
	require.EqualValues(t, 2, now.Generation)
}
