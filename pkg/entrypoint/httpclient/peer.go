package httpclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// maxPeerBytes bounds the body of the response in which a peer names itself.
const maxPeerBytes = 4 << 10

// Peer is who alone may get what is posted to an address. The address of a pod that has ended may be another's a
// moment later, but a connection ends with the pod that has accepted it. So each new connection is asked once, before
// anything is posted over it.
type Peer struct {
	// Path is asked for, by GET. In the header Header of the response, whatever its status, the peer names itself.
	Path, Header string
	// Name is the name that is expected.
	Name string
}

// name is the name that is expected, "" if nobody is.
func (p *Peer) name() string {
	if p == nil {
		return ""
	}
	return p.Name
}

// errBusy is part of the error if a peer could not name itself because it had too much to do.
var errBusy = errors.New("it is too busy")

// Busy reports whether err means that no connection was made because the server had too much to do to name itself.
func Busy(err error) bool { return errors.Is(err, errBusy) }

// ask returns an error for which [DialFailed] holds unless the peer is at the other end of conn, which is then ready
// for the next request.
func (c *Client) ask(ctx context.Context, conn *connection, address *url.URL, p *Peer) error {
	within, cancel := context.WithTimeout(ctx, c.options.ConnectTime)
	defer cancel()
	body := &responseBody{client: c, conn: conn}
	body.stop = context.AfterFunc(within, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	err := body.named(address, p)
	if !body.stop() && err == nil {
		err = context.Cause(within)
	}
	if body.buffered != nil {
		body.release()
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil: // nobody waits any more, which says nothing about the peer
		err = context.Cause(ctx)
	case within.Err() != nil:
		err = fmt.Errorf("%w: it has not named itself within %s", errBusy, c.options.ConnectTime)
	}
	return &net.OpError{Op: "dial", Net: "tcp", Addr: conn.RemoteAddr(), Err: err}
}

// named asks for the name, and returns an error unless it is the peer's.
func (b *responseBody) named(address *url.URL, p *Peer) error {
	_, err := io.WriteString(b.conn, "GET "+p.Path+" HTTP/1.1\r\nHost: "+address.Host+"\r\nUser-Agent: kn-krt\r\n\r\n")
	if err != nil {
		return err
	}
	res, err := b.readHead() //nolint:bodyclose // its body is b, which would end the connection or keep it for others
	if err != nil {
		return err
	}
	_, err = io.CopyN(io.Discard, b, maxPeerBytes)
	switch name := res.Header.Get(p.Header); {
	case name == "" && (res.StatusCode == http.StatusServiceUnavailable || res.StatusCode == http.StatusGatewayTimeout):
		return fmt.Errorf("%w: it responds to GET %s with HTTP %d", errBusy, p.Path, res.StatusCode)
	case name != p.Name:
		return fmt.Errorf("it is not %s but %q: it responds to GET %s with HTTP %d", p.Name, name, p.Path, res.StatusCode)
	case !errors.Is(err, io.EOF) || !b.reusable || b.buffered.Buffered() > 0:
		return fmt.Errorf("its response to GET %s leaves no usable connection", p.Path)
	}
	return nil
}
