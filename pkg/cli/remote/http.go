package remote

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// requestLog writes a line for each request, its secrets left out.
type requestLog struct {
	next http.RoundTripper
	w    io.Writer
}

// RoundTrip sends the request and writes its line.
func (l *requestLog) RoundTrip(r *http.Request) (*http.Response, error) {
	begun := time.Now()
	response, err := l.next.RoundTrip(r)
	took := time.Since(begun).Round(time.Millisecond)
	if err != nil {
		fmt.Fprintf(l.w, "%s %s: %v in %v\n", r.Method, r.URL, err, took)
		return nil, err
	}
	fmt.Fprintf(l.w, "%s %s: %s in %v\n", r.Method, r.URL, strings.TrimSpace(response.Status), took)
	return response, err
}
