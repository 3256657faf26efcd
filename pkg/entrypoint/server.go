package entrypoint

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/entrypoint/memory"
)

// Limits of every HTTP server.
const (
	maxHeaderBytes = 64 << 10
	// fatalHeaderBytes is the length of a header from which on a connection cannot
	// go on; for one between the two only its request is refused.
	fatalHeaderBytes  = 256 << 10
	readHeaderTimeout = 10 * time.Second
	// readTimeout bounds the reading of one request, body included.
	readTimeout = 60 * time.Second
	// responseTime is what a client may take to read a response.
	responseTime = 60 * time.Second
	// idleTimeout is longer than a dispatcher's 90 s, so that it never posts on
	// a connection which is just being closed here.
	idleTimeout = 5 * time.Minute
	// grpcStreams bounds the requests at once on a connection to the gRPC port,
	// webStreams on one to the others: net/http starts a goroutine for each stream
	// before any of our code can refuse it.
	grpcStreams = 1000
	webStreams  = 250
)

// newWebServer returns a server for h with the limits above, HTTP/1.1 and
// HTTP/2 without TLS. Connections older than httpAge(age) are asked to
// reconnect; zero means never.
func (e *Entrypoint) newWebServer(h http.Handler, age time.Duration) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	s := &http.Server{
		Handler:   onConnection(h),
		Protocols: protocols,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: webStreams, SendPingTimeout: time.Minute, PingTimeout: 20 * time.Second,
			// What is received and not read yet is not counted: a connection may hold this
			// much of it.
			MaxReceiveBufferPerStream: memory.WindowBytes, MaxReceiveBufferPerConnection: 4 * memory.WindowBytes,
		},
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		// Counted from the end of a request's header. Without it, a client that reads no
		// response keeps the response and a goroutine forever.
		WriteTimeout:   readTimeout + e.options.Timeout + responseTime,
		IdleTimeout:    idleTimeout,
		MaxHeaderBytes: fatalHeaderBytes,
		ErrorLog:       slog.NewLogLogger(e.log.Handler(), slog.LevelDebug),
	}
	if age > 0 {
		s.Handler = onConnection(retire(h))
	}
	s.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		if c, ok := c.(*memory.Connection); ok {
			ctx = context.WithValue(ctx, connectionKey{}, c)
		}
		if age == 0 {
			return ctx
		}
		return context.WithValue(ctx, retireAt{}, time.Now().Add(httpAge(age, rand.Float64())))
	}
	return s
}

// connectionKey is the context key of the connection of an HTTP request.
type connectionKey struct{}

// onConnection counts each request on its connection.
func onConnection(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connectionKey{}).(*memory.Connection); ok {
			c.Begin()
			defer c.End()
		}
		h.ServeHTTP(w, r)
	})
}

// beginResponse begins a response: data counts as unsent by the connection of ctx
// until it is freed, and the client has responseTime to read it. It returns what is to
// be freed in data's place: nil if the connection is closed.
func beginResponse(ctx context.Context, w http.ResponseWriter, data mem.Buffer) mem.Buffer {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(responseTime))
	if c, ok := ctx.Value(connectionKey{}).(*memory.Connection); ok {
		return c.Sending(data)
	}
	return data
}

// Age is the most that a connection in use may live, so that an operator knows
// when all clients have left a version; ages are spread over a quarter of it
// (by from 0 to 1), so that not all clients reconnect at once.

// grpcAge is from 75 to 92 % of age, with the ±10 % that grpc-go adds itself.
// GOAWAY needs no request to carry it, and the rest is for clients that follow the
// endpoints of a Service late.
func grpcAge(age time.Duration) time.Duration { return age - age/6 }

// httpAge is from 50 to 75 %. HTTP/1.1 has no message between requests, and a
// connection that is closed there may meet one on its way, which would be lost: so
// the next response closes it, and a client with a request every quarter of age is
// gone in time.
func httpAge(age time.Duration, by float64) time.Duration {
	return age/2 + time.Duration(by*float64(age/4))
}

// retireAt is the context key of the instant at which a connection is too old.
type retireAt struct{}

// retire closes connections that are too old with the response to the request at
// hand: net/http turns the header into GOAWAY on HTTP/2.
func retire(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if at, ok := r.Context().Value(retireAt{}).(time.Time); ok && time.Now().After(at) {
			w.Header().Set("Connection", "close")
		}
		h.ServeHTTP(w, r)
	})
}
