package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/test/namespace"
)

// publish says which version is to be published; "" for none.
func (n place) publish(version string) {
	n.t.Helper()
	n.Apply(fmt.Sprintf(`{apiVersion: krt.dev/v1alpha1, kind: Runtime, metadata: {name: default}, spec: {publishedVersion: %q}}`, version))
}

// published waits until the version is the published one.
func (n place) published(version string) {
	n.t.Helper()
	n.Eventually(func() error {
		if got := n.Get("runtime.krt.dev/default", "{.status.publishedVersion}"); got != version {
			return fmt.Errorf("published is %q, not %q", got, version)
		}
		return nil
	})
}

func TestPublish(t *testing.T) {
	t.Parallel()
	n := newRuntime(t)
	n.version("one", nil)
	n.version("two", nil)
	n.Ready("version/one")
	n.Ready("version/two")
	n.publish("one")
	n.published("one")
	n.phase("one", v1alpha1.PhasePublished)
	n.contractsService("active-entrypoint", "one")
	call := func(want string) {
		t.Helper()
		// New connections go to a version a moment after it is published: kube-proxy has to hear of it.
		n.Eventually(func() error {
			method, err := n.at("active-entrypoint").Method(t.Context(), "conformance.Entrypoint/One")
			if err != nil {
				return err
			}
			if answer, err := method.Call(t.Context(), `{}`); err != nil || !strings.Contains(answer, want) {
				return fmt.Errorf("answered %s, not by %s: %w", answer, want, err)
			}
			return nil
		})
	}
	call("one")

	n.publish("two")
	n.published("two")
	n.phase("one", v1alpha1.PhaseStarted)
	call("two")
	n.answers(n.called("one"), "conformance.Entrypoint/One", "one", `{}`, `{"text": "one"}`)

	// What cannot be published leaves what is.
	n.publish("three")
	n.Eventually(func() error {
		if got := n.Get("runtime.krt.dev/default", "{.status.conditions[?(@.type=='Ready')].reason}"); got != v1alpha1.ReasonVersionNotFound {
			return fmt.Errorf("the runtime says %q", got)
		}
		return nil
	})
	call("two")
	n.publish("two")

	// Neither stop nor delete takes a published version away.
	n.In("patch", "version", "two", "--type=merge", "--patch", `{"spec": {"state": "Stopped"}}`)
	n.condition("two", v1alpha1.ConditionStopRefused, "")
	n.In("delete", "version", "two", "--wait=false")
	n.condition("two", v1alpha1.ConditionDeleteRefused, "")
	call("two")
	n.publish("one")
	n.published("one")
	n.In("wait", "--for=delete", "version/two", "--timeout", namespace.Patience.String())
	n.nothingOf("two")
	call("one")

	n.publish("")
	n.phase("one", v1alpha1.PhaseStarted)
	n.Eventually(func() error {
		_, err := n.Try("", "kubectl", "get", "service", "active-entrypoint", "-n", n.Name)
		if err == nil {
			return fmt.Errorf("active-entrypoint is still there")
		}
		return nil
	})
	n.In("delete", "version", "one", "--timeout", namespace.Patience.String())
	n.nothingOf("one")
	require.Empty(t, n.In("get", "ksvc,sequence,deployment,service", "-o", "name"), "all is gone")
}
