// Package httpclient posts to nodes and channels over pooled HTTP/1.1
// connections. An entrypoint spends most of its time here. The client of net/http
// hands each exchange to two goroutines of the connection and back; this one does
// all on the request's own, and an idle connection holds no buffer and no
// goroutine. Reading the response is left to net/http.
package httpclient

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Client posts to nodes and channels. Its methods may be called from several
// goroutines.
type Client struct {
	options Options
	dialer  net.Dialer
	idle    idleConnections
	readers sync.Pool // of *bufio.Reader, for connections in use
	writers sync.Pool // of *[]byte
	// secure is for https alone, which nothing inside a version uses by default.
	secure *http.Transport
}

const (
	// joinBytes is up to which size a body is copied behind its header and sent
	// in one piece; a larger one is handed to the kernel as it is.
	joinBytes = 16 << 10
	// maxRefusalWait bounds the wait for the response to a request that could not
	// be sent whole: a node may refuse a body without reading it.
	maxRefusalWait = time.Second
	// connectTime is the default of Options.ConnectTime. Where a pod is gone and its Service does
	// not know yet, nothing responds; the next try is sent elsewhere.
	connectTime = time.Second
	// lossTime is how long what was sent may remain unacknowledged, and how long a connection on which a response is
	// awaited may be silent although the other end is asked: a machine or a pod that is lost closes none.
	lossTime = 5 * time.Second
	// askTimes is how often it is asked in that time, each askPause.
	askTimes, askPause = 3, time.Second
	// maxInformational bounds the 1xx responses before the response.
	maxInformational = 5
	// maxHeaderBytes bounds the header of a response.
	maxHeaderBytes = 64 << 10
)

// Options tune a client. The zero value of each field means its default.
type Options struct {
	// MaxAge bounds the age of a connection that is used again. Default: it may have any.
	MaxAge time.Duration
	// ConnectTime bounds a try to connect, and how long a [Peer] may take to name itself. Default: 1 s.
	ConnectTime time.Duration
	// Near reaches nodes in this process. Default: there are none.
	Near Near
}

// New returns a client.
func New(o Options) *Client {
	o.ConnectTime = cmp.Or(o.ConnectTime, connectTime)
	c := &Client{options: o, dialer: net.Dialer{Timeout: o.ConnectTime, KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: lossTime - askTimes*askPause, Interval: askPause, Count: askTimes,
	}}}
	c.readers.New = func() any { return bufio.NewReaderSize(nil, 4<<10) }
	c.writers.New = func() any { return new([]byte) }
	c.secure = &http.Transport{
		DialContext: c.dialer.DialContext, IdleConnTimeout: idleTime,
		DisableCompression: true, MaxResponseHeaderBytes: maxHeaderBytes,
	}
	return c
}

// Close closes the idle connections.
func (c *Client) Close() {
	c.idle.close()
	c.secure.CloseIdleConnections()
}

// Forget closes the idle connections to a host, which has the form of
// url.URL.Host.
func (c *Client) Forget(host string) { c.idle.forget(host) }

// DialFailed reports whether err means that no connection could be made, so that
// nothing was sent: the server at the address has not seen the request, or it is
// not the [Peer].
func DialFailed(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// Body is what is posted.
type Body struct {
	Data []byte
	// Sent is called once all of Data has been sent. It may be nil.
	Sent func()
	// Peer alone may get it; nil: whoever is at the address.
	Peer *Peer
	// Known says that it is posted over a connection that has been made before, or not at all.
	Known bool
	// Whole says that the response is of use only as a whole, not while it is being written.
	Whole bool
}

// Post posts a body to address and returns the response, whose body must be
// closed. The data is not used any more once Post has returned. The exchange,
// reading the response's body included, ends when ctx does.
func (c *Client) Post(ctx context.Context, address *url.URL, header http.Header, out Body) (*http.Response, error) {
	if address.Scheme != "http" {
		return c.postSecure(ctx, address, header, out)
	}
	if c.options.Near != nil && out.Whole {
		if h, base, done := c.options.Near.Handler(address.Host); h != nil {
			return postWithin(ctx, within{h, base, done}, address, header, out)
		}
	}
	return c.postPlain(ctx, address, header, out)
}

// postPlain is Post by a connection without TLS.
func (c *Client) postPlain(ctx context.Context, address *url.URL, header http.Header, out Body) (*http.Response, error) {
	conn, err := c.connect(ctx, address, out)
	if err != nil {
		return nil, err
	}
	body := &responseBody{client: c, conn: conn, host: address.Host}
	// A deadline in the past ends whatever the connection is blocked in.
	body.stop = context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	sent := c.send(conn, address, header, out.Data)
	if sent == nil && out.Sent != nil {
		out.Sent()
	}
	if sent != nil && ctx.Err() == nil {
		_ = conn.SetReadDeadline(time.Now().Add(maxRefusalWait))
	}
	res, err := body.readHead()
	if err != nil {
		body.discard()
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause
		}
		return nil, errors.Join(sent, err)
	}
	body.reusable = body.reusable && sent == nil
	return res, nil
}

