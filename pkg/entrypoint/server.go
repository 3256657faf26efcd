package entrypoint

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"time"
)

// Limits of every HTTP server.
const (
	maxHeaderBytes    = 64 << 10
	readHeaderTimeout = 10 * time.Second
	// readTimeout bounds the reading of one request, body included.
	readTimeout = 60 * time.Second
	// answerTime is what a caller may take to read an answer.
	answerTime = 60 * time.Second
	// idleTimeout is longer than a dispatcher's 90 s, so that it never posts on
	// a connection which is just being closed here.
	idleTimeout = 5 * time.Minute
	// maxStreams bounds the requests at once on one HTTP/2 connection.
	maxStreams = 1000
)

// newWebServer returns a server for h with the limits above, HTTP/1.1 and
// HTTP/2 without TLS. Connections older than age (±10 %) are asked to
// reconnect; zero means never.
func (e *Entrypoint) newWebServer(h http.Handler, age time.Duration) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	s := &http.Server{
		Handler:           h,
		Protocols:         protocols,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams, SendPingTimeout: time.Minute, PingTimeout: 20 * time.Second},
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		// Counted from the end of a request's header. Without it, who reads no
		// answer keeps the answer and a goroutine for ever.
		WriteTimeout:   readTimeout + e.options.Timeout + answerTime,
		IdleTimeout:    idleTimeout,
		MaxHeaderBytes: maxHeaderBytes,
		ErrorLog:       slog.NewLogLogger(e.log.Handler(), slog.LevelDebug),
	}
	if age > 0 {
		s.Handler = retire(h)
		s.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
			jitter := time.Duration((rand.Float64() - 0.5) * 0.2 * float64(age))
			return context.WithValue(ctx, retireAt{}, time.Now().Add(age+jitter))
		}
	}
	return s
}

// retireAt is the context key of the instant at which a connection is too old.
type retireAt struct{}

// retire closes connections that are too old once the request at hand is
// answered: net/http turns the header into GOAWAY on HTTP/2.
func retire(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if at, ok := r.Context().Value(retireAt{}).(time.Time); ok && time.Now().After(at) {
			w.Header().Set("Connection", "close")
		}
		h.ServeHTTP(w, r)
	})
}
