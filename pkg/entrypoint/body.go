package entrypoint

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"connectrpc.com/connect"
	"connectrpc.com/vanguard"
	"google.golang.org/grpc/mem"
)

// envelopeBytes stand before a message in gRPC and gRPC-Web.
const envelopeBytes = 5

// transcoding is a request that is transcoded, and its body. Transcoding sets
// aside whatever length a caller declares before the first byte of it has come:
// a thousand streams that declare 4 MiB and send nothing would take 4 GiB. So
// all of the body that may be is read before any is handed on, and its length is
// hidden unless it is too large, which is refused at once.
type transcoding struct {
	io.ReadCloser
	ctx                   context.Context
	ahead                 *mem.Reader
	pool                  *bufferPool
	read, limit, declared int64
	packed                bool // compressed
	turn                  turn
	response              mem.Buffer // to be freed when it is written
}

// transcodingKey is the context key of a request's transcoding.
type transcodingKey struct{}

// transcode returns r with a body that is read as a transcoding's, which must be
// ended.
func (e *Entrypoint) transcode(r *http.Request) (*http.Request, *transcoding) {
	b := &transcoding{
		ReadCloser: r.Body, ctx: r.Context(), limit: int64(e.options.MaxMessageBytes), declared: r.ContentLength,
		packed: r.Header.Get("Content-Encoding") != "" || r.Header.Get("Grpc-Encoding") != "",
		pool:   e.chunks, turn: turn{slots: e.decoders},
	}
	r = r.WithContext(context.WithValue(r.Context(), transcodingKey{}, b))
	if r.Body = b; b.declared <= b.limit {
		r.ContentLength = -1
	}
	return r, b
}

// Read implements io.Reader.
func (b *transcoding) Read(p []byte) (int, error) {
	if b.declared > b.limit {
		return 0, connect.NewError(connect.CodeResourceExhausted, fmt.Errorf("the body has %d bytes, the limit is %d", b.declared, b.limit))
	}
	if b.ahead == nil {
		data, err := mem.ReadAll(io.LimitReader(b.ReadCloser, b.limit+envelopeBytes), b.pool)
		b.ahead, b.read = data.Reader(), int64(data.Len())
		data.Free() // the reader has its own reference
		if err == nil {
			err = b.turn.take(b.ctx, data.Len(), b.packed)
		}
		if err != nil {
			return 0, err
		}
	}
	if b.ahead.Remaining() > 0 {
		return b.ahead.Read(p)
	}
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	return n, err
}

// decoded ends the time in which the body is needed.
func (b *transcoding) decoded() {
	b.turn.leave()
	if b.ahead != nil {
		_ = b.ahead.Close() // of memory
	}
}

// end ends the request.
func (b *transcoding) end() {
	b.decoded()
	if b.response != nil {
		b.response.Free()
	}
}

// smallBody is the size up to which decoding a body needs no turn.
const smallBody = 64 << 10

// turn lets one body be decoded at a time for each processor: what a body becomes
// while it is decoded may be many times its size, and is counted only then.
type turn struct {
	slots chan struct{}
	taken bool
}

// take waits for the turn of a body of n bytes, compressed or not.
func (t *turn) take(ctx context.Context, n int, packed bool) error {
	if n <= smallBody && !packed {
		return nil
	}
	select {
	case t.slots <- struct{}{}:
		t.taken = true
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// leave ends the turn.
func (t *turn) leave() {
	if t.taken {
		t.taken = false
		<-t.slots
	}
}

// errGrown is that a body is too large when it is decompressed.
var errGrown = errors.New("the message is too large when decompressed")

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
	return unpackError(g.Reader.Reset(r))
}

// Read implements io.Reader.
func (g *gunzip) Read(p []byte) (int, error) {
	n, err := g.Reader.Read(p[:min(int64(len(p)), g.left+1)])
	if g.left -= int64(n); g.left < 0 {
		return 0, connect.NewError(connect.CodeResourceExhausted, fmt.Errorf("%w: the limit is %d bytes", errGrown, g.limit))
	}
	return n, unpackError(err)
}

// unpackError gives what is wrong with compressed data the client's code.
func unpackError(err error) error {
	var coded *connect.Error
	if err == nil || errors.Is(err, io.EOF) || errors.As(err, &coded) {
		return err
	}
	return connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("the body cannot be decompressed: %w", err))
}
