package e2e_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/test/namespace"
)

// queued is a version with durable delivery that keeps results, with the nodes "only" and "last", of which
// the last has the variables. Its requests must name that as the last.
func queued(vars env) func(*v1alpha1.Version) {
	return func(v *v1alpha1.Version) {
		v.Spec.Entrypoint.Delivery, v.Spec.Entrypoint.Results = v1alpha1.DeliveryDurable, &v1alpha1.Results{}
		last := v1alpha1.Node{Name: "last", Image: v.Spec.Nodes[0].Image}
		for name, value := range vars {
			last.Env = append(last.Env, v1alpha1.EnvVar{Name: name, Value: value})
		}
		v.Spec.Nodes = append(v.Spec.Nodes, last)
		v.Spec.Workflows[0].Sequential = []string{"only", "last"}
	}
}

// producer sends asynchronous requests, and keeps the ids of those that were accepted.
type producer struct {
	place
	web string // the URL of the workflow

	mu       sync.Mutex
	accepted map[string]string // the texts by the ids
	refused  int
}

// producer is one for a version.
func (n place) producer(version string) *producer {
	n.t.Helper()
	return &producer{place: n, web: "http://" + n.Address(version, 80) + "/workflows/one", accepted: map[string]string{}}
}

// send sends a request with a text, and reports whether it was accepted. If the response is lost, it may
// have been, too.
func (p *producer) send(ctx context.Context, text string) bool {
	body := fmt.Appendf(nil, `{"last": "last", "payload": %q}`, base64.StdEncoding.EncodeToString([]byte(text)))
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.web, bytes.NewReader(body))
	if err != nil {
		return false
	}
	for name, value := range map[string]string{
		"Ce-Specversion": "1.0", "Ce-Id": text, "Ce-Source": "/test", "Ce-Type": "any", "Content-Type": "application/json",
		"Prefer": "respond-async",
	} {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err == nil {
		err = response.Body.Close()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil || response.StatusCode != http.StatusAccepted {
		p.refused++
		return false
	}
	p.accepted[response.Header.Get("Krt-Correlation-Id")] = text
	return true
}

// begin has some clients send requests, one after the other, until end is called.
func (p *producer) begin(clients int) (end func()) {
	ctx, stop := context.WithCancel(p.t.Context())
	var all sync.WaitGroup
	for client := range clients {
		all.Go(func() {
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for i := 0; ctx.Err() == nil; i++ {
				once, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
				p.send(once, fmt.Sprintf("%d-%d", client, i))
				cancel()
				<-tick.C
			}
		})
	}
	return func() { stop(); all.Wait() }
}

func (p *producer) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.accepted)
}

// more waits until that many more have been accepted.
func (p *producer) more(some int) {
	p.t.Helper()
	until := p.count() + some
	p.Eventually(func() error {
		if have := p.count(); have < until {
			return fmt.Errorf("%d requests are accepted, not %d; %d were refused", have, until, p.refused)
		}
		return nil
	})
}

// result is the status and the payload of a request's result.
func (p *producer) result(id string) (status int, payload string, err error) {
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.web+"/results/"+id, http.NoBody)
	if err != nil {
		return 0, "", err
	}
	status, text, err := do(http.DefaultClient, request)
	var reply struct{ Payload []byte }
	if err == nil && status == http.StatusOK {
		err = json.Unmarshal([]byte(text), &reply)
	}
	return status, string(reply.Payload), err
}

// lost waits for the results of all that was accepted as long as some come, and returns those that do not, and
// those that are another's.
func (p *producer) lost() (ids []string) {
	p.t.Helper()
	left := maps.Clone(p.accepted)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for last := time.Now(); len(left) > 0 && time.Since(last) < namespace.Patience; <-tick.C {
		for id, text := range left {
			if status, payload, err := p.result(id); err == nil && status == http.StatusOK && payload == text {
				delete(left, id)
				last = time.Now()
			}
		}
	}
	for id := range left {
		status, payload, err := p.result(id)
		ids = append(ids, fmt.Sprintf("%s: %d %q %v", id, status, payload, err))
	}
	return ids
}

