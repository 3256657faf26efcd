package web

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

// Limits of every server of an entrypoint.
const (
	// MaxHeaderBytes is the length of the longest header of a request that is served.
	MaxHeaderBytes = 64 << 10
	// FatalHeaderBytes is the length of a header from which on a connection cannot
	// go on; for one between the two only its request is refused.
	FatalHeaderBytes = 256 << 10
	// ReadHeaderTimeout bounds the reading of a request's header.
	ReadHeaderTimeout = 10 * time.Second
	// IdleTimeout is longer than a dispatcher's 90 s, so that it never posts on
	// a connection which is just being closed here.
	IdleTimeout = 5 * time.Minute
	// ResponseTime is what a client may take to read a response.
	ResponseTime = 60 * time.Second
	// readTimeout bounds the reading of one request, body included.
	readTimeout = 60 * time.Second
	// streams bounds the requests at once on a connection of HTTP/2: net/http starts a
	// goroutine for each stream before any of our code can refuse it.
	streams = 250
)

// Server is how an HTTP server serves.
type Server struct {
	// Handler serves the requests.
	Handler http.Handler
	// Timeout is how long serving a request may take at most.
	Timeout time.Duration
	// Age is how old a connection may be that is in use: before, it is asked to reconnect.
	// Zero: any age.
	Age time.Duration
	// Logger gets what net/http logs.
	Logger *slog.Logger
}

// New returns a server with the limits above, HTTP/1.1 and HTTP/2 without TLS.
func (s Server) New() *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	h := s.Handler
	if s.Age > 0 {
		h = retire(h)
	}
	return &http.Server{
		Handler:   onConnection(h),
		Protocols: protocols,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: streams, SendPingTimeout: time.Minute, PingTimeout: 20 * time.Second,
			// What is received and not read yet is not counted: a connection may hold this
			// much of it.
			MaxReceiveBufferPerStream: memory.WindowBytes, MaxReceiveBufferPerConnection: 4 * memory.WindowBytes,
		},
		ReadHeaderTimeout: ReadHeaderTimeout,
		ReadTimeout:       readTimeout,
		// Counted from the end of a request's header. Without it, a client that reads no
		// response keeps the response and a goroutine forever.
		WriteTimeout:   readTimeout + s.Timeout + ResponseTime,
		IdleTimeout:    IdleTimeout,
		MaxHeaderBytes: FatalHeaderBytes,
		ErrorLog:       slog.NewLogLogger(s.Logger.Handler(), slog.LevelDebug),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if c, ok := c.(*memory.Connection); ok {
				ctx = context.WithValue(ctx, connectionKey{}, c)
			}
			if s.Age == 0 {
				return ctx
			}
			return context.WithValue(ctx, retireAt{}, time.Now().Add(httpAge(s.Age, rand.Float64())))
		},
	}
}

// connectionKey is the context key of the connection of an HTTP request.
type connectionKey struct{}

// connectionOf returns the connection of an HTTP request; nil if it is not one of a
// [memory.Listener].
func connectionOf(ctx context.Context) *memory.Connection {
	c, _ := ctx.Value(connectionKey{}).(*memory.Connection)
	return c
}

// onConnection counts each request on its connection.
func onConnection(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c := connectionOf(r.Context()); c != nil {
			c.Begin()
			defer c.End()
		}
		h.ServeHTTP(w, r)
	})
}

// Hold prepares for a body of r that comes for as long as ctx lasts: its connection is not
// closed for another one meanwhile, and the body is read no longer. It returns what ends
// that, to be called before the response begins; nil if too many connections are held.
func Hold(ctx context.Context, w http.ResponseWriter, r *http.Request) (release func()) {
	c := connectionOf(r.Context())
	if c != nil && !c.Hold() {
		return nil
	}
	body := http.NewResponseController(w)
	_ = body.SetReadDeadline(time.Time{})
	stop := context.AfterFunc(ctx, func() { _ = body.SetReadDeadline(time.Unix(1, 0)) })
	return func() {
		if !stop() { // the deadline may be set later than now
			w.Header().Set("Connection", "close")
		}
		if c != nil {
			c.Unhold()
		}
	}
}

// BeginResponse begins a response: data counts as unsent by the connection of ctx
// until it is freed, and the client has [ResponseTime] to read it. It returns what is to
// be freed in data's place: nil if the connection is closed.
func BeginResponse(ctx context.Context, w http.ResponseWriter, data mem.Buffer) mem.Buffer {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(ResponseTime))
	if c := connectionOf(ctx); c != nil {
		return c.Sending(data)
	}
	return data
}

// Age is the most that a connection in use may live, so that an operator knows
// when all clients have left a version; ages are spread over a quarter of it
// (by from 0 to 1), so that not all clients reconnect at once.

// GRPCAge is from 75 to 92 % of age, with the ±10 % that grpc-go adds itself.
// GOAWAY needs no request to carry it, and the rest is for clients that follow the
// endpoints of a Service late.
func GRPCAge(age time.Duration) time.Duration { return age - age/6 }

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
