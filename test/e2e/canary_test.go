package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/test/conformance/node"
)

// response is what became of a request.
type response struct {
	protocol, version string
	begun             time.Time
	err               error
}

// traffic is requests by five protocols, over connections that last and over new ones.
type traffic struct {
	stop context.CancelFunc
	all  sync.WaitGroup
	mu   sync.Mutex
	done []response
}

// traffic sends requests to active-entrypoint until the test ends.
func (n place) traffic() *traffic {
	n.t.Helper()
	ctx, stop := context.WithCancel(n.t.Context())
	t := &traffic{stop: stop}
	grpcAddress, web := n.Address("active-entrypoint", 9000), "http://"+n.Address("active-entrypoint", 80)
	conn, err := grpc.NewClient(grpcAddress, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(n.t, err)
	n.t.Cleanup(func() { _ = conn.Close() })
	t.each(ctx, "gRPC", func(ctx context.Context) (string, error) { return overGRPC(ctx, conn) })
	t.each(ctx, "gRPC, new connections", func(ctx context.Context) (string, error) {
		conn, err := grpc.NewClient(grpcAddress, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return "", err
		}
		defer conn.Close()
		return overGRPC(ctx, conn)
	})
	const rpc = "/conformance.Entrypoint/One"
	for _, client := range []*http.Client{{Transport: &http.Transport{}}, {Transport: &http.Transport{DisableKeepAlives: true}}} {
		n.t.Cleanup(client.CloseIdleConnections)
		post := func(protocol, path, body string, headers ...string) {
			t.each(ctx, protocol, func(ctx context.Context) (string, error) { return post(ctx, client, web+path, body, headers...) })
		}
		post("JSON", rpc, "{}", "Content-Type", "application/json")
		post("Connect", rpc, "{}", "Content-Type", "application/json", "Connect-Protocol-Version", "1")
		post("gRPC-Web", rpc, "\x00\x00\x00\x00\x00", "Content-Type", "application/grpc-web+proto", "X-Grpc-Web", "1")
		post("CloudEvents", "/workflows/one", "{}", "Content-Type", "application/json", "Ce-Specversion", "1.0", "Ce-Id", "1",
			"Ce-Source", "/test", "Ce-Type", "test")
	}
	n.t.Cleanup(func() { t.end() })
	return t
}

// each sends a request ten times a second.
func (t *traffic) each(ctx context.Context, protocol string, call func(context.Context) (string, error)) {
	t.all.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			r := response{protocol: protocol, begun: time.Now()}
			limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
			r.version, r.err = call(limited)
			cancel()
			t.mu.Lock()
			t.done = append(t.done, r)
			t.mu.Unlock()
		}
	})
}

// end waits for the requests that have begun, and returns all.
func (t *traffic) end() []response {
	t.stop()
	t.all.Wait()
	return t.done
}

// since returns the responses to requests that began from an instant on.
func (t *traffic) since(begin time.Time) []response {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(t.done), func(r response) bool { return r.begun.Before(begin) })
}

// some waits for that many responses to requests that begin now.
func (t *traffic) some(n place, count int) []response {
	n.t.Helper()
	begin := time.Now()
	var found []response
	n.Eventually(func() error {
		if found = t.since(begin); len(found) < count {
			return fmt.Errorf("%d responses of %d", len(found), count)
		}
		return nil
	})
	return found
}

// by counts the responses of a version.
func by(version string, responses []response) (count int) {
	for _, r := range responses {
		if r.version == version {
			count++
		}
	}
	return count
}

// lost are the requests that have failed.
func lost(responses []response) (texts []string) {
	for _, r := range responses {
		if r.err != nil {
			texts = append(texts, fmt.Sprintf("%s at %s: %v", r.protocol, r.begun.Format(time.StampMilli), r.err))
		}
	}
	return texts
}

func overGRPC(ctx context.Context, conn *grpc.ClientConn) (string, error) {
	out := &node.Reply{}
	err := conn.Invoke(ctx, "/conformance.Entrypoint/One", &node.Request{}, out)
	return out.GetText(), err
}

// post returns which version has responded: its name is in the body, whatever that's form.
func post(ctx context.Context, client *http.Client, url, body string, headers ...string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	for _, version := range []string{former, latter} {
		if response.StatusCode == http.StatusOK && bytes.Contains(text, []byte(version)) {
			return version, nil
		}
	}
	return "", fmt.Errorf("HTTP %d: %q", response.StatusCode, text)
}

