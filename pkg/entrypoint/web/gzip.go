package web

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

	"krt.dev/kn-krt/pkg/runner/event"
)

// compression is how the body of a request is compressed.
type compression int

const (
	plain             compression = iota
	compressedBody                // as a whole, in Connect and JSON
	compressedMessage             // behind the envelope, in gRPC-Web and streams of Connect
)

// takeCompression removes from h that the body is compressed by gzip, because the
// transcoder gets it decompressed, and returns how it is compressed. Other
// compressions stay; the transcoder refuses them.
func takeCompression(h http.Header) compression {
	name, how := "Content-Encoding", compressedBody
	switch kind := mediaType(h.Get("Content-Type")); {
	case strings.HasPrefix(kind, "application/grpc"):
		name, how = "Grpc-Encoding", compressedMessage
	case strings.HasPrefix(kind, "application/connect+"):
		name, how = "Connect-Content-Encoding", compressedMessage
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

// decompress replaces the body by what it is when decompressed, counting it as it
// grows: that may be a thousand times as much.
func (b *Transcoding) decompress(body mem.BufferSlice) error {
	from := body.Reader()
	defer from.Close()
	var envelope []byte
	if b.compression == compressedMessage {
		envelope = make([]byte, envelopeBytes)
		if _, err := io.ReadFull(from, envelope); err != nil || envelope[0] != 1 {
			return nil // the transcoder reports what is wrong, if anything is
		}
		if length := binary.BigEndian.Uint32(envelope[1:]); int64(length) != int64(from.Remaining()) {
			return connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("the message declares %d bytes, but has %d", length, from.Remaining()))
		}
	}
	var data mem.BufferSlice
	if from.Remaining() > 0 {
		g := &gunzip{limit: b.limits.limit}
		if err := g.Reset(from); err != nil {
			return err
		}
		var err error
		if data, err = mem.ReadAll(counting(b.message, g), b.limits.pool); err != nil {
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

// gzip is gzip in which a message may not grow above the limit. The transcoder
// bounds only what it reads, and 4 MiB can be 4 GiB.
func (d *Decoding) gzip() vanguard.TranscoderOption {
	return vanguard.WithCompression("gzip",
		func() connect.Compressor { return gzip.NewWriter(io.Discard) },
		func() connect.Decompressor { return &gunzip{limit: d.limit} })
}

// gunzip is a connect.Decompressor.
type gunzip struct {
	gzip.Reader
	limit, left int64
}

// Reset implements connect.Decompressor.
func (g *gunzip) Reset(r io.Reader) error {
	g.left = g.limit
	return gzipError(g.Reader.Reset(r))
}

// Read implements io.Reader.
func (g *gunzip) Read(p []byte) (int, error) {
	n, err := g.Reader.Read(p[:min(int64(len(p)), g.left+1)])
	if g.left -= int64(n); g.left < 0 {
		return 0, sized(fmt.Errorf("%w: the limit is %d bytes%s", errGrown, g.limit, event.LimitNamed))
	}
	return n, gzipError(err)
}

// gzipError gives an error of compressed data the code of a client's error.
func gzipError(err error) error {
	var coded *connect.Error
	if err == nil || errors.Is(err, io.EOF) || errors.As(err, &coded) {
		return err
	}
	return connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("the body cannot be decompressed: %w", err))
}
