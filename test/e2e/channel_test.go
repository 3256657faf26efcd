package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/test/channel"
	"krt.dev/kn-krt/test/namespace"
)

// accepted sends an event, which is accepted.
func (n place) accepted(url, id string, headers ...string) {
	n.t.Helper()
	n.Eventually(func() error { // its Service may not be known everywhere yet
		status, text, err := n.event(url, id, headers...)
		if err == nil && status != http.StatusAccepted {
			err = fmt.Errorf("HTTP %d: %s", status, text)
		}
		return err
	})
}

// event posts a request of the rpc Three for the last node, n3, as an event.
func (n place) event(url, id string, headers ...string) (status int, text string, err error) {
	data, err := json.Marshal(map[string]string{"id": id, "last": "n3"})
	require.NoError(n.t, err)
	request, err := http.NewRequestWithContext(n.t.Context(), http.MethodPost, url, bytes.NewReader(data))
	require.NoError(n.t, err)
	for name, value := range map[string]string{
		"Ce-Specversion": "1.0", "Ce-Id": id, "Ce-Source": "/e2e", "Ce-Type": "three", "Content-Type": "application/json",
	} {
		request.Header.Set(name, value)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	return do(http.DefaultClient, request)
}

// handled waits until the last node has handled all of the requests.
func (n place) handled(t *namespace.Tally, ids []string) {
	n.t.Helper()
	n.Eventually(func() error {
		if missing := t.Missing("n3", ids); len(missing) > 0 {
			return fmt.Errorf("%d of %d are not handled, such as %s", len(missing), len(ids), missing[0])
		}
		return nil
	})
}

// burst has a version accept that many events.
func (n place) burst(version string, count int) (ids []string) {
	n.t.Helper()
	for i := range count {
		id := fmt.Sprintf("%s-%d", version, i)
		n.accepted("http://"+version+"."+n.Name+".svc.cluster.local/workflows/three", id, "Prefer", "respond-async")
		ids = append(ids, id)
	}
	return ids
}

// templated has the versions that are started from now on use a channel with those faults.
func (n place) templated(faults channel.Faults) {
	n.t.Helper()
	text, err := yaml.Marshal(map[string]any{"spec": map[string]any{"faults": faults}})
	require.NoError(n.t, err)
	n.Set("config-krt", "krt-system", "channel-template", namespace.ChannelTemplate+string(text))
}

// killChannel ends the process behind all TestChannels, and waits for the next one.
func (n place) killChannel() {
	n.t.Helper()
	n.Kubectl("delete", "pod", "-l", "app=test-channel", "-n", "krt-test-channel", "--grace-period=0", "--force")
	n.InstallChannel()
}

// A channel that stores: clients that wait have their response, and what was accepted is done although
// the channel's process is killed with all of it in its store.
func TestStoringChannels(t *testing.T) {
	n := newRuntime(t)
	tally := n.Tally()
	n.InstallChannel()
	n.templated(channel.Faults{Delay: "2s"})
	n.version("slow", tally.Three)
	n.Ready("version/slow")
	// An event that is refused at its fourth attempt, too, is a dead letter: one of 160,000 at each step.
	n.templated(channel.Faults{Repeat: 30, HoldBack: 30, Refuse: 5, Hide: 10})
	n.version("bad", tally.Three)
	n.Ready("version/bad")
	require.Equal(t, "TestChannel", n.Get("sequence/bad-three", "{.status.channelStatuses[0].channel.kind}"))

	n.answers(n.called("slow"), "conformance.Entrypoint/Three", "three", `{"last": "n3"}`, `{"text": "slow"}`)

	ids := n.burst("slow", 50)
	require.NotEmpty(t, tally.Missing("n3", ids), "each step takes 2 s: the events are in the store")
	n.killChannel()
	n.handled(tally, ids)
	n.handled(tally, n.burst("bad", 50)) // a producer sends again what was not accepted
}

// Knative's own channel in its other mode accepts an event before it delivers it, and holds no
// connection open until the last step is done. Its dispatcher reads the annotation when the channel
// becomes ready, so the channel must have it from the beginning.
func TestInMemoryChannelsInAsynchronousMode(t *testing.T) {
	t.Parallel()
	n := newRuntime(t)
	tally := n.Tally()
	async := map[string]string{"messaging.knative.dev/async-handler": "true"}
	n.version("async", func(v *v1alpha1.Version) {
		tally.Three(v)
		v.Spec.Entrypoint.ChannelTemplate = &v1alpha1.ChannelTemplate{
			APIVersion: "messaging.knative.dev/v1", Kind: "InMemoryChannel", Annotations: async,
		}
	})
	n.Ready("version/async")
	require.Equal(t, "true true true", n.Get("inmemorychannel", `{.items[*].metadata.annotations.messaging\.knative\.dev/async-handler}`))
	n.answers(n.called("async"), "conformance.Entrypoint/Three", "three", `{"last": "n3"}`, `{"text": "async"}`)
	n.handled(tally, n.burst("async", 50))
}

// A Broker on storing channels in front of a version on storing channels.
func TestABrokerOnStoringChannels(t *testing.T) {
	n := newRuntime(t)
	if n.Kubectl("get", "deployment", "mt-broker-controller", "-n", "knative-eventing", "--ignore-not-found", "-o", "name") == "" {
		t.Skip("needs Knative's Broker on channels, MTChannelBasedBroker")
	}
	tally := n.Tally()
	n.InstallChannel()
	n.templated(channel.Faults{})
	n.version("behind", tally.Three)
	n.Ready("version/behind")
	n.Apply(`
apiVersion: v1
kind: ConfigMap
metadata: {name: storing}
data:
  channel-template-spec: |
    apiVersion: messaging.krt.test/v1
    kind: TestChannel
    spec: {faults: {repeat: 30}}
---
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: events, annotations: {eventing.knative.dev/broker.class: MTChannelBasedBroker}}
spec:
  config: {apiVersion: v1, kind: ConfigMap, name: storing}
  delivery: {retry: 10, backoffPolicy: exponential, backoffDelay: PT0.2S}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: to-version}
spec:
  broker: events
  filter: {attributes: {type: three}}
  subscriber: {ref: {apiVersion: krt.dev/v1alpha1, kind: Version, name: behind}}
`)
	n.Ready("trigger/to-version")
	address := n.Get("broker/events", "{.status.address.url}")
	var ids []string
	for i := range 50 {
		id := fmt.Sprintf("broker-%d", i)
		n.accepted(address, id)
		ids = append(ids, id)
	}
	n.killChannel()
	n.handled(tally, ids)
}
