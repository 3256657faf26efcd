package e2e_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

const stays = `autoscaling.knative.dev/min-scale: "1"`

func TestSequenceReplies(t *testing.T) {
	t.Parallel()
	n := newPlace(t)
	for _, name := range []string{"one", "two", "door"} {
		n.service(name, stays, "")
	}
	n.Apply(`
apiVersion: flows.knative.dev/v1
kind: Sequence
metadata: {name: both}
spec:
  steps:
  - ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: one}
  - ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: two}
  reply:
    ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: door}
    uri: /sink
`)
	door := n.Ready("ksvc/door")
	for _, name := range []string{"one", "two"} {
		n.get(n.Ready("ksvc/" + name))
	}
	send := door + "/send?to=" + url.QueryEscape(n.Ready("sequence/both"))
	// One event may be lost on its way: a channel in memory tries no step again, and a step's name
	// may not be known yet where the channel's process runs.
	n.Eventually(func() error {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, send, strings.NewReader("in"))
		if err != nil {
			return err
		}
		for name, value := range map[string]string{"Id": "1", "Specversion": "1.0", "Type": "dev.krt.test", "Source": "/e2e"} {
			request.Header.Set("Ce-"+name, value)
		}
		request.Header.Set("Content-Type", "text/plain")
		status, text, err := do(http.DefaultClient, request)
		if err == nil && status != http.StatusAccepted {
			err = fmt.Errorf("%s: %d %s", send, status, text)
		}
		if seen := n.get(door + "/seen"); err == nil && !strings.Contains(seen, "in>one>two") {
			err = fmt.Errorf("the reply has not come: %q", seen)
		}
		return err
	})
}
