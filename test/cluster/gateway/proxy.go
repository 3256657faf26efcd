package main

import (
	"cmp"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"time"
)

// proxy passes requests on, each at once: nothing is held back to fill a buffer.
type proxy struct{ http1, http2 *httputil.ReverseProxy }

func newProxy() *proxy {
	var h1, h2 http.Protocols
	h1.SetHTTP1(true)
	h2.SetUnencryptedHTTP2(true)
	return &proxy{http1: newReverse(&h1), http2: newReverse(&h2)}
}

func newReverse(protocols *http.Protocols) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		FlushInterval: -1,
		Transport: &http.Transport{
			Protocols:       protocols,
			DialContext:     (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			IdleConnTimeout: 10 * time.Second, MaxIdleConnsPerHost: 100, DisableCompression: true,
		},
		Rewrite: func(r *httputil.ProxyRequest) { r.SetXForwarded() },
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			slog.Warn("no response", "host", r.Host, "address", r.URL.Host, "error", err)
			http.Error(w, "the server behind the gateway did not respond: "+err.Error(), http.StatusBadGateway)
		},
	}
}

// serve does what the table has for a request.
func (p *proxy) serve(t *table, w http.ResponseWriter, r *http.Request) {
	a := t.find(r)
	switch {
	case a == nil:
		http.Error(w, "no route for "+r.Host+r.URL.Path, http.StatusNotFound)
		return
	case a.broken:
		http.Error(w, "the route has a filter that this gateway does not know", http.StatusInternalServerError)
		return
	case a.redirect != nil:
		a.sendElsewhere(w, r)
		return
	}
	for _, name := range a.remove {
		r.Header.Del(name)
	}
	for _, h := range a.set {
		r.Header.Set(string(h.Name), h.Value)
	}
	for _, h := range a.add {
		r.Header.Add(string(h.Name), h.Value)
	}
	b := a.pick()
	switch {
	case b == nil || !b.valid:
		http.Error(w, "the route has no backend that can be used", http.StatusInternalServerError)
		return
	case len(b.endpoints) == 0:
		http.Error(w, "no pod is ready", http.StatusServiceUnavailable)
		return
	}
	r.URL.Scheme, r.URL.Host = "http", b.endpoints[rand.IntN(len(b.endpoints))].String()
	// Or a response that comes while its request is still being sent may be cut off. HTTP/2 is
	// full-duplex and says that this is not for it.
	_ = http.NewResponseController(w).EnableFullDuplex()
	if b.http2 {
		p.http2.ServeHTTP(w, r)
		return
	}
	p.http1.ServeHTTP(w, r)
}

// sendElsewhere responds with a redirect.
func (a *action) sendElsewhere(w http.ResponseWriter, r *http.Request) {
	to := *r.URL
	to.Scheme, to.Host = "http", r.Host
	if r.TLS != nil {
		to.Scheme = "https"
	}
	if a.redirect.Hostname != nil {
		to.Host = string(*a.redirect.Hostname)
	}
	port := cmp.Or(value(a.redirect.Port), a.port)
	if scheme := value(a.redirect.Scheme); scheme != "" {
		to.Scheme, port = scheme, value(a.redirect.Port)
	}
	if name, _, err := net.SplitHostPort(to.Host); err == nil {
		to.Host = name
	}
	if usual := map[string]int32{"http": 80, "https": 443}; port != 0 && port != usual[to.Scheme] {
		to.Host = fmt.Sprintf("%s:%d", to.Host, port)
	}
	w.Header().Set("Location", to.String())
	w.WriteHeader(cmp.Or(value(a.redirect.StatusCode), http.StatusFound))
}
