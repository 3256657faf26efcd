package entrypoint

import (
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"connectrpc.com/connect"
	"connectrpc.com/vanguard"
	"google.golang.org/grpc/mem"
)

// packing is how the body of a request of the web port is compressed.
type packing int

const (
	plain         packing = iota
	packedBody            // as a whole, in Connect and JSON
	packedMessage         // behind the envelope, in gRPC-Web
)

// unpacked takes out of h that the body is compressed by gzip, for who reads on
// gets it decompressed, and says how it is. Other compressions stay; transcoding
// refuses them.
func unpacked(h http.Header) packing {
	name, how := "Content-Encoding", packedBody
	if strings.HasPrefix(mediaType(h.Get("Content-Type")), "application/grpc") {
		name, how = "Grpc-Encoding", packedMessage
	}
	if !isGzip(h.Get(name)) {
		return plain
	}
	h.Del(name)
	return how
}

func isGzip(coding string) bool {
	coding = strings.ToLower(strings.TrimSpace(coding))
	return coding == "gzip" || coding == "x-gzip"
}

// unpack puts what the body is when decompressed in its place, counting it as it
// grows: that may be a thousand times as much.
func (b *transcoding) unpack(body mem.BufferSlice) error {
	from := body.Reader()
	defer from.Close()
	var envelope []byte
	if b.packing == packedMessage {
		envelope = make([]byte, envelopeBytes)
		if _, err := io.ReadFull(from, envelope); err != nil || envelope[0] != 1 {
			return nil // transcoding says what is wrong, if anything is
		}
		if length := binary.BigEndian.Uint32(envelope[1:]); int64(length) != int64(from.Remaining()) {
			return connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("the message has %d bytes, %d came", length, from.Remaining()))
		}
	}
	var data mem.BufferSlice
	if from.Remaining() > 0 {
		g := &gunzip{limit: b.limit}
		if err := g.Reset(from); err != nil {
			return err
		}
		var err error
		if data, err = mem.ReadAll(b.message.counting(g), b.pool); err != nil {
			data.Free()
			return err
		}
	}
	if envelope != nil {
		envelope[0] = 0
		binary.BigEndian.PutUint32(envelope[1:], uint32(data.Len()))
		data = append(mem.BufferSlice{mem.SliceBuffer(envelope)}, data...)
	}
	_ = b.ahead.Close() // of memory
	b.ahead = data.Reader()
	data.Free()
	return nil
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
