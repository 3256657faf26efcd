package main

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"k8s.io/apimachinery/pkg/util/intstr"
	"knative.dev/networking/pkg/apis/networking/v1alpha1"
)

const (
	external = v1alpha1.IngressVisibilityExternalIP
	local    = v1alpha1.IngressVisibilityClusterLocal
)

func rule(visibility v1alpha1.IngressVisibility, host string, paths ...v1alpha1.HTTPIngressPath) v1alpha1.IngressRule {
	return v1alpha1.IngressRule{Hosts: []string{host}, Visibility: visibility, HTTP: &v1alpha1.HTTPIngressRuleValue{Paths: paths}}
}

func to(service string, port, percent int) v1alpha1.IngressBackendSplit {
	return v1alpha1.IngressBackendSplit{Percent: percent, IngressBackend: v1alpha1.IngressBackend{
		ServiceName: service, ServiceNamespace: "ns", ServicePort: intstr.FromInt(port),
	}}
}

func serving(rules ...v1alpha1.IngressRule) *routes {
	r := newRoutes()
	r.set("ns/one", &v1alpha1.Ingress{Spec: v1alpha1.IngressSpec{Rules: rules}})
	return r
}

func TestRequestsFindTheirService(t *testing.T) {
	r := serving(
		rule(external, "a.krt.test",
			v1alpha1.HTTPIngressPath{Splits: []v1alpha1.IngressBackendSplit{to("root", 80, 100)}},
			v1alpha1.HTTPIngressPath{Path: "/deep", Splits: []v1alpha1.IngressBackendSplit{to("deep", 81, 100)}},
			v1alpha1.HTTPIngressPath{Headers: map[string]v1alpha1.HeaderMatch{"Tag": {Exact: "new"}},
				Splits: []v1alpha1.IngressBackendSplit{to("tagged", 80, 100)}},
		),
		rule(local, "b.ns.svc.cluster.local", v1alpha1.HTTPIngressPath{Splits: []v1alpha1.IngressBackendSplit{to("inner", 80, 100)}}),
	)
	for _, tt := range []struct{ name, url, tag, public, private string }{
		{"host", "http://a.krt.test/", "", "root.ns.svc.cluster.local:80", "root.ns.svc.cluster.local:80"},
		{"host in capitals, with a port", "http://A.krt.test:8080/x", "", "root.ns.svc.cluster.local:80", "root.ns.svc.cluster.local:80"},
		{"longer path", "http://a.krt.test/deep/er", "", "deep.ns.svc.cluster.local:81", "deep.ns.svc.cluster.local:81"},
		{"header", "http://a.krt.test/", "new", "tagged.ns.svc.cluster.local:80", "tagged.ns.svc.cluster.local:80"},
		{"cluster-local", "http://b.ns.svc.cluster.local/", "", "", "inner.ns.svc.cluster.local:80"},
		{"cluster-local, short", "http://b.ns/", "", "", "inner.ns.svc.cluster.local:80"},
		{"nobody's", "http://c.krt.test/", "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			request := httptest.NewRequest(http.MethodGet, tt.url, http.NoBody)
			request.Header.Set("Tag", tt.tag)
			for side, want := range map[*view]string{&r.public: tt.public, &r.private: tt.private} {
				got := ""
				if found, ok := side.find(request); ok {
					got = found.pick().address
				}
				if got != want {
					t.Errorf("%s leads to %q, want %q", tt.url, got, want)
				}
			}
		})
	}
}

func TestSplitsGetTheirShare(t *testing.T) {
	r := route{splits: []split{{address: "none", percent: 0}, {address: "most", percent: 90}, {address: "some", percent: 10}}}
	count := map[string]int{}
	for range 10000 {
		count[r.pick().address]++
	}
	if count["none"] != 0 || count["most"] < 8500 || count["some"] < 500 {
		t.Errorf("90 and 10 percent came out as %v", count)
	}
}

func TestARemovedIngressIsNotServed(t *testing.T) {
	r := serving(rule(external, "a.krt.test", v1alpha1.HTTPIngressPath{Splits: []v1alpha1.IngressBackendSplit{to("root", 80, 100)}}))
	r.remove("ns/one")
	if _, ok := r.public.find(httptest.NewRequest(http.MethodGet, "http://a.krt.test/", http.NoBody)); ok {
		t.Error("it is")
	}
}
