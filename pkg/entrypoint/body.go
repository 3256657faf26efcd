package entrypoint

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"

	"connectrpc.com/connect"
	"connectrpc.com/vanguard"
)

// envelopeBytes stand before a message in gRPC and gRPC-Web.
const envelopeBytes = 5

// sizedBody is the body of a request to be transcoded. Transcoding sets aside
// whatever length a caller declares before the first byte of it has come: a
// thousand streams that declare 4 MiB and send nothing would take 4 GiB. So all
// of the body that may be is read before any is handed on, and its length is
// hidden unless it is too large, which is refused at once.
type sizedBody struct {
	io.ReadCloser
	ahead                 *bytes.Reader
	read, limit, declared int64
}

// newSizedBody puts a sizedBody in the place of r's body.
func newSizedBody(r *http.Request, limit int64) *sizedBody {
	b := &sizedBody{ReadCloser: r.Body, limit: limit, declared: r.ContentLength}
	if r.Body = b; b.declared <= limit {
		r.ContentLength = -1
	}
	return b
}

// Read implements io.Reader.
func (b *sizedBody) Read(p []byte) (int, error) {
	if b.declared > b.limit {
		return 0, connect.NewError(connect.CodeResourceExhausted, fmt.Errorf("the body has %d bytes, the limit is %d", b.declared, b.limit))
	}
	if b.ahead == nil {
		data, err := io.ReadAll(io.LimitReader(b.ReadCloser, b.limit+envelopeBytes))
		if err != nil {
			return 0, err
		}
		b.ahead, b.read = bytes.NewReader(data), int64(len(data))
	}
	if b.ahead.Len() > 0 {
		return b.ahead.Read(p)
	}
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	return n, err
}

// boundedGzip is gzip for the web port in which a message may not grow above
// the limit. Transcoding bounds only what it reads, and 4 MiB can be 4 GiB.
func (e *Entrypoint) boundedGzip() vanguard.TranscoderOption {
	limit := int64(e.options.MaxMessageBytes)
	return vanguard.WithCompression("gzip",
		func() connect.Compressor { return gzip.NewWriter(io.Discard) },
		func() connect.Decompressor { return &gunzip{limit: limit} })
}

// gunzip is a connect.Decompressor.
type gunzip struct {
	gzip.Reader
	limit, left int64
}

// Reset implements connect.Decompressor.
func (g *gunzip) Reset(r io.Reader) error {
	g.left = g.limit
	return g.Reader.Reset(r)
}

// Read implements io.Reader.
func (g *gunzip) Read(p []byte) (int, error) {
	n, err := g.Reader.Read(p[:min(int64(len(p)), g.left+1)])
	if g.left -= int64(n); g.left < 0 {
		return 0, connect.NewError(connect.CodeResourceExhausted, fmt.Errorf("the message is larger than %d bytes when decompressed", g.limit))
	}
	return n, err
}
