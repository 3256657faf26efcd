package e2e_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/test/namespace"
)

// outsider is a client outside the cluster. It believes one certificate authority, and knows the address
// of the gateway, as a DNS would.
type outsider struct {
	place
	authority
	client *http.Client
	to     string // the address
}

// reachFrom makes one that connects to an address, whatever the host.
func (n place) reachFrom(ca authority, address string) outsider {
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	transport := &http.Transport{
		ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, host string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(host)
			if err != nil {
				return nil, err
			}
			return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort(address, port))
		},
	}
	n.t.Cleanup(transport.CloseIdleConnections)
	return outsider{n, ca, &http.Client{Transport: transport}, address}
}

// post sends a request and returns the status of HTTP, and that of gRPC, and the body.
func (o outsider) post(host, content string, body []byte, headers ...string) (status int, code, text string, err error) {
	url := "https://" + host + "/conformance.Entrypoint/One"
	request, err := http.NewRequestWithContext(o.t.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, "", "", err
	}
	request.Header.Set("Content-Type", content)
	request.Header.Set("Te", "trailers")
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := o.client.Do(request)
	if err != nil {
		return 0, "", "", err
	}
	defer response.Body.Close()
	all, err := io.ReadAll(response.Body)
	return response.StatusCode, response.Trailer.Get("Grpc-Status"), string(all), err
}

// reaches calls a version by gRPC and JSON until both respond.
func (o outsider) reaches(grpcHost, webHost, want string) {
	o.t.Helper()
	o.Eventually(func() error {
		status, code, text, err := o.post(grpcHost, "application/grpc", emptyMessage())
		if err != nil || status != http.StatusOK || code != "0" || !strings.Contains(text, want) {
			return fmt.Errorf("gRPC: %d, %q, %q: %w", status, code, text, err)
		}
		status, _, text, err = o.post(webHost, "application/json", []byte("{}"))
		if err != nil || status != http.StatusOK || !strings.Contains(text, `"`+want+`"`) {
			return fmt.Errorf("JSON: %d, %q: %w", status, text, err)
		}
		return nil
	})
}

// emptyMessage is the frame of a message without fields.
func emptyMessage() []byte { return make([]byte, 5) }

// gone waits until a host is served no longer. Where nothing else is, nothing listens.
func (o outsider) gone(host string) {
	o.t.Helper()
	o.Eventually(func() error {
		status, _, text, err := o.post(host, "application/json", []byte("{}"))
		if err == nil && status == http.StatusNotFound || errors.Is(err, syscall.ECONNREFUSED) {
			return nil
		}
		return fmt.Errorf("still served: %d, %q: %w", status, text, err)
	})
}

const gatewayYAML = `
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: krt-test}
spec: {controllerName: krt.dev/test-gateway}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: public, namespace: %[1]s}
spec:
  gatewayClassName: krt-test
  listeners:
  - {name: grpc, port: 443, protocol: HTTPS, hostname: "*.grpc.test", tls: {certificateRefs: [{name: outside}]}}
  - {name: api, port: 443, protocol: HTTPS, hostname: "*.api.test", tls: {certificateRefs: [{name: outside}]}}
`

// What is published is reached from outside over TLS: through a gateway by gRPC, JSON and gRPC-Web of a
// browser, then through Ingresses. Nothing is left of it when nothing is published.
func TestPublishedVersionsAreReachedFromOutside(t *testing.T) {
	t.Parallel()
	n := newRuntime(t)
	if _, err := n.Try("", "kubectl", "get", "crd", "grpcroutes.gateway.networking.k8s.io"); err != nil {
		t.Skip("needs the Gateway API, and the gateway of the test cluster")
	}
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<title>a page of another origin</title>")
	}))
	t.Cleanup(page.Close)
	grpcHost, webHost := n.Name+".grpc.test", n.Name+".api.test"
	n.SetTogether("config-krt", "krt-system", map[string]string{
		"ingress-domain": "grpc.test", "ingress-web-domain": "api.test", "web-origins": page.URL, "gateway": n.Name + "/public",
	})
	ca := newAuthority(t)
	n.tlsSecret("outside", ca.issue(t, "*.grpc.test", "*.api.test"))
	n.Apply(fmt.Sprintf(gatewayYAML, n.Name))
	n.version("one", func(v *v1alpha1.Version) {
		v.Spec.Nodes[0].Scale = &v1alpha1.Scale{Min: new(int32(1)), Max: new(int32(1))}
		v.Spec.Workflows = append(v.Spec.Workflows,
			v1alpha1.Workflow{Name: "stream", Entrypoint: "StreamOne", Sequential: []string{"only"}})
	})
	n.Ready("version/one")
	n.publish("one")
	n.published("one")
	n.In("wait", "--for=condition=Reachable", "runtime.krt.dev/default", "--timeout", namespace.Patience.String())
	address := n.Get("gateway/public", "{.status.addresses[0].value}")
	gateway := n.reachFrom(ca, address)
	gateway.reaches(grpcHost, webHost, "one")
	text := gateway.browse(page.URL, webHost)
	require.Contains(t, text, "one", "gRPC-Web of a page of another origin")
	require.Contains(t, strings.ToLower(text), "grpc-status: 0")
	texts, failure := n.events(gateway.client, "https://"+webHost)
	require.Empty(t, failure)
	require.Equal(t, []string{"one", "one", "one", "one"}, texts)
	stranger := n.reachFrom(newAuthority(t), address)
	_, _, _, err := stranger.post(grpcHost, "application/grpc", emptyMessage())
	require.ErrorContains(t, err, "certificate", "who does not know the authority is not served")

	n.SetTogether("config-krt", "krt-system", map[string]string{
		"gateway": "", "ingress-class": "krt-test", "ingress-tls-secret": "outside",
	})
	gateway.gone(webHost)
	n.Eventually(func() error {
		if address = n.Get("ingress", "{.items[1].status.loadBalancer.ingress[0].ip}"); address == "" {
			return fmt.Errorf("the Ingresses have no address")
		}
		return nil
	})
	ingress := n.reachFrom(ca, address)
	ingress.reaches(grpcHost, webHost, "one")

	n.publish("")
	ingress.gone(webHost)
	n.Eventually(func() error { // they are deleted one after the other
		if left := n.In("get", "ingress,grpcroute,httproute", "-o", "name"); left != "" {
			return fmt.Errorf("left over: %s", left)
		}
		return nil
	})
}
