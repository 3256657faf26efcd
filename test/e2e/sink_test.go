package e2e_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A version is a sink by its name: a channel's subscriber, whose answer goes on,
// and a source's by kn's own syntax.
func TestVersionIsASink(t *testing.T) {
	t.Parallel()
	n := newRuntime(t)
	n.version("sink", nil)
	n.service("door", stays, "")
	n.Apply(`
apiVersion: messaging.knative.dev/v1
kind: InMemoryChannel
metadata: {name: events}
---
apiVersion: messaging.knative.dev/v1
kind: Subscription
metadata: {name: to-version}
spec:
  channel: {apiVersion: messaging.knative.dev/v1, kind: InMemoryChannel, name: events}
  subscriber: {ref: {apiVersion: krt.dev/v1alpha1, kind: Version, name: sink}}
  reply: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: door}, uri: /sink}
`)
	n.Ready("version/sink")
	require.Equal(t, "http://sink."+n.Name+".svc.cluster.local", n.Get("version/sink", "{.status.address.url}"))
	door := n.Ready("ksvc/door")
	n.Ready("subscription/to-version")
	if _, err := exec.LookPath("kn"); err == nil {
		n.Run("", "kn", "source", "ping", "create", "tick", "--namespace", n.Name, "--schedule", "*/2 * * * * *", "--data", "{}",
			"--sink", "messaging.knative.dev/v1/inmemorychannels:events", "--ce-override", "krtworkflow=one")
		n.Run("", "kn", "source", "ping", "create", "direct", "--namespace", n.Name, "--schedule", "*/2 * * * * *", "--data", "{}",
			"--sink", "krt.dev/v1alpha1/versions:sink", "--ce-override", "krtworkflow=one")
		n.Ready("pingsource/direct")
	}
	n.Eventually(func() error {
		if seen := n.get(door + "/seen"); !strings.Contains(seen, "sink") {
			return fmt.Errorf("no answer of the version has come: %q", seen)
		}
		return nil
	})
}

// A Trigger names a version, and what the version answers is an event of the Broker.
func TestTriggerLeadsToAVersion(t *testing.T) {
	t.Parallel()
	n := newRuntime(t)
	if n.Kubectl("get", "deployment", "mt-broker-controller", "-n", "knative-eventing", "--ignore-not-found", "-o", "name") == "" {
		t.Skip("needs Knative's Broker on channels, MTChannelBasedBroker")
	}
	n.version("sink", nil)
	n.service("door", stays, "")
	n.Apply(`
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: events, annotations: {eventing.knative.dev/broker.class: MTChannelBasedBroker}}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: to-version}
spec:
  broker: events
  filter: {attributes: {type: dev.knative.sources.ping}}
  subscriber: {ref: {apiVersion: krt.dev/v1alpha1, kind: Version, name: sink}}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: to-door}
spec:
  broker: events
  filters: [{not: {exact: {type: dev.knative.sources.ping}}}]
  subscriber: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: door}, uri: /sink}
---
apiVersion: sources.knative.dev/v1
kind: PingSource
metadata: {name: tick}
spec:
  schedule: "*/2 * * * * *"
  contentType: application/json
  data: "{}"
  ceOverrides: {extensions: {krtworkflow: one}}
  sink: {ref: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: events}}
`)
	n.Ready("version/sink")
	door := n.Ready("ksvc/door")
	n.Ready("trigger/to-version")
	n.Ready("trigger/to-door")
	n.Eventually(func() error {
		if seen := n.get(door + "/seen"); !strings.Contains(seen, "sink") {
			return fmt.Errorf("no answer of the version has come: %q", seen)
		}
		return nil
	})
}
