package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/entrypoint/memory"
	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/runner/event"
)

// envelopeBytes is the length of what comes before a message in gRPC, gRPC-Web and streams of
// Connect.
const envelopeBytes = 5

// Transcoding is a request that is transcoded, and its body. The transcoder
// reserves whatever length a client declares before its first byte has come: a
// thousand streams that declare 4 MiB and send nothing would take 4 GiB. So all of
// the body that is allowed is read before any is handed on, and its length is hidden:
// one that is too large is refused at once.
type Transcoding struct {
	io.ReadCloser
	ctx            context.Context
	limits         *Decoding
	before         []byte // comes before what is ahead
	ahead          *mem.Reader
	read, declared int64
	message        *memory.Upload // nil for a request without a body
	compression    compression
	streams        bool // the rpc is a streaming one
	bare           bool // the body is JSON that is to be handed on in an envelope
	turn           Turn
	to             http.ResponseWriter
	pinged         *streamed // to which pings are written meanwhile; nil if none are
	protocol       record.Protocol
	enveloped      bool       // the body is messages in envelopes
	eager          bool       // the client sends its body before it reads a response
	response       mem.Buffer // to be freed when it is written
	status         int        // HTTP, once the response has begun; 0 before
	instead        int        // HTTP, in place of 429: it is a size that is exhausted; else 0
}

// transcodingKey is the context key of a request's transcoding.
type transcodingKey struct{}

// TranscodingOf returns the transcoding of the request with the given context.
func TranscodingOf(ctx context.Context) *Transcoding {
	t, _ := ctx.Value(transcodingKey{}).(*Transcoding)
	return t
}

// transcode returns r with a body that is read as a transcoding's, which must be
// ended.
func (d *Decoding) transcode(w http.ResponseWriter, r *http.Request, by record.Protocol) (*http.Request, *Transcoding) {
	b := &Transcoding{
		ReadCloser: r.Body, ctx: r.Context(), limits: d, declared: r.ContentLength,
		to: w, protocol: by, turn: d.Turn(), compression: takeCompression(r.Header), eager: eager(r),
	}
	kind := mediaType(r.Header.Get("Content-Type"))
	b.enveloped = strings.HasPrefix(kind, "application/grpc-web") || strings.HasPrefix(kind, "application/connect+")
	if counted, ok := r.Body.(*countedBody); ok {
		b.message = counted.Upload
	}
	r = r.WithContext(context.WithValue(r.Context(), transcodingKey{}, b))
	r.Body, r.ContentLength = b, -1
	return r, b
}

// Read implements io.Reader.
func (b *Transcoding) Read(p []byte) (int, error) {
	if b.declared > b.most() {
		return 0, b.tooLarge(fmt.Sprintf("the body has %d bytes", b.declared))
	}
	if b.ahead == nil {
		if err := b.receive(); err != nil {
			return 0, err
		}
	}
	if n := copy(p, b.before); n > 0 {
		b.before = b.before[n:]
		return n, nil
	}
	return b.ahead.Read(p)
}

// most is how many bytes the body may have.
func (b *Transcoding) most() int64 {
	if b.enveloped {
		return b.limits.MaxBody()
	}
	return b.limits.limit
}

func (b *Transcoding) tooLarge(what string) *connect.Error {
	b.instead = http.StatusRequestEntityTooLarge
	return ConnectError(sizeFailure(fmt.Sprintf("%s, the limit is %d%s", what, b.limits.limit, event.LimitNamed)))
}

// receive reads the body to its end, and then, in its turn, decompresses it: what
// waits for a client keeps no turn.
func (b *Transcoding) receive() error {
	most := b.most()
	data, err := mem.ReadAll(io.LimitReader(b.ReadCloser, most+1), b.limits.pool)
	defer data.Free() // the reader has its own reference
	b.ahead, b.read = data.Reader(), int64(data.Len())
	switch {
	case err != nil:
		return err
	case b.read > most:
		return b.tooLarge("the body is too large")
	}
	err = b.turn.take(b.ctx, data.Len(), b.compression != plain)
	if err == nil && b.compression != plain {
		if err = b.decompress(data); errors.Is(err, errGrown) {
			b.instead = http.StatusRequestEntityTooLarge
		}
	}
	if err == nil && b.bare {
		b.envelop()
	}
	return err
}

// whole reads a body that has not been read, into memory that is taken once all of it has come.
func (b *Transcoding) whole() ([]byte, error) {
	if err := b.receive(); err != nil {
		return nil, err
	}
	text := make([]byte, b.ahead.Remaining())
	_, err := io.ReadFull(b.ahead, text)
	return text, err
}

// envelop puts an envelope before the body. As in a unary call, an empty body is an empty message.
func (b *Transcoding) envelop() {
	length := b.ahead.Remaining()
	if length > 0 {
		b.before = event.AppendFrameHeader(nil, length)
		return
	}
	b.before = event.AppendFrame(nil, []byte("{}"))
}

// Decoded ends the time in which the body is needed. That of a streaming rpc, whose response may
// take minutes, is not counted any more.
func (b *Transcoding) Decoded() {
	b.turn.Leave()
	if b.ahead != nil {
		_ = b.ahead.Close() // of memory
	}
	if b.streams && b.message != nil {
		b.message.Done()
	}
}

// Protocol is how the client called.
func (b *Transcoding) Protocol() record.Protocol { return b.protocol }

// Refusal returns why the transcoder has refused the request, which it does while the
// body is read: it cannot be decoded. It has responded then, or will, and the body that it handed
// on is empty. It is nil otherwise.
func (b *Transcoding) Refusal() *spb.Status {
	switch b.status {
	case 0:
		return nil
	case http.StatusRequestEntityTooLarge, http.StatusTooManyRequests:
		return &spb.Status{Code: int32(code.Code_RESOURCE_EXHAUSTED), Message: "the body is too large"}
	}
	return &spb.Status{Code: int32(code.Code_INVALID_ARGUMENT), Message: "the body cannot be decoded"}
}

// Writer is the writer below the transcoder's.
func (b *Transcoding) Writer() http.ResponseWriter { return b.to }

// Sent sends what has been written of a stream, and then ends the deadline of that. A ping comes from another
// goroutine, and one of both uses the connection at a time.
func (b *Transcoding) Sent() error {
	if b.pinged != nil {
		b.pinged.mu.Lock()
		defer b.pinged.mu.Unlock()
	}
	control := http.NewResponseController(b.to)
	if err := control.Flush(); err != nil {
		return err
	}
	return control.SetWriteDeadline(time.Time{})
}

// FreeAtEnd frees a response when the request ends: what is written to the
// transcoder is sent only after its handler has returned. It may be too large in JSON.
func (b *Transcoding) FreeAtEnd(response mem.Buffer) {
	b.response, b.instead = response, http.StatusUnprocessableEntity
}

// Failed returns the error of Connect for a call that has failed with s.
func (b *Transcoding) Failed(s *spb.Status) *connect.Error {
	b.instead = sizeStatus(s)
	return ConnectError(s)
}

// Ended notes that a stream has ended with s, nil if it has not failed, and returns its end.
func (b *Transcoding) Ended(s *spb.Status) event.End {
	b.instead = sizeStatus(s)
	return event.End{Failure: s}
}

// end ends the request.
func (b *Transcoding) end() {
	b.Decoded()
	if b.response != nil {
		b.response.Free()
	}
}
