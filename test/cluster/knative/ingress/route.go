package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/util/sets"
	"knative.dev/networking/pkg/apis/networking/v1alpha1"
	"knative.dev/networking/pkg/ingress"
)

// route is one path of one rule of an Ingress.
type route struct {
	path, rewriteHost string
	match             map[string]string // header → exact value
	headers           map[string]string // set on the way to every split
	splits            []split
}

type split struct {
	address string
	backend v1alpha1.IngressBackend
	headers map[string]string
	percent int
}

// view is what one side serves: host → routes, those that match closest first.
// It is replaced whole, so that requests look it up without a lock.
type view struct {
	hosts atomic.Pointer[map[string][]route]
}

// routes holds both sides, and of which Ingress each entry is.
type routes struct {
	public, private view

	mu        sync.Mutex
	ingresses map[string]*v1alpha1.Ingress
}

func newRoutes() *routes {
	r := &routes{ingresses: map[string]*v1alpha1.Ingress{}}
	r.rebuild()
	return r
}

func (r *routes) set(key string, served *v1alpha1.Ingress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ingresses[key] = served
	r.rebuild()
}

func (r *routes) remove(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.ingresses, key)
	r.rebuild()
}

func (r *routes) rebuild() {
	public, private := map[string][]route{}, map[string][]route{}
	for _, served := range r.ingresses {
		for _, rule := range served.Spec.Rules {
			if rule.HTTP == nil {
				continue
			}
			paths := makeRoutes(rule.HTTP.Paths)
			for _, host := range rule.Hosts {
				// A cluster-local name is known by its shorter forms too, and never on the public side.
				if rule.Visibility == v1alpha1.IngressVisibilityClusterLocal {
					for name := range ingress.ExpandedHosts(sets.New(host)) {
						private[name] = append(private[name], paths...)
					}
					continue
				}
				public[host] = append(public[host], paths...)
				private[host] = append(private[host], paths...)
			}
		}
	}
	for _, hosts := range []map[string][]route{public, private} {
		for _, list := range hosts {
			sort.SliceStable(list, func(i, j int) bool { return closer(list[i], list[j]) })
		}
	}
	r.public.hosts.Store(&public)
	r.private.hosts.Store(&private)
}

// closer reports whether a is to be tried before b: longer paths first, then more
// headers to match.
func closer(a, b route) bool {
	if len(a.path) != len(b.path) {
		return len(a.path) > len(b.path)
	}
	return len(a.match) > len(b.match)
}

func makeRoutes(paths []v1alpha1.HTTPIngressPath) []route {
	var list []route
	for _, path := range paths {
		r := route{
			path: path.Path, rewriteHost: path.RewriteHost, headers: path.AppendHeaders,
			match: map[string]string{},
		}
		for name, match := range path.Headers {
			r.match[name] = match.Exact
		}
		for _, s := range path.Splits {
			host := fmt.Sprintf("%s.%s.svc.cluster.local", s.ServiceName, s.ServiceNamespace)
			r.splits = append(r.splits, split{
				address: net.JoinHostPort(host, s.ServicePort.String()),
				backend: s.IngressBackend, headers: s.AppendHeaders, percent: s.Percent,
			})
		}
		list = append(list, r)
	}
	return list
}

// find is the route for a request, if there is any.
func (v *view) find(request *http.Request) (route, bool) {
	host := request.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	for _, r := range (*v.hosts.Load())[strings.ToLower(host)] {
		if r.serves(request) {
			return r, true
		}
	}
	return route{}, false
}

func (r route) serves(request *http.Request) bool {
	if !strings.HasPrefix(request.URL.Path, r.path) {
		return false
	}
	for name, value := range r.match {
		if request.Header.Get(name) != value {
			return false
		}
	}
	return len(r.splits) > 0
}

// pick draws one of the splits by its percentage.
func (r route) pick() split {
	n := rand.IntN(100)
	for _, s := range r.splits {
		if n < s.percent {
			return s
		}
		n -= s.percent
	}
	return r.splits[0]
}
