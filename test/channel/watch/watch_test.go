package watch

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"krt.dev/kn-krt/test/channel"
)

// As Knative's controllers of Sequences and Subscriptions make one.
const made = `
metadata: {name: greeter-v1-greeting-kn-sequence-0, namespace: kre, generation: 2}
spec:
  faults: {repeat: 20, delay: 5ms}
  subscribers:
  - uid: d3b1
    generation: 1
    name: greeter-v1-greeting-kn-sequence-0
    subscriberUri: http://greeter-v1-greeter.kre.svc.cluster.local
    replyUri: http://greeter-v1-reply.kre.svc.cluster.local/reply
    delivery:
      deadLetterSink: {uri: http://greeter-v1-reply.kre.svc.cluster.local/dead-letter}
      retry: 3
      timeout: PT35S
      backoffPolicy: exponential
      backoffDelay: PT0.2S
`

func TestAChannelIsReadAndReported(t *testing.T) {
	object := &unstructured.Unstructured{}
	require.NoError(t, yaml.Unmarshal([]byte(made), &object.Object))
	c, err := read(object)
	require.NoError(t, err)
	require.NoError(t, c.Validate())
	require.Equal(t, channel.Faults{Repeat: 20, Delay: "5ms"}, c.Faults)
	require.Len(t, c.Subscribers, 1)
	require.Equal(t, 3, c.Subscribers[0].Delivery.Retry)
	require.Equal(t, "http://greeter-v1-reply.kre.svc.cluster.local/dead-letter", c.Subscribers[0].Delivery.DeadLetterSink.URI)

	require.NoError(t, setStatus(object, c, "http://base", nil))
	status := object.DeepCopy().Object["status"]
	require.Equal(t, "http://base/kre/greeter-v1-greeting-kn-sequence-0", status.(map[string]any)["address"].(map[string]any)["url"])
	require.Equal(t, []any{map[string]any{"uid": "d3b1", "observedGeneration": int64(1), "ready": "True"}},
		status.(map[string]any)["subscribers"])
	require.NoError(t, setStatus(object, c, "http://base", nil))
	require.Equal(t, status, object.Object["status"], "what has not changed is not written")
	require.NoError(t, setStatus(object, c, "http://base", errors.New("wrong")))
	require.Contains(t, object.Object["status"].(map[string]any)["conditions"].([]any)[0], "reason")
}

func TestAChannelThatCannotBeRead(t *testing.T) {
	object := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"faults": "all"}}}
	_, err := read(object)
	require.ErrorContains(t, err, "spec: ")
}
