package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/test/localrun"
	"krt.dev/kn-krt/test/namespace"
)

// callers call a version one after the other until they are ended.
type callers struct {
	stop   context.CancelFunc
	all    sync.WaitGroup
	mu     sync.Mutex
	calls  int
	failed []string
}

// call has some callers call the version; each makes a connection of its own now and then.
func (n place) call(version string, some int) *callers {
	n.t.Helper()
	ctx, stop := context.WithCancel(n.t.Context())
	c := &callers{stop: stop}
	n.t.Cleanup(stop)
	grpc, web := n.Address(version, 9000), n.Address(version, 80)
	for range some {
		c.all.Go(func() {
			for ctx.Err() == nil {
				c.some(ctx, localrun.At(n.t, grpc, web))
			}
		})
	}
	return c
}

// some calls are made by one connection. One that has begun is not broken off.
func (c *callers) some(ctx context.Context, v *localrun.Version) {
	method, err := v.Method(context.WithoutCancel(ctx), "conformance.Entrypoint/One")
	for i := 0; i < 20 && ctx.Err() == nil; i++ {
		answer := ""
		if err == nil {
			answer, err = method.Call(context.WithoutCancel(ctx), "{}")
		}
		c.mu.Lock()
		c.calls++
		if err != nil || !strings.Contains(answer, "text") {
			c.failed = append(c.failed, fmt.Sprintf("%s: %q %v", time.Now().Format(time.TimeOnly), answer, err))
		}
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// made is how many calls there have been.
func (c *callers) made() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls
}

// more waits until there have been some calls more.
func (c *callers) more(n place, some int) {
	n.t.Helper()
	until := c.made() + some
	n.Eventually(func() error {
		if made := c.made(); made < until {
			return fmt.Errorf("%d calls of %d", made, until)
		}
		return nil
	})
}

// A published version runs as it was started, whatever the settings become, and
// takes them on by a restart without losing a request.
func TestRestartLosesNothing(t *testing.T) {
	n := newRuntime(t) // not beside others: it changes the settings of all
	for _, key := range []string{"timeout", "background-timeout", "connection-grace"} {
		n.Set("config-krt", "krt-system", key, "8s")
	}
	n.version("kept", nil)
	n.Eventually(func() error {
		if got := n.Get("version/kept", "{.status.startedWith.settings.connection-grace}"); got != "8s" {
			return fmt.Errorf("it is not started with what was set, but with %q", got)
		}
		return nil
	})
	n.Ready("version/kept")
	n.publish("kept")
	n.published("kept")
	n.at("kept")
	c := n.call("kept", 4)
	c.more(n, 20)

	// A channel that nobody serves: nothing changes, and a restart onto it changes nothing either.
	n.Set("config-krt", "krt-system", "channel-template", "apiVersion: messaging.example.com/v1\nkind: NoChannel\n")
	n.condition("kept", v1alpha1.ConditionCurrent, v1alpha1.ReasonBehind,
		"changed since it was started: channel-template; restart it to apply the change: kn krt restart kept")
	c.more(n, 20)
	n.In("patch", "version", "kept", "--type=merge", "--patch", `{"spec": {"restart": "onto nothing"}}`)
	n.condition("kept", v1alpha1.ConditionCurrent, v1alpha1.ReasonRestarting)
	c.more(n, 20)
	require.Equal(t, "True", n.Get("version/kept", "{.status.conditions[?(@.type=='Ready')].status}"))
	require.Equal(t, "Published", n.Get("version/kept", "{.status.phase}"))

	// Mended, with another setting beside: the restart goes on.
	n.Set("config-krt", "krt-system", "timeout", "9s")
	n.Set("config-krt", "krt-system", "channel-template",
		"apiVersion: messaging.knative.dev/v1\nkind: InMemoryChannel\nspec: {delivery: {retry: 1}}\n")
	n.In("wait", "version/kept", "--for=condition=Current", "--timeout", namespace.Patience.String())
	n.Ready("version/kept")
	require.Contains(t, n.Get("version/kept", "{.status.startedWith.settings.channel-template}"), "retry: 1")
	c.more(n, 20)
	beside := "kept-one-" + n.Get("version/kept", "{.status.startedWith.sequences}")
	n.Eventually(func() error { // once the entrypoint's former pod is gone, and the background work it may have left has ended
		if left := n.In("get", "sequences", "-o", "jsonpath={.items[*].metadata.name}"); left != beside {
			return fmt.Errorf("the Sequences are %s, not only %s", left, beside)
		}
		// Kubernetes deletes the channels of a Sequence after it, in the background.
		if left := n.In("get", "inmemorychannels", "-o", "jsonpath={.items[*].metadata.name}"); left != beside+"-kn-sequence-0" {
			return fmt.Errorf("the channels are %s, not only that of %s", left, beside)
		}
		return nil
	})
	c.more(n, 20)
	c.stop()
	c.all.Wait()
	t.Logf("%d calls", c.made())
	require.Empty(t, c.failed)
}
