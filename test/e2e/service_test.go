package e2e_test

import (
	"bufio"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestServiceAnswersFromZeroAndBack(t *testing.T) {
	t.Parallel()
	n := newPlace(t)
	n.service("hello", `autoscaling.knative.dev/window: "6s"`, "")
	url := n.Ready("ksvc/hello")
	require.Equal(t, "hello from hello over HTTP/1.1, X-Test \"seen\"\n", n.get(url))
	n.Eventually(func() error {
		if pods := n.In("get", "pods", "-o", "name"); pods != "" {
			return fmt.Errorf("still there: %s", pods)
		}
		return nil
	})
	require.Equal(t, "hello from hello over HTTP/1.1, X-Test \"seen\"\n", n.get(url), "the first request after zero")
}

// The ingress keeps what the caller and the service say apart and at once.
func TestIngressPassesStreamsAndHTTP2(t *testing.T) {
	t.Parallel()
	n := newPlace(t)
	n.service("two", stays, "        ports: [{name: h2c, containerPort: 8080}]")
	url := n.Ready("ksvc/two")
	require.Contains(t, n.get(url), "over HTTP/2.0")

	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/stream", http.NoBody)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	require.True(t, lines.Scan(), "the first line: %v", lines.Err())
	next, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/next", http.NoBody)
	require.NoError(t, err)
	status, text, err := do(http.DefaultClient, next)
	require.NoError(t, err)
	require.Equal(t, http.StatusNoContent, status, text)
	require.True(t, lines.Scan(), "the second line: %v", lines.Err())
	require.Equal(t, "second", lines.Text())
}

func TestTrafficSplits(t *testing.T) {
	t.Parallel()
	n := newPlace(t)
	n.service("split", "", "")
	n.Ready("ksvc/split")
	n.In("patch", "ksvc", "split", "--type=merge", "--patch",
		`{"spec": {"template": {"metadata": {"name": "split-two"}, "spec": {"containers": [{"image": "`+
			n.In("get", "ksvc", "split", "-o", "jsonpath={.spec.template.spec.containers[0].image}")+`",
			"env": [{"name": "NAME", "value": "second"}]}]}},
		"traffic": [{"revisionName": "split-00001", "percent": 50}, {"revisionName": "split-two", "percent": 50, "tag": "new"}]}}`)
	n.Eventually(func() error {
		if n.In("get", "ksvc", "split", "-o", "jsonpath={.status.traffic[*].percent} "+
			"{.status.conditions[?(@.type=='Ready')].status}") != "50 50 True" {
			return fmt.Errorf("the split is not there")
		}
		return nil
	})
	url := n.In("get", "ksvc", "split", "-o", "jsonpath={.status.url}")
	seen := map[string]bool{}
	n.Eventually(func() error {
		seen[strings.Fields(n.get(url))[2]] = true
		if len(seen) < 2 {
			return fmt.Errorf("only %v answered", seen)
		}
		return nil
	})
	tagged := n.In("get", "ksvc", "split", "-o", "jsonpath={.status.traffic[?(@.tag=='new')].url}")
	require.Contains(t, n.get(tagged), "hello from second", "a tag leads to its revision only")
}

func TestKnListsServices(t *testing.T) {
	t.Parallel()
	n := newPlace(t)
	if _, err := exec.LookPath("kn"); err != nil {
		t.Skip("needs kn on PATH")
	}
	n.service("listed", "", "")
	url := n.Ready("ksvc/listed")
	list := n.Run("", "kn", "service", "list", "--namespace", n.Name)
	require.Contains(t, list, "listed")
	require.Contains(t, list, url)
	require.Contains(t, list, "3 OK / 3")
}