// within reports whether count of total is what a share in percent gives by chance, but for one case
// in ten thousand.
func within(count, total, percent int) bool {
	share := float64(percent) / 100
	return math.Abs(float64(count)-float64(total)*share) <= 3.9*math.Sqrt(float64(total)*share*(1-share))+1
}

const former, latter = "former-version", "latter-version"

// divide writes the spec of the runtime, and waits until all entrypoints have applied it.
func (n place) divide(spec, phase string) {
	n.t.Helper()
	n.Apply(fmt.Sprintf(`{apiVersion: krt.dev/v1alpha1, kind: Runtime, metadata: {name: default}, spec: %s}`, spec))
	n.Eventually(func() error {
		got := strings.Fields(n.Get("runtime.krt.dev/default",
			"{.metadata.generation} {.status.observedGeneration} {.status.canary.phase} {.status.canary.weight}"))
		if len(got) < 2 || got[0] != got[1] || strings.Join(got[2:], " ") != phase {
			return fmt.Errorf("the runtime is at %q, not %q", got, phase)
		}
		return nil
	})
}

// settle is how long entrypoints may take to apply a weight.
const settle = 4 * time.Second

func (n place) settled() {
	n.t.Helper()
	n.passes(settle)
}

// passes lets some time pass in which there is load.
func (n place) passes(d time.Duration) {
	n.t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-n.t.Context().Done():
	}
}

// A canary gets its share of what comes by any protocol and connection, from each of two entrypoints
// that do not roll; it may die, be promoted or leave, and no request is lost.
func TestCanary(t *testing.T) {
	t.Parallel()
	n := newRuntime(t)
	for _, name := range []string{former, latter} {
		n.version(name, func(v *v1alpha1.Version) {
			v.Spec.Entrypoint.Delivery = v1alpha1.DeliveryDirect
			v.Spec.Entrypoint.Replicas = new(int32(2))
			v.Spec.Nodes[0].Scale = &v1alpha1.Scale{Min: new(int32(1)), Max: new(int32(1))}
		})
	}
	n.Ready("version/" + former)
	n.Ready("version/" + latter)
	n.publish(former)
	n.published(former)
	n.at("active-entrypoint")
	load := n.traffic()
	require.Equal(t, 50, by(former, load.some(n, 50)[:50]))
	pods := n.podNames()

	n.divide(fmt.Sprintf(`{publishedVersion: %s, canary: {version: %s, weight: 50}}`, former, latter), "Serving 50")
	n.settled()
	half := load.some(n, 400)
	t.Logf("weight 50: %d of %d", by(latter, half), len(half))
	require.True(t, within(by(latter, half), len(half), 50), "%d of %d", by(latter, half), len(half))
	for _, protocol := range []string{"gRPC", "gRPC, new connections", "JSON", "Connect", "gRPC-Web", "CloudEvents"} {
		one := slices.DeleteFunc(slices.Clone(half), func(r response) bool { return r.protocol != protocol })
		require.NotZero(t, by(former, one), protocol)
		require.NotZero(t, by(latter, one), protocol)
	}
	require.Equal(t, pods, n.podNames(), "no pod has been replaced")

	// The canary's entrypoint dies, and comes back.
	n.In("delete", "pod", "--selector=version-name="+latter+"-entrypoint", "--grace-period=0", "--force", "--wait=false")
	load.some(n, 100)
	n.Ready("version/" + latter)
	n.divide(fmt.Sprintf(`{publishedVersion: %s, canary: {version: %s, weight: 50}}`, former, latter), "Serving 50")

	// It is promoted: whoever asks from then on gets it, by whatever connection.
	n.publish(latter)
	n.published(latter)
	promoted := load.some(n, 200)
	require.Equal(t, len(promoted), by(latter, promoted), "responses of the former version")

	// The former one is the canary, and is taken away again.
	n.divide(fmt.Sprintf(`{publishedVersion: %s, canary: {version: %s, weight: 50}}`, latter, former), "Serving 50")
	n.settled()
	require.NotZero(t, by(former, load.some(n, 50)))
	n.divide(fmt.Sprintf(`{publishedVersion: %s, canary: null}`, latter), "")
	aborted := load.some(n, 200)
	require.Equal(t, len(aborted), by(latter, aborted), "responses of a canary that is no more")

	all := load.end()
	t.Logf("%d requests, %d lost", len(all), len(lost(all)))
	require.Empty(t, lost(all))
}
