package main

import (
	"log/slog"
	"net/http"
	"net/http/httputil"
	"strings"

	"knative.dev/networking/pkg/apis/networking"
	"knative.dev/networking/pkg/apis/networking/v1alpha1"
)

// proxy passes requests on, each at once: nothing is held back to fill a buffer.
type proxy struct {
	http1, http2 *httputil.ReverseProxy
	backends     *backends
}

func newProxy(b *backends) *proxy {
	return &proxy{
		http1:    newReverse(b, func(p *pool) *http.Transport { return p.http1 }),
		http2:    newReverse(b, func(p *pool) *http.Transport { return p.http2 }),
		backends: b,
	}
}

// roundTripper makes a request by a transport that depends on it.
type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

func newReverse(b *backends, choose func(*pool) *http.Transport) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		FlushInterval: -1,
		Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			name, rest, _ := strings.Cut(r.URL.Host, ".") // as makeRoutes wrote it
			namespace, _, _ := strings.Cut(rest, ".")
			return choose(b.pool(namespace, name)).RoundTrip(r)
		}),
		Rewrite: func(r *httputil.ProxyRequest) { r.SetXForwarded() },
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			slog.Warn("no response", "host", r.Host, "address", r.URL.Host, "error", err)
			http.Error(w, "the server behind the ingress did not respond: "+err.Error(), http.StatusBadGateway)
		},
	}
}

// handler serves one side.
func (v *view) handler(p *proxy) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		r, ok := v.find(request)
		if !ok {
			http.Error(w, "no Ingress serves host "+request.Host, http.StatusNotFound)
			return
		}
		chosen := r.pick()
		// The ingress overrides what the caller says: by these headers Knative tells revisions apart.
		for _, set := range []map[string]string{r.headers, chosen.headers} {
			for name, value := range set {
				request.Header.Set(name, value)
			}
		}
		request.URL.Scheme, request.URL.Host = "http", chosen.address
		if r.rewriteHost != "" {
			request.Host = r.rewriteHost
		}
		// Or an answer that comes while its request is still being sent may be cut off. HTTP/2
		// is full-duplex and says that this is not for it.
		_ = http.NewResponseController(w).EnableFullDuplex()
		if p.speaksHTTP2(chosen.backend) {
			p.http2.ServeHTTP(w, request)
			return
		}
		p.http1.ServeHTTP(w, request)
	})
}

// speaksHTTP2 reports whether the service's port calls itself HTTP/2 without TLS,
// in either of the two ways in which Knative says so.
func (p *proxy) speaksHTTP2(backend v1alpha1.IngressBackend) bool {
	service, err := p.backends.services.Services(backend.ServiceNamespace).Get(backend.ServiceName)
	if err != nil {
		return false // the request itself will find out what is wrong
	}
	for _, port := range service.Spec.Ports {
		if port.Port == backend.ServicePort.IntVal || port.Name == backend.ServicePort.StrVal {
			return port.Name == networking.ServicePortNameH2C || port.AppProtocol != nil && *port.AppProtocol == networking.AppProtocolH2C
		}
	}
	return false
}
