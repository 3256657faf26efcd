package traffic

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/entrypoint/memory"
	"krt.dev/kn-krt/pkg/runner/event"
)

// response is a canary's response over HTTP.
type response struct {
	status          int
	header, trailer http.Header
	body            mem.Buffer  // to be freed; nil if failure is not
	failure         *spb.Status // why there is no response
	result          code.Code
	stream          *http.Response // to be closed; nil if it is not a stream
}

// webGrowth is how many times larger a message may be in JSON than in protobuf.
const webGrowth = 16

// leastPatience is how long a request must have waited for a connection in vain so that others need
// not: clients in a hurry say nothing about the canary.
const leastPatience = 100 * time.Millisecond

var errNoConnection = errors.New("no connection could be made in time")

// send forwards a request whose body has been read. Ctx is what ends it. It reports false if the
// published version has to serve the request: the canary is not available, or has not begun to
// serve it.
func (q *Request) send(ctx context.Context, r *http.Request, body []byte) (*response, bool) {
	peer := q.state.peer
	if peer.circuit.open(time.Now()) {
		q.fallBack("no connection could be made to " + peer.address)
		return nil, false
	}
	res, err := peer.roundTrip(ctx, q.outgoing(r, body))
	var out *response
	switch {
	case err != nil:
	case res.Header.Get(Metadata) == streaming:
		return &response{status: res.StatusCode, header: responseOf(res.Header), stream: res}, true
	default:
		out, err = q.readResponse(res)
	}
	switch {
	case ctx.Err() != nil:
		out.free()
		return &response{failure: &spb.Status{Code: int32(code.Code_CANCELLED), Message: "the request has ended"}}, true
	case errors.Is(err, memory.ErrFull):
		return &response{failure: memory.Refusal(memory.ErrFull)}, true
	case errors.Is(err, event.ErrTooLarge):
		text := "the response of version " + strconv.Quote(q.state.Version) + ": " + err.Error()
		return &response{failure: &spb.Status{Code: int32(code.Code_RESOURCE_EXHAUSTED), Message: text}}, true
	case err != nil:
		q.fallBack(err.Error())
		return nil, false
	case out.result == code.Code_UNAVAILABLE || out.status == http.StatusServiceUnavailable:
		q.fallBack("it responded with " + strconv.Itoa(out.status) + ", UNAVAILABLE")
		out.free()
		return nil, false
	case res.Header.Get(Metadata) == refused:
		if why := out.fault(); why != "" {
			q.fallBack(why)
		}
		out.free()
		return nil, false
	}
	return out, true
}

// fault is what is wrong with the canary that has refused a request so; "" if the request is.
func (r *response) fault() string {
	switch {
	case r.status == http.StatusTooManyRequests:
		return "it responded with 429: it is overloaded"
	case r.status == http.StatusUnauthorized || r.result == code.Code_UNAUTHENTICATED:
		return "it refused credentials that the published version accepts"
	}
	return ""
}

func (r *response) free() {
	if r != nil && r.body != nil {
		r.body.Free()
	}
}

// roundTrip sends a request and returns the response. It gives up if there is no connection soon.
func (p *peer) roundTrip(ctx context.Context, out *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	connected, wait := false, p.patience(ctx, lateBy)
	timer := time.AfterFunc(wait, func() { cancel(errNoConnection) })
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		connected = timer.Stop() || connected // it is called again where an old connection was closed
	}})
	transport := p.web
	if isGRPC(out.Header) {
		transport = p.http2
	}
	res, err := transport.RoundTrip(out.WithContext(ctx))
	timer.Stop()
	switch {
	case connected:
		p.circuit.succeed()
	case err != nil && ctx.Err() == nil, wait >= leastPatience && context.Cause(ctx) == errNoConnection: //nolint:errorlint // it is that one
		p.circuit.fail(time.Now())
	}
	if err != nil {
		if context.Cause(ctx) == errNoConnection { //nolint:errorlint // it is that one
			err = errNoConnection
		}
		cancel(nil)
		return nil, err
	}
	res.Body = &endingBody{res.Body, cancel}
	return res, nil
}

// endingBody ends the context of its request when it is closed.
type endingBody struct {
	io.ReadCloser
	end context.CancelCauseFunc
}

// Close implements io.Closer.
func (b *endingBody) Close() error {
	err := b.ReadCloser.Close()
	b.end(nil)
	return err
}

// outgoing is the request that the canary gets for r.
func (q *Request) outgoing(r *http.Request, body []byte) *http.Request {
	out := &http.Request{
		Method: r.Method, Host: r.Host, Header: requestHeader(r.Header), ContentLength: int64(len(body)),
		URL:  &url.URL{Scheme: "http", Host: q.state.peer.address, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery},
		Body: http.NoBody, GetBody: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil },
	}
	if len(body) > 0 {
		out.Body = io.NopCloser(bytes.NewReader(body))
	}
	return out
}

// readResponse reads a response whole: as long as the client has nothing of it, the published
// version can still serve the request.
func (q *Request) readResponse(res *http.Response) (*response, error) {
	defer res.Body.Close()
	if res.StatusCode < http.StatusOK { // 101: nothing has asked for another protocol
		return nil, errors.New("it responded with " + strconv.Itoa(res.StatusCode))
	}
	length := res.ContentLength
	if res.Request != nil && res.Request.Method == http.MethodHead {
		length = 0
	}
	body, err := q.divider.options.Buffers.Read(res.Body, length, webGrowth*int64(q.divider.options.MaxMessageBytes))
	if err != nil {
		return nil, err
	}
	return &response{
		status: res.StatusCode, header: responseOf(res.Header), trailer: res.Trailer, body: body,
		result: result(res.StatusCode, res.Header),
	}, nil
}

// result is the gRPC code of a response: what the canary reports, or what its status says.
func result(status int, h http.Header) code.Code {
	if known, ok := code.Code_value[h.Get(Metadata)]; ok {
		return code.Code(known)
	}
	if n, err := strconv.Atoi(h.Get("Grpc-Status")); err == nil && n > 0 {
		return code.Code(n)
	}
	switch {
	case status < http.StatusBadRequest:
		return code.Code_OK
	case status == http.StatusServiceUnavailable:
		return code.Code_UNAVAILABLE
	case status == http.StatusGatewayTimeout:
		return code.Code_DEADLINE_EXCEEDED
	case status < http.StatusInternalServerError:
		return code.Code_INVALID_ARGUMENT
	}
	return code.Code_UNKNOWN
}

func isGRPC(h http.Header) bool {
	kind := h.Get("Content-Type")
	return kind == "application/grpc" || strings.HasPrefix(kind, "application/grpc+") || strings.HasPrefix(kind, "application/grpc;")
}
