package load_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// raw is a Sequence as anybody would use it: three bare nodes, and here a poster
// of CloudEvents and a sink that tells it what came back.
type raw struct {
	address string
	client  *http.Client
	body    []byte
	last    atomic.Int64
	waiting sync.Map // id → chan int, the bytes that came
}

const rawYAML = `
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: %[1]s, labels: {networking.knative.dev/visibility: cluster-local}}
spec:
  template:
    metadata:
      labels: {bare: "yes"}
      annotations: {autoscaling.knative.dev/min-scale: "1", autoscaling.knative.dev/max-scale: "1"}
    spec: {containers: [{image: %[2]s}]}
---
`

// bareNodes are the steps.
func bareNodes() []string { return []string{"bare-1", "bare-2", "bare-3"} }

func newRaw(p place) *raw {
	p.t.Helper()
	var yaml strings.Builder
	image := p.Image("test/load/echo")
	for _, name := range bareNodes() {
		fmt.Fprintf(&yaml, rawYAML, name, image)
	}
	listener, err := (&net.ListenConfig{}).Listen(p.t.Context(), "tcp", net.JoinHostPort(ownAddress(p), "0"))
	require.NoError(p.t, err)
	fmt.Fprintf(&yaml, `
apiVersion: flows.knative.dev/v1
kind: Sequence
metadata: {name: bare}
spec:
  channelTemplate: {apiVersion: messaging.knative.dev/v1, kind: InMemoryChannel}
  steps:
  - ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: bare-1}
  - ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: bare-2}
  - ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: bare-3}
  reply: {uri: "http://%s/"}
`, listener.Addr())
	p.Apply(yaml.String())
	r := &raw{client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1024}}, body: bytes.Repeat([]byte("x"), kilobyte)}
	sink := &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = sink.Serve(listener) }()
	p.t.Cleanup(func() { _ = sink.Close() })
	return r
}

func (r *raw) start(p place) {
	p.t.Helper()
	r.address = p.Ready("sequence/bare")
}

// ServeHTTP is the sink.
func (r *raw) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	n, err := io.Copy(io.Discard, request.Body)
	if came, ok := r.waiting.Load(request.Header.Get("Ce-Id")); ok && err == nil {
		select {
		case came.(chan int64) <- n:
		default: // a second time
		}
	}
	w.WriteHeader(http.StatusAccepted)
}

// call posts an event and waits until it has come out of the Sequence.
func (r *raw) call(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	id, came := strconv.FormatInt(r.last.Add(1), 10), make(chan int64, 1)
	r.waiting.Store(id, came)
	defer r.waiting.Delete(id)
	if _, err := r.post(ctx, r.address, id, r.body, http.StatusAccepted); err != nil {
		return err
	}
	select {
	case n := <-came:
		if n != kilobyte {
			return fmt.Errorf("%d bytes came back", n)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// post sends an event and returns the answer's body, if the status is the wanted one.
func (r *raw) post(ctx context.Context, address, id string, body []byte, want int) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header = http.Header{
		"Content-Type": {"application/protobuf"}, "Ce-Specversion": {"1.0"}, "Ce-Id": {id}, "Ce-Source": {"/bare"}, "Ce-Type": {"bare"},
	}
	response, err := r.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != want {
		err = &statusError{response.StatusCode, answer}
	}
	return answer, err
}

// calls posts to each address what the one before has answered: the least that
// any direct delivery does.
func (r *raw) calls(addresses []string) func(context.Context) error {
	return func(ctx context.Context) (err error) {
		body := r.body
		for _, address := range addresses {
			if body, err = r.post(ctx, address, "1", body, http.StatusOK); err != nil {
				return err
			}
		}
		if len(body) != kilobyte {
			return fmt.Errorf("%d bytes came back", len(body))
		}
		return nil
	}
}

// bareServices are the addresses of the bare nodes' Knative Services.
func (p place) bareServices() (addresses []string) {
	p.t.Helper()
	for _, name := range bareNodes() {
		p.Ready("ksvc/" + name)
		addresses = append(addresses, "http://"+name+"."+p.Name+".svc.cluster.local/")
	}
	return addresses
}

// barePods are the addresses of the bare nodes' pods, at the port of the container or of queue-proxy.
func (p place) barePods(port string) (addresses []string) {
	p.t.Helper()
	for _, name := range bareNodes() {
		pods, err := p.pods(p.t.Context(), p.Name, map[string]string{"serving.knative.dev/service": name})
		require.NoError(p.t, err)
		require.Len(p.t, pods, 1)
		addresses = append(addresses, "http://"+net.JoinHostPort(pods[0].Status.PodIP, port)+"/")
	}
	return addresses
}

// cpu is what pods, each "namespace/selector", and this process have used so far.
func (p place) cpu(selectors ...string) func() (time.Duration, error) {
	return func() (time.Duration, error) {
		var own syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
			return 0, err
		}
		sum := time.Duration(own.Utime.Nano() + own.Stime.Nano())
		for _, s := range selectors {
			namespace, text, _ := strings.Cut(s, "/")
			selector, err := labels.Parse(text)
			if err != nil {
				return 0, err
			}
			var pods corev1.PodList
			if err := p.client.List(p.t.Context(), &pods, client.InNamespace(namespace),
				client.MatchingLabelsSelector{Selector: selector}); err != nil {
				return 0, err
			}
			for i := range pods.Items {
				used, err := podCPU(string(pods.Items[i].UID))
				if err != nil {
					return 0, err
				}
				sum += used
			}
		}
		return sum, nil
	}
}

// podCPU is what a pod's control group has used, on this machine.
func podCPU(uid string) (time.Duration, error) {
	for _, pattern := range []string{"/sys/fs/cgroup/cpuacct/kubepods/pod%s", "/sys/fs/cgroup/cpuacct/kubepods/*/pod%s",
		"/sys/fs/cgroup/kubepods/*/pod%s"} {
		folders, err := filepath.Glob(fmt.Sprintf(pattern, uid))
		if err != nil || len(folders) == 0 {
			continue
		}
		if text, err := os.ReadFile(filepath.Join(folders[0], "cpuacct.usage")); err == nil {
			ns, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
			return time.Duration(ns), err
		}
		var micros int64
		text, err := os.ReadFile(filepath.Join(folders[0], "cpu.stat"))
		if err == nil {
			_, err = fmt.Sscanf(string(text), "usage_usec %d", &micros)
		}
		return time.Duration(micros) * time.Microsecond, err
	}
	return 0, nil // elsewhere: the ratio of CPU then says nothing
}
