package entrypoint

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// client posts to nodes and channels over pooled HTTP/1.1 connections. An
// entrypoint spends most of its time here. The client of net/http hands each
// exchange to two goroutines of the connection and back; this one does all on
// the request's own, and a connection that rests holds no buffer and no
// goroutine. Reading the answer is left to net/http.
type client struct {
	dialer  net.Dialer
	age     time.Duration // of a link that is used again, at most; 0: any
	idle    idleLinks
	readers sync.Pool // of *bufio.Reader, for links in use
	writers sync.Pool // of *[]byte
	// secure is for https alone, which nothing inside a version uses by default.
	secure *http.Transport
}

const (
	// joinBytes is up to which size a body is copied behind its header and sent
	// in one piece; a larger one is handed to the kernel as it is.
	joinBytes = 16 << 10
	// refusedPatience bounds the wait for the answer to a request that could not
	// be sent whole: a node may refuse a body without reading it.
	refusedPatience = time.Second
	// dialTimeout bounds a try to connect. Where a pod is gone and its Service does
	// not know yet, nothing answers; the next try is sent elsewhere.
	dialTimeout = time.Second
	// maxInformational bounds the 1xx answers before the answer.
	maxInformational = 5
)

func newClient() *client {
	c := &client{dialer: net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}}
	c.readers.New = func() any { return bufio.NewReaderSize(nil, 4<<10) }
	c.writers.New = func() any { return new([]byte) }
	c.secure = &http.Transport{
		DialContext: c.dialer.DialContext, IdleConnTimeout: restTime,
		DisableCompression: true, MaxResponseHeaderBytes: maxHeaderBytes,
	}
	return c
}

// close closes the links that rest.
func (c *client) close() {
	c.idle.close()
	c.secure.CloseIdleConnections()
}

// outgoing is what is posted: data, and what to call once all of it has been sent.
type outgoing struct {
	data []byte
	sent func() // may be nil
}

// post posts data to address and returns the answer, whose body must be closed.
// Data is not used any more once post has returned. The exchange, reading the
// body included, ends when ctx does.
func (c *client) post(ctx context.Context, address *url.URL, header http.Header, out outgoing) (*http.Response, error) {
	if address.Scheme != "http" {
		return c.postSecure(ctx, address, header, out)
	}
	l, err := c.connect(ctx, address)
	if err != nil {
		return nil, err
	}
	x := &answerBody{client: c, link: l, host: address.Host}
	// A deadline in the past ends whatever the link is at.
	x.stop = context.AfterFunc(ctx, func() { _ = l.SetDeadline(time.Unix(1, 0)) })
	sent := c.send(l, address, header, out.data)
	if sent == nil && out.sent != nil {
		out.sent()
	}
	if sent != nil && ctx.Err() == nil {
		_ = l.SetReadDeadline(time.Now().Add(refusedPatience))
	}
	res, err := x.answer()
	if err != nil {
		x.discard()
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause
		}
		return nil, errors.Join(sent, err)
	}
	x.reusable = x.reusable && sent == nil
	return res, nil
}

// postSecure is post over net/http's client, which may read data longer.
func (c *client) postSecure(ctx context.Context, address *url.URL, header http.Header, out outgoing) (*http.Response, error) {
	if out.sent != nil {
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(wrote httptrace.WroteRequestInfo) {
			if wrote.Err == nil {
				out.sent()
			}
		}})
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address.String(), bytes.NewReader(bytes.Clone(out.data)))
	if err != nil {
		return nil, err
	}
	req.Header = header
	return c.secure.RoundTrip(req)
}

// connect returns a link that rested, or a new one.
func (c *client) connect(ctx context.Context, address *url.URL) (*link, error) {
	if l := c.idle.get(address.Host); l != nil {
		return l, nil
	}
	host := address.Host
	if address.Port() == "" {
		host = net.JoinHostPort(address.Hostname(), "80")
	}
	conn, err := c.dialer.DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, err
	}
	return newLink(conn, c.age)
}

// send writes a request to l.
func (c *client) send(l *link, address *url.URL, header http.Header, data []byte) (err error) {
	buffer := c.writers.Get().(*[]byte)
	defer c.writers.Put(buffer)
	*buffer = appendHead((*buffer)[:0], address, header, len(data))
	if len(data) > joinBytes {
		_, err = (&net.Buffers{*buffer, data}).WriteTo(l.Conn)
		return err
	}
	*buffer = append(*buffer, data...)
	_, err = l.Write(*buffer)
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

// answerBody is an answer on its way: the rest of it is read from link. Closed
// after its end it gives the link back, closed before it ends the link.
type answerBody struct {
	io.Reader
	client   *client
	link     *link
	host     string
	buffered *bufio.Reader
	stop     func() bool // false: ctx was done first
	reusable bool
	ended    bool
}

// answer reads the answer's head.
func (x *answerBody) answer() (*http.Response, error) {
	x.buffered = x.client.readers.Get().(*bufio.Reader)
	x.buffered.Reset(x.link)
	for range maxInformational {
		x.link.budget = maxHeaderBytes
		res, err := http.ReadResponse(x.buffered, nil)
		if err != nil {
			return nil, err
		}
		if res.StatusCode < 200 && res.StatusCode != http.StatusSwitchingProtocols {
			continue
		}
		x.link.budget = math.MaxInt
		x.Reader, x.ended = res.Body, res.Body == http.NoBody
		x.reusable = !res.Close && res.StatusCode >= 200
		res.Body = x
		return res, nil
	}
	return nil, fmt.Errorf("more than %d informational answers came", maxInformational)
}

// Read implements io.Reader.
func (x *answerBody) Read(p []byte) (int, error) {
	n, err := x.Reader.Read(p)
	x.ended = x.ended || err == io.EOF
	return n, err
}

// Close implements io.Closer. It must be called once.
func (x *answerBody) Close() error {
	if !x.reusable || !x.ended || x.buffered.Buffered() > 0 || !x.stop() {
		x.discard()
		return nil
	}
	x.release()
	x.client.idle.put(x.host, x.link)
	return nil
}

func (x *answerBody) discard() {
	x.stop()
	_ = x.link.Close()
	x.release()
}

func (x *answerBody) release() {
	x.buffered.Reset(nil)
	x.client.readers.Put(x.buffered)
}
