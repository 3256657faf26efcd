package entrypoint

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"connectrpc.com/connect"
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
	message               *reading // nil for a request without a body
	packing               packing
	turn                  turn
	to                    http.ResponseWriter
	response              mem.Buffer // to be freed when it is written
}

// transcodingKey is the context key of a request's transcoding.
type transcodingKey struct{}

// transcode returns r with a body that is read as a transcoding's, which must be
// ended.
func (e *Entrypoint) transcode(w http.ResponseWriter, r *http.Request) (*http.Request, *transcoding) {
	b := &transcoding{
		ReadCloser: r.Body, ctx: r.Context(), limit: int64(e.options.MaxMessageBytes), declared: r.ContentLength,
		to: w, pool: e.chunks, turn: turn{slots: e.decoders}, packing: unpacked(r.Header),
	}
	if counted, ok := r.Body.(*countedBody); ok {
		b.message = counted.message
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
		if err := b.receive(); err != nil {
			return 0, err
		}
	}
	return b.ahead.Read(p)
}

// receive reads the body to its end, and then, in its turn, decompresses it: what
// waits for a client keeps no turn.
func (b *transcoding) receive() error {
	most := b.limit + envelopeBytes
	data, err := mem.ReadAll(io.LimitReader(b.ReadCloser, most+1), b.pool)
	defer data.Free() // the reader has its own reference
	b.ahead, b.read = data.Reader(), int64(data.Len())
	switch {
	case err != nil:
		return err
	case b.read > most:
		return connect.NewError(connect.CodeResourceExhausted, fmt.Errorf("the body is too large: the limit is %d bytes", b.limit))
	}
	if err := b.turn.take(b.ctx, data.Len(), b.packing != plain); err != nil || b.packing == plain {
		return err
	}
	return b.unpack(data)
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

// take waits for the turn of a body of n bytes, compressed or not, unless it has
// been taken before.
func (t *turn) take(ctx context.Context, n int, packed bool) error {
	if t.taken || n <= smallBody && !packed {
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