// Work that was accepted is done, whatever is killed meanwhile. Others use the same queue, so this test is
// not parallel to them.
func TestDurableLosesNothingAccepted(t *testing.T) {
	n := newRuntime(t)
	n.Inside()
	n.storeReady()
	n.InstallQueue()
	n.version("durable", queued(env{"TAKES": "200ms"}))
	v := n.called("durable")
	n.answers(v, "conformance.Entrypoint/One", "one", `{"last": "last"}`, `{"text": "durable"}`)
	p := n.producer("durable")
	end := p.begin(8)
	for _, killed := range [][]string{
		{"krt-queue-0", "-n", "krt-system"},
		{"-l", "version-name=durable-entrypoint", "-n", n.Name},
		{"-l", "serving.knative.dev/service=durable-last", "-n", n.Name},
		{"-l", "serving.knative.dev/service=durable-only", "-n", n.Name},
	} {
		p.more(50)
		n.Kubectl(append([]string{"delete", "pod", "--force", "--grace-period=0"}, killed...)...)
	}
	p.more(50)
	end()
	lost := p.lost()
	t.Logf("accepted %d, refused %d, lost %d", len(p.accepted), p.refused, len(lost))
	require.Empty(t, lost)
	n.answers(v, "conformance.Entrypoint/One", "one", `{"last": "last"}`, `{"text": "durable"}`)
}

// A node that fails now and then leaves dead letters, which are replayed until none is left.
func TestDurableDeadLetters(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.Inside()
	c.storeReady()
	c.InstallQueue()
	c.version("failing", queued(env{"FAILS": "50"}))
	c.called("failing")
	p := c.producer("failing")
	for i := range 20 {
		require.True(t, p.send(t.Context(), fmt.Sprint(i)))
	}
	c.Eventually(func() error {
		for id := range p.accepted {
			if status, _, err := p.result(id); status == http.StatusNotFound || status == http.StatusAccepted || err != nil {
				return fmt.Errorf("request %s has no result yet: %d %w", id, status, err)
			}
		}
		return nil
	})
	require.Contains(t, c.krt("dead-letters", "failing"), "this one fails")
	var first letter.Letter
	require.NoError(t, json.NewDecoder(strings.NewReader(c.krt("dead-letters", "failing", "-o", "json"))).Decode(&first))
	require.Contains(t, c.krt("dead-letters", "failing", first.ID), "Input of last: conformance.Request")
	c.Eventually(func() error {
		switch out, err := c.Try("", "env", c.words([]string{"dead-letters", "failing", "--all", "--replay"})...); {
		case err != nil: // one that is at work is not replayed again
			return err
		case !strings.Contains(out, "No dead letters found."):
			return errors.New(out)
		}
		return nil
	})
	require.Empty(t, p.lost())
}

// A stop does first what waits in the queue, and a deletion takes the stream away.
func TestDurableStopAndDelete(t *testing.T) {
	t.Parallel()
	n := newRuntime(t)
	n.Inside()
	n.storeReady()
	n.InstallQueue()
	n.version("slow", queued(env{"TAKES": "25s"}))
	n.called("slow")
	p := n.producer("slow")
	for i := range 20 {
		require.True(t, p.send(t.Context(), fmt.Sprint(i)))
	}
	owner := n.credential("slow", "owner")
	n.In("patch", "version", "slow", "--type=merge", "--patch", `{"spec": {"state": "Stopped"}}`)
	n.condition("slow", "Ready", "Stopping", "left in its queue")
	n.phase("slow", v1alpha1.PhaseStopped)
	var page struct{ Letters []struct{ ID string } }
	_, text := n.ask(http.MethodGet, "/v1/letters/result?version=slow&limit=100", owner, "")
	require.NoError(t, json.Unmarshal([]byte(text), &page))
	require.Len(t, page.Letters, 20, "what was accepted has been done")
	stream := fmt.Sprintf("krt_queue_events{namespace=%q,version=%q}", n.Name, "slow")
	metrics := func() string { return n.get("http://krt-queue.krt-system.svc.cluster.local:9090/metrics") }
	require.Contains(t, metrics(), stream+" 0")
	// Whatever delivery it would have by now.
	n.In("patch", "version", "slow", "--type=merge", "--patch", `{"spec": {"entrypoint": {"delivery": "Direct"}}}`)
	n.In("delete", "version", "slow", "--timeout", namespace.Patience.String())
	n.Eventually(func() error {
		if strings.Contains(metrics(), stream) {
			return fmt.Errorf("the queue has the stream still")
		}
		return nil
	})
	n.nothingOf("slow")
}