// postSecure is Post over net/http's client, which may read data longer.
func (c *Client) postSecure(ctx context.Context, address *url.URL, header http.Header, out Body) (*http.Response, error) {
	if out.Sent != nil {
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(wrote httptrace.WroteRequestInfo) {
			if wrote.Err == nil {
				out.Sent()
			}
		}})
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address.String(), bytes.NewReader(bytes.Clone(out.Data)))
	if err != nil {
		return nil, err
	}
	req.Header = header
	return c.secure.RoundTrip(req)
}

// errNoneKnown is why nothing is posted that must go over a connection that has been made before.
var errNoneKnown = errors.New("no connection is idle, and none is to be made now")

// connect returns an idle connection, or a new one, to the peer unless that is nil.
func (c *Client) connect(ctx context.Context, address *url.URL, out Body) (*connection, error) {
	if idle := c.idle.get(address.Host, out.Peer.name()); idle != nil {
		return idle, nil
	}
	if out.Known {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errNoneKnown}
	}
	peer, host := out.Peer, address.Host
	if c.options.Near != nil {
		if conn, err := c.options.Near.Dial(host); conn != nil || err != nil {
			return near(conn, err)
		}
	}
	if address.Port() == "" {
		host = net.JoinHostPort(address.Hostname(), "80")
	}
	dialled, err := c.dialer.DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, err
	}
	conn, err := newConnection(dialled, c.options.MaxAge)
	if err != nil || peer == nil {
		return conn, err
	}
	if err := c.ask(ctx, conn, address, peer); err != nil {
		_ = conn.Close()
		return nil, err
	}
	conn.peer = peer.name()
	return conn, nil
}

func near(conn net.Conn, err error) (*connection, error) {
	if err != nil {
		return nil, err
	}
	return newConnection(conn, 0)
}

// send writes a request to conn.
func (c *Client) send(conn *connection, address *url.URL, header http.Header, data []byte) (err error) {
	buffer := c.writers.Get().(*[]byte)
	defer c.writers.Put(buffer)
	*buffer = appendHead((*buffer)[:0], address, header, len(data))
	conn.limitLoss(len(data))
	if len(data) > joinBytes {
		_, err = (&net.Buffers{*buffer, data}).WriteTo(conn.Conn)
		return err
	}
	*buffer = append(*buffer, data...)
	_, err = conn.Write(*buffer)
	return err
}

// appendHead appends a request's head to b.
func appendHead(b []byte, address *url.URL, header http.Header, length int) []byte {
	b = append(b, "POST "...)
	b = append(b, address.RequestURI()...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, address.Host...)
	b = append(b, "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(length), 10)
	b = append(b, "\r\n"...)
	for name, values := range header {
		for _, value := range values {
			if strings.IndexByte(value, '\n') >= 0 || strings.IndexByte(value, '\r') >= 0 {
				continue // would begin a header of its own; attributes are percent-encoded before
			}
			b = append(b, name...)
			b = append(b, ": "...)
			b = append(b, value...)
			b = append(b, "\r\n"...)
		}
	}
	return append(b, "\r\n"...)
}
