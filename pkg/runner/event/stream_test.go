package event

import (
	"net/http"
	"strings"
	"testing"
)

func TestStreamAttribute(t *testing.T) {
	for value, want := range map[string]Stream{
		"output;pkg.Token":                       {Last: "output", Message: "pkg.Token"},
		"":                                       {},
		"output":                                 {},
		";pkg.Token":                             {},
		"output;":                                {},
		"output;pkg.Token;more":                  {},
		"Output;pkg.Token":                       {},
		"output;pkg/Token":                       {},
		"output%20;pkg.Token":                    {},
		"output;" + strings.Repeat("x", 2049):    {},
		strings.Repeat("x", 64) + ";pkg.Message": {},
	} {
		h := http.Header{}
		full().WriteHeader(h)
		h[headerStream] = []string{value}
		e, err := ReadHeader(h)
		if err != nil || e.Stream != want || e.Stream.Unary() != (want == Stream{}) {
			t.Errorf("%.20q: got %+v, %v", value, e.Stream, err)
		}
		// It goes with the next event, as it came.
		again := http.Header{}
		e.Next("/s", TypeMessage, "pkg.Other", nil).WriteHeader(again)
		if got := again.Get("Ce-Krtstream"); e.Stream.Unary() && got != "" || !e.Stream.Unary() && got != value {
			t.Errorf("%.20q: became %q", value, got)
		}
	}
}

func TestStreamHeaders(t *testing.T) {
	h := http.Header{}
	full().WriteHeader(h)
	if IsStream(h) || AcceptsStream(h) {
		t.Errorf("an event is a stream: %v", h)
	}
	AcceptStream(h)
	full().WriteStream(h)
	if !IsStream(h) || !AcceptsStream(h) || h.Get("Content-Type") != "application/connect+proto" {
		t.Errorf("got %v", h)
	}
	if e, err := ReadHeader(h); err != nil || e.Message != full().Message {
		t.Errorf("got %v, %v", e, err)
	}
}
