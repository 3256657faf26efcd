package render

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"time"

	eventingduckv1 "knative.dev/eventing/pkg/apis/duck/v1"
	flowsv1 "knative.dev/eventing/pkg/apis/flows/v1"
	"knative.dev/pkg/apis"
	duckv1 "knative.dev/pkg/apis/duck/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/entrypoint/delivery"
)

// Sequences returns the Sequence of each workflow, in the order of the spec; none with
// direct delivery. Its errors are among those of [Objects].
func Sequences(in Input) ([]*flowsv1.Sequence, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	return in.sequences(), nil
}

func (in Input) sequences() (sequences []*flowsv1.Sequence) {
	if in.direct() {
		return nil
	}
	for _, w := range in.Version.Spec.Workflows {
		sequences = append(sequences, in.sequence(w))
	}
	return sequences
}

func (in Input) sequence(w v1alpha1.Workflow) *flowsv1.Sequence {
	version := in.Version.Name
	workflowLabels := labels(version, w.Name)
	workflowLabels[LabelWorkflow] = w.Name
	s := &flowsv1.Sequence{ObjectMeta: in.meta(SequenceName(version, w.Name, in.SequenceSuffix), workflowLabels)}
	s.SetGroupVersionKind(EventingKind())
	for _, node := range w.Sequential {
		s.Spec.Steps = append(s.Spec.Steps, flowsv1.SequenceStep{
			Destination: duckv1.Destination{Ref: in.ref(servingv1.SchemeGroupVersion.String(), ServiceName(version, node))},
			Delivery:    in.delivery(node),
		})
	}
	s.Spec.ChannelTemplate = in.channelTemplate()
	s.Spec.Reply = in.replyPort("/reply")
	channels := in.channelAnnotations()
	s.Annotations = map[string]string{AnnotationSpecHash: specHash(s.Spec, channels)}
	if channels != "" {
		s.Annotations[AnnotationChannel] = channels
	}
	return s
}

// specHash is a hash of all that a Sequence specifies, and of the annotations of its channels.
func specHash(spec flowsv1.SequenceSpec, channels string) string {
	text, _ := json.Marshal(spec) // this cannot fail
	sum := sha256.Sum256(append(text, channels...))
	return hex.EncodeToString(sum[:8])
}

// stepTimeout is the timeout of a step, as Knative writes it. It is nil, for none, where the
// channel would keep each response in memory until it is over.
func (in Input) stepTimeout(node string) *string {
	if in.Untimed() && in.template().KeepsResponses {
		return nil
	}
	return new(isoDuration(in.stepLimit(node)))
}

// stepLimit is how long a channel waits for the response of a step: where that covers all
// later steps, as long as any work may take.
func (in Input) stepLimit(node string) time.Duration {
	if in.Kept && in.template().Answers() {
		for _, n := range in.Version.Spec.Nodes {
			if n.Name == node {
				return time.Duration(in.nodeTimeout(n))*time.Second + nesting
			}
		}
	}
	return in.longest()
}

// delivery is that of the step of a node. Each has the dead-letter sink: without one, a step that
// always fails runs again whenever an earlier one is retried.
func (in Input) delivery(node string) *eventingduckv1.DeliverySpec {
	retry := delivery.DefaultRetry()
	return &eventingduckv1.DeliverySpec{
		DeadLetterSink: in.replyPort("/dead-letter"),
		Retry:          new(int32(retry.Count)),
		BackoffPolicy:  new(eventingduckv1.BackoffPolicyExponential),
		BackoffDelay:   new(isoDuration(retry.Delay)),
		Timeout:        in.stepTimeout(node),
	}
}

// isoDuration writes a duration as ISO 8601 does.
func isoDuration(d time.Duration) string {
	return "PT" + strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "S"
}

// replyPort is a path of the entrypoint's internal Service.
func (in Input) replyPort(path string) *duckv1.Destination {
	return &duckv1.Destination{
		Ref: in.ref("v1", ReplyName(in.Version.Name)),
		URI: &apis.URL{Path: path},
	}
}

// ref refers to a Service of the API group, Kubernetes' or Knative's, in the
// version's namespace.
func (in Input) ref(apiVersion, service string) *duckv1.KReference {
	return &duckv1.KReference{APIVersion: apiVersion, Kind: "Service", Namespace: in.Version.Namespace, Name: service}
}
