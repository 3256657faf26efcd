package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"knative.dev/networking/pkg/apis/networking/v1alpha1"
)

// decode reads an object of Kubernetes.
func decode(t *testing.T, text string) runtime.Object {
	t.Helper()
	object, _, err := scheme.Codecs.UniversalDeserializer().Decode([]byte(text), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return object
}

// cluster has a service with port 80, whose EndpointSlice is what the test says.
type cluster struct {
	t       *testing.T
	factory informers.SharedInformerFactory
	*backends
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	factory := informers.NewSharedInformerFactory(kubernetes.NewForConfigOrDie(&rest.Config{}), 0) // never started
	b, err := newBackends(factory)
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{t, factory, b}
	service := decode(t, `{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "one", "namespace": "ns"},
		"spec": {"ports": [{"name": "http", "port": 80}, {"name": "other", "port": 81}]}}`)
	if err := factory.Core().V1().Services().Informer().GetIndexer().Add(service); err != nil {
		t.Fatal(err)
	}
	return c
}

// has tells of the service's pods at a port of this machine; the last of them is not ready.
func (c *cluster) has(port string, pods ...string) {
	c.t.Helper()
	var endpoints []string
	for i, pod := range pods {
		endpoints = append(endpoints, fmt.Sprintf(`{"addresses": [%q], "conditions": {"ready": %t}}`, pod, i < len(pods)-1))
	}
	slice := decode(c.t, fmt.Sprintf(`{"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
		"metadata": {"name": "one-x", "namespace": "ns", "labels": {"kubernetes.io/service-name": "one"}},
		"endpoints": [%s], "ports": [{"name": "http", "port": %s}]}`, strings.Join(endpoints, ", "), port))
	if err := c.factory.Discovery().V1().EndpointSlices().Informer().GetIndexer().Update(slice); err != nil {
		c.t.Fatal(err)
	}
	c.changed(slice)
}

func TestPodsOfAService(t *testing.T) {
	c := newCluster(t)
	if pods := c.pods("one.ns.svc.cluster.local:80"); len(pods) > 0 {
		t.Errorf("nothing is known yet, and %v are said", pods)
	}
	c.has("8012", "10.0.0.1", "10.0.0.2", "10.0.0.3")
	for address, want := range map[string][]string{
		"one.ns.svc.cluster.local:80":   {"10.0.0.1:8012", "10.0.0.2:8012"},
		"one.ns.svc.cluster.local:http": {"10.0.0.1:8012", "10.0.0.2:8012"},
		"one.ns.svc.cluster.local:81":   nil, // no pod serves that port
		"one.ns.svc.cluster.local:82":   nil,
		"two.ns.svc.cluster.local:80":   nil,
		"10.1.2.3:80":                   nil,
		"one":                           nil,
	} {
		if got := c.pods(address); !slices.Equal(got, want) {
			t.Errorf("%s leads to %v, want %v", address, got, want)
		}
	}
}

// A connection to a pod that has left its service is not used again: the pod would never find an end.
func TestConnectionsEndWithTheirPod(t *testing.T) {
	c := newCluster(t)
	var connections atomic.Int64
	pod := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	pod.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	pod.Start()
	defer pod.Close()
	host, port, _ := net.SplitHostPort(pod.Listener.Addr().String())
	routes := serving(rule(external, "a.krt.test", v1alpha1.HTTPIngressPath{Splits: []v1alpha1.IngressBackendSplit{to("one", 80, 100)}}))
	front := httptest.NewServer(routes.public.handler(newProxy(c.backends)))
	defer front.Close()
	ask := func() {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, front.URL, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = "a.krt.test"
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if text, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("HTTP %d %s %v", response.StatusCode, text, err)
		}
	}
	c.has(port, host, "127.0.0.9")
	ask()
	ask()
	if n := connections.Load(); n != 1 {
		t.Errorf("two requests took %d connections", n)
	}
	c.has(port, host, "127.0.0.8")
	ask()
	if n := connections.Load(); n != 2 {
		t.Errorf("once the service's pods have changed, there were %d connections in all", n)
	}
}

// A pod that cannot be reached costs no request if there is another one.
func TestAnotherPodIsTried(t *testing.T) {
	c := newCluster(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	c.has(port, "127.0.0.1", "127.0.0.2", "127.0.0.9") // nothing listens at the second
	for range 20 {
		conn, err := c.dial(t.Context(), "tcp", "one.ns.svc.cluster.local:80")
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
	}
}
