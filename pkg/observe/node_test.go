package observe

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/render"
)

// seeEvents is the hint of failures that have no better one.
const seeEvents = "; see: kn krt events v -n ns --warnings"

// unobserved is a Service of an age that Knative has not reconciled.
func unobserved(age time.Duration) *servingv1.Service {
	return &servingv1.Service{ObjectMeta: metav1.ObjectMeta{Generation: 1, CreationTimestamp: ago(age)}}
}

// failed is a node whose Service has failed, with the Revision's status marked.
func failed(mark func(*servingv1.RevisionStatus)) Node {
	return Node{Service: testService(configurationFailed), Revision: testRevision(mark)}
}

func configurationFailed(set apis.ConditionManager) {
	set.MarkFalse(servingv1.ServiceConditionConfigurationsReady, "RevisionFailed", "Revision has failed with s3cr3t")
}

func routeNotOwned(set apis.ConditionManager) {
	set.MarkTrue(servingv1.ServiceConditionConfigurationsReady)
	set.MarkFalse(servingv1.ServiceConditionRoutesReady, "NotOwned", `There is an existing placeholder Service "v-etl" that we do not own.`)
}

func TestNode(t *testing.T) {
	const waiting = v1alpha1.ReasonDeploying
	refused := &Cause{v1alpha1.ReasonRefused, "denied"}
	for _, tt := range []struct {
		name            string
		node            Node
		reason, message string
	}{
		{"nothing yet", Node{}, waiting, unseen},
		{"not reconciled yet", Node{Service: unobserved(time.Second)}, waiting, "Knative Serving has not reconciled its Service yet"},
		{"not reconciled for long", Node{Service: unobserved(time.Hour)}, v1alpha1.ReasonRevisionFailed,
			"Knative Serving has not reconciled its Service for 2m0s; check whether its controller runs: kn krt doctor"},
		{"written just now", Node{Service: testService(ready), Applied: true}, waiting, unseen},
		{"no pod yet", Node{Service: testService(), Revision: testRevision()}, waiting, "its pod is starting"},
		{"no Revision yet", Node{Service: testService()}, waiting, "its Revision is being created"},
		{"its image is resolved", Node{Service: testService(), Revision: testRevision(func(s *servingv1.RevisionStatus) {
			s.MarkContainerHealthyUnknown(servingv1.ReasonResolvingDigests, "")
		})}, waiting, "its image is being resolved"},
		{"Knative cannot find the image", failed(func(s *servingv1.RevisionStatus) {
			s.MarkContainerHealthyFalse(servingv1.ReasonContainerMissing,
				`Unable to fetch image "reg/etl:1": failed to resolve image to digest: GET https://reg/v2/: MANIFEST_UNKNOWN`)
		}), v1alpha1.ReasonImageNotFound, "its image cannot be found: GET https://reg/v2/: MANIFEST_UNKNOWN; " +
			"once the image exists, try again: kn krt stop v -n ns && kn krt start v -n ns"},
		{"what Knative kept of a crash", failed(func(s *servingv1.RevisionStatus) {
			s.MarkContainerHealthyFalse("ExitCode3", "Container failed with: Traceback\nKeyError: s3cr3t\n")
		}), v1alpha1.ReasonCrashed, "its container ended with exit code 3: KeyError: ***; see its log: kn krt logs v -n ns --node etl"},
		{"another failure of the Revision", failed(func(s *servingv1.RevisionStatus) {
			s.MarkResourcesAvailableFalse("FailedCreate", "quota exceeded")
		}), v1alpha1.ReasonRevisionFailed, "FailedCreate: quota exceeded" + seeEvents},
		{"no Revision is created", Node{Service: testService(configurationFailed)},
			v1alpha1.ReasonRevisionFailed, "RevisionFailed: Revision has failed with ***" + seeEvents},
		{"its name is taken", Node{Service: testService(routeNotOwned)}, v1alpha1.ReasonNotOwned,
			`There is an existing placeholder Service "v-etl" that we do not own` + seeEvents},
		{"pods know better", Node{Service: testService(configurationFailed), Revision: testRevision(), Pods: []corev1.Pod{
			testPod(container(corev1.ContainerStatus{State: ended(1, "Error", "no model")})),
		}}, v1alpha1.ReasonCrashed, "its container ended with exit code 1: no model; see its log: kn krt logs v -n ns --node etl"},
		{"it cannot be written", Node{Service: testService(ready), Refused: refused}, v1alpha1.ReasonRefused, "denied"},
		{"a feature is off", Node{Disabled: []string{render.FlagTolerations}}, v1alpha1.ReasonFeatureDisabled,
			"feature flags of Knative that the node needs are off; enable them: kubectl patch configmap config-features " +
				`-n knative-serving --type merge -p '{"data":{"kubernetes.podspec-tolerations":"enabled"}}'`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := testInput()
			in.Nodes = map[string]Node{"etl": tt.node}
			requireCause(t, tt.reason, tt.message, in.node(testVersion(), "etl"))
		})
	}
}

// A node that is scaled to zero is ready, and one that exists runs on whatever it lacks now.
func TestReadyNode(t *testing.T) {
	v, in := testVersion(), testInput()
	in.Config.Ready = false
	in.Nodes = map[string]Node{"etl": {Service: testService(ready), Revision: testRevision(), Disabled: []string{render.FlagTolerations}}}
	Mark(v, in)
	require.Equal(t, v1alpha1.NodeStatus{Name: "etl", Ready: true, Revision: "v-etl-00001", Image: "reg/etl@sha256:1"}, v.Status.Nodes[0])
	in.Serving = false
	requireCause(t, v1alpha1.ReasonServingMissing, "Knative Serving is not installed; see what is missing: kn krt doctor", in.node(v, "etl"))
}

func TestNodeWaitsForTheConfig(t *testing.T) {
	in := testInput()
	in.Config.Ready = false
	requireCause(t, v1alpha1.ReasonDeploying, "it is waiting for the config", in.node(testVersion(), "etl"))
}
