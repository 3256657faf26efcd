package httpclient

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"net/http"
)

// responseBody is the body of a response that is being read from conn. Closed
// after its end it gives the connection back, closed before it ends it.
type responseBody struct {
	io.Reader
	client   *Client
	conn     *connection
	host     string
	buffered *bufio.Reader
	stop     func() bool // false: ctx was done first
	reusable bool
	ended    bool
}

// readHead reads the response's head.
func (b *responseBody) readHead() (*http.Response, error) {
	b.buffered = b.client.readers.Get().(*bufio.Reader)
	b.buffered.Reset(b.conn)
	for range maxInformational {
		b.conn.readable = maxHeaderBytes
		res, err := http.ReadResponse(b.buffered, nil)
		if err != nil {
			return nil, err
		}
		if res.StatusCode < 200 && res.StatusCode != http.StatusSwitchingProtocols {
			continue
		}
		b.conn.readable = math.MaxInt
		b.Reader, b.ended = res.Body, res.Body == http.NoBody
		b.reusable = !res.Close && res.StatusCode >= 200
		res.Body = b
		return res, nil
	}
	return nil, fmt.Errorf("more than %d informational responses came", maxInformational)
}

// Read implements io.Reader.
func (b *responseBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.ended = b.ended || err == io.EOF
	return n, err
}

// Close implements io.Closer. It must be called once.
func (b *responseBody) Close() error {
	if !b.reusable || !b.ended || b.buffered.Buffered() > 0 || !b.stop() {
		b.discard()
		return nil
	}
	b.release()
	b.client.idle.put(b.host, b.conn)
	return nil
}

func (b *responseBody) discard() {
	b.stop()
	_ = b.conn.Close()
	b.release()
}

func (b *responseBody) release() {
	b.buffered.Reset(nil)
	b.client.readers.Put(b.buffered)
}
