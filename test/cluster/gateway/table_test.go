package main

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

func TestHostsIntersect(t *testing.T) {
	for _, tt := range []struct {
		listener string
		hosts    []gatewayv1.Hostname
		want     []string
	}{
		{"", nil, []string{""}},
		{"a.com", nil, []string{"a.com"}},
		{"", []gatewayv1.Hostname{"a.com", "*.b.com"}, []string{"a.com", "*.b.com"}},
		{"*.a.com", []gatewayv1.Hostname{"a.com", "x.a.com", "x.y.a.com", "*.y.a.com", "b.com"}, []string{"x.a.com", "x.y.a.com", "*.y.a.com"}},
		{"x.a.com", []gatewayv1.Hostname{"*.a.com"}, []string{"x.a.com"}},
		{"a.com", []gatewayv1.Hostname{"b.com"}, nil},
	} {
		if got := intersect(tt.listener, tt.hosts); !slices.Equal(got, tt.want) {
			t.Errorf("%q and %q have %q in common, want %q", tt.listener, tt.hosts, got, tt.want)
		}
	}
}

func TestRequestsFindTheClosestEntry(t *testing.T) {
	at := func(host, path string, exact bool, headers map[string]string) entry {
		return entry{host: host, match: match{path: path, exact: exact, headers: headers}, action: &action{port: 1}, name: host + path}
	}
	l := &served{host: "*.a.com", entries: []entry{
		at("*.a.com", "/", false, nil), at("x.a.com", "", false, nil), at("x.a.com", "/deep", false, nil),
		at("x.a.com", "/deep", false, map[string]string{"Tag": "new"}), at("x.a.com", "/deep", true, nil),
	}}
	for i := range l.entries {
		l.entries[i].action = &action{port: int32(i)}
	}
	l.sortEntries()
	table := &table{listeners: []*served{l}}
	for _, tt := range []struct {
		url, tag string
		want     int32 // the place of the entry above; -1 for none
	}{
		{"http://y.a.com/", "", 0},
		{"http://x.a.com/", "", 1},
		{"http://X.a.com:80/deeper", "", 1},
		{"http://x.a.com/deep/er", "", 2},
		{"http://x.a.com/deep/er", "new", 3},
		{"http://x.a.com/deep", "new", 4},
		{"http://a.com/", "", -1},
	} {
		request := httptest.NewRequest(http.MethodGet, tt.url, http.NoBody)
		request.Header.Set("Tag", tt.tag)
		got := int32(-1)
		if a := table.find(request); a != nil {
			got = a.port
		}
		if got != tt.want {
			t.Errorf("%s (%q) found %d, want %d", tt.url, tt.tag, got, tt.want)
		}
	}
}

func TestBackendsGetTheirShare(t *testing.T) {
	a := action{backends: []backend{{weight: 0}, {weight: 90}, {weight: 10}}}
	count := map[int]int{}
	for range 10000 {
		count[a.pick().weight]++
	}
	if count[0] != 0 || count[90] < 8500 || count[10] < 500 {
		t.Errorf("90 and 10 came out as %v", count)
	}
	if none := (&action{}).pick(); none != nil {
		t.Errorf("no backend, and %v was picked", none)
	}
}
