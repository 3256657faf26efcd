package web

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"

	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/runner/clip"
)

// Prepare makes requests of all protocols uniform: the client's deadline is in
// the context if it is shorter than timeout, the media type in lower case.
func Prepare(timeout time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if kind, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil {
			if text := mime.FormatMediaType(kind, parameters); text != "" {
				r.Header.Set("Content-Type", text)
			}
		}
		if version := r.Header.Get("Connect-Protocol-Version"); version != "" && version != "1" {
			err := fmt.Errorf("the header Connect-Protocol-Version is %q; version 1 is supported", clip.Text(version, 32))
			Refuse(w, r, badHeader(err))
			return
		}
		own, err := clientTimeout(r.Header)
		if err != nil {
			Refuse(w, r, badHeader(err))
			return
		}
		if own < timeout {
			ctx, cancel := context.WithTimeout(r.Context(), own)
			defer cancel()
			r = r.WithContext(ctx)
		}
		next.ServeHTTP(w, r)
	})
}

func badHeader(err error) *spb.Status {
	return &spb.Status{Code: int32(code.Code_INVALID_ARGUMENT), Message: err.Error()}
}

// maxClientTimeout replaces every longer one: an entrypoint's own is shorter.
const maxClientTimeout = 24 * time.Hour

// clientTimeout is how long the client waits; maxClientTimeout if no header has it.
// The error names the header that cannot be read.
func clientTimeout(h http.Header) (time.Duration, error) {
	shortest := maxClientTimeout
	for _, header := range [...]struct {
		name string
		read func(string) (time.Duration, bool)
		form string
	}{
		{"Connect-Timeout-Ms", connectTimeout, `milliseconds of at most 10 digits, such as "500"`},
		{"Grpc-Timeout", grpcTimeout, `at most 8 digits and a unit (H, M, S, m, u, n), such as "500m"`},
		{"Request-Timeout", requestTimeout, `seconds, such as "30" or "0.5", or a duration such as "500ms"`},
	} {
		text := strings.TrimSpace(h.Get(header.name))
		if text == "" {
			continue
		}
		timeout, ok := header.read(text)
		if !ok {
			return 0, fmt.Errorf("the header %s is %q; it must be %s", header.name, clip.Text(text, 32), header.form)
		}
		shortest = min(shortest, timeout)
	}
	return shortest, nil
}

// connectTimeout reads a timeout of Connect.
func connectTimeout(text string) (time.Duration, bool) { return digits(text, 10, time.Millisecond) }

// digits reads a whole number of at most most digits, times unit.
func digits(text string, most int, unit time.Duration) (time.Duration, bool) {
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil || len(text) > most {
		return 0, false
	}
	if n > uint64(maxClientTimeout/unit) {
		return maxClientTimeout, true
	}
	return time.Duration(n) * unit, true
}

// grpcTimeout reads a timeout of gRPC: "TimeoutValue TimeoutUnit".
func grpcTimeout(text string) (time.Duration, bool) {
	unit, ok := map[byte]time.Duration{
		'H': time.Hour, 'M': time.Minute, 'S': time.Second,
		'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond,
	}[text[len(text)-1]]
	if !ok {
		return 0, false
	}
	return digits(text[:len(text)-1], 8, unit)
}

// requestTimeout reads seconds, or a duration of Go.
func requestTimeout(text string) (time.Duration, bool) {
	timeout, err := time.ParseDuration(text)
	if err != nil {
		timeout, err = time.ParseDuration(text + "s")
	}
	if err != nil || timeout < 0 {
		return 0, false
	}
	return min(timeout, maxClientTimeout), true
}

// ProtocolOf is how the client of a request for an rpc calls, before it is transcoded.
func ProtocolOf(r *http.Request) record.Protocol {
	if plainJSON(r) {
		return record.JSON
	}
	return protocolOf(r)
}

// protocolOf is how the client of a request for an rpc called.
func protocolOf(r *http.Request) record.Protocol {
	kind := mediaType(r.Header.Get("Content-Type"))
	switch {
	case strings.HasPrefix(kind, "application/grpc-web"):
		return record.GRPCWeb
	case strings.HasPrefix(kind, "application/grpc"):
		return record.GRPC
	case r.Header.Get("Connect-Protocol-Version") != "", kind == "application/proto", strings.HasPrefix(kind, "application/connect"),
		r.Method == http.MethodGet && strings.Contains(r.URL.RawQuery, "connect=v1"): // Connect's GET
		return record.Connect
	}
	return record.REST
}

// PrefersAsync reports whether the header Prefer asks for a response as soon as the
// request has been accepted (RFC 7240, respond-async).
func PrefersAsync(h http.Header) bool {
	for _, line := range h.Values("Prefer") {
		for preference := range strings.SplitSeq(line, ",") {
			name, _, _ := strings.Cut(preference, ";")
			if strings.EqualFold(strings.TrimSpace(name), "respond-async") {
				return true
			}
		}
	}
	return false
}
