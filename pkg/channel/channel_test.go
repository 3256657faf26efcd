package channel_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/channel"
)

func TestKinds(t *testing.T) {
	const messaging = "messaging.knative.dev/v1"
	async := map[string]string{channel.AsyncAnnotation: "true"}
	for _, c := range []struct {
		apiVersion, kind string
		annotations      map[string]string
		promise          channel.Promise
		nested, async    bool
		text             string
	}{
		{messaging, "InMemoryChannel", nil, channel.Sent, true, false, "InMemoryChannel"},
		{messaging, "InMemoryChannel", map[string]string{channel.AsyncAnnotation: "no"}, channel.Sent, true, false, "InMemoryChannel"},
		{messaging, "InMemoryChannel", async, channel.Received, false, true, "InMemoryChannel"},
		{messaging, "Channel", nil, channel.Sent, true, false, "Channel"},
		{messaging, "Channel", async, channel.Sent, true, false, "Channel"},
		{"messaging.knative.dev/v1beta1", "KafkaChannel", async, channel.Stored, false, false, "KafkaChannel"},
		{"messaging.knative.dev/v1alpha1", "NatsJetStreamChannel", nil, channel.Stored, false, false, "NatsJetStreamChannel"},
		{"messaging.example.org/v1", "InMemoryChannel", async, channel.Unknown, false, false, "InMemoryChannel.messaging.example.org"},
		{"messaging.example.org/v1", "DiskChannel", nil, channel.Unknown, false, false, "DiskChannel.messaging.example.org"},
	} {
		k := channel.Of(c.apiVersion, c.kind, c.annotations)
		require.Equal(t, c.kind, k.Name)
		require.Equal(t, c.promise, k.Promise, c.text)
		require.Equal(t, c.nested, k.Nested, c.text)
		require.Equal(t, !c.nested, k.Answers(), c.text)
		require.Equal(t, c.async, k.Async, c.text)
		require.Equal(t, c.text == "InMemoryChannel", k.KeepsResponses, "of a Channel it is not known: %s", c.text)
		require.Equal(t, c.text, k.String())
		again := channel.Named(k.String(), k.Async)
		require.Equal(t, k.String(), again.String())
		require.Equal(t, k.Promise, again.Promise)
	}
	require.Equal(t, channel.Sent, channel.Default().Promise)
	require.Equal(t, "events are lost when its pods end", channel.Default().Promise.String())
}

func TestResponses(t *testing.T) {
	allow := http.Header{"Allow": {"POST, OPTIONS"}}
	nested, answering := channel.Default(), channel.Named("KafkaChannel", false)
	for _, c := range []struct {
		name              string
		response          channel.Response
		nested, answering bool // unclaimed
	}{
		{"accepted", channel.Response{Status: 202}, false, false},
		{"a bad event", channel.Response{Status: 400}, false, false},
		{"not known", channel.Response{Status: 404}, true, true},
		{"busy", channel.Response{Status: 429}, true, true},
		{"a dispatcher without channels", channel.Response{Status: 500}, true, true},
		{"a channel's failure", channel.Response{Status: 500, Header: allow}, false, true},
		{"a proxy's failure", channel.Response{Status: 500, Text: "upstream"}, false, true},
		{"no server", channel.Response{Status: 503}, false, true},
		{"too large", channel.Response{Status: 413}, false, false},
	} {
		require.Equal(t, c.nested, nested.Unclaimed(c.response), c.name)
		require.Equal(t, c.answering, answering.Unclaimed(c.response), c.name)
	}
}

func TestLimits(t *testing.T) {
	kafka, memory := channel.Named("KafkaChannel", false), channel.Default()
	require.True(t, kafka.TooLarge(http.StatusInternalServerError, 1<<20+1))
	require.False(t, kafka.TooLarge(http.StatusInternalServerError, 1<<20))
	require.False(t, kafka.TooLarge(http.StatusNotFound, 1<<21))
	require.False(t, memory.TooLarge(http.StatusInternalServerError, 1<<30))
	for _, k := range []channel.Kind{kafka, memory} {
		require.True(t, k.TooLarge(http.StatusRequestEntityTooLarge, 1))
	}
	require.True(t, channel.Named("NatsJetStreamChannel", false).Exceeds(800_000))
	require.False(t, memory.Exceeds(1<<40))
}

func TestConnected(t *testing.T) {
	object := func(generation, observed any, conditions ...any) map[string]any {
		status := map[string]any{"conditions": conditions}
		if observed != nil {
			status["observedGeneration"] = observed
		}
		return map[string]any{"metadata": map[string]any{"generation": generation}, "status": status}
	}
	ready := func(status string) any { return map[string]any{"type": "Ready", "status": status} }
	for name, c := range map[string]struct {
		object map[string]any
		want   bool
	}{
		"ready":                     {object(int64(2), int64(2), map[string]any{"type": "Addressable", "status": "False"}, ready("True")), true},
		"ready before a change":     {object(int64(2), int64(1), ready("True")), false},
		"not ready":                 {object(int64(1), int64(1), ready("False")), false},
		"unknown":                   {object(int64(1), int64(1), ready("Unknown")), false},
		"no observed generation":    {object(int64(3), nil, ready("True")), true},
		"no such condition":         {object(int64(1), int64(1), map[string]any{"type": "Other"}), true},
		"a condition of other form": {object(int64(1), int64(1), "Ready"), true},
		"no status yet":             {map[string]any{"metadata": map[string]any{"generation": int64(1)}}, false},
		"nothing":                   {nil, false},
	} {
		require.Equal(t, c.want, channel.Connected(c.object), name)
	}
}

func TestBecame(t *testing.T) {
	made := func(apiVersion, kind string) map[string]any {
		return map[string]any{"status": map[string]any{"channel": map[string]any{"apiVersion": apiVersion, "kind": kind}}}
	}
	require.Equal(t, "KafkaChannel", channel.Became(made("messaging.knative.dev/v1beta1", "KafkaChannel")))
	require.Equal(t, "DiskChannel.example.org", channel.Became(made("example.org/v1", "DiskChannel")))
	require.Empty(t, channel.Became(map[string]any{"status": map[string]any{}}))
	require.Empty(t, channel.Became(nil))
}

func TestAddress(t *testing.T) {
	require.Equal(t, "http://v-w-kn-sequence-0-kn-channel.kre.svc.cluster.local", channel.Address("v-w-kn-sequence-0", "kre", "cluster.local"))
}
