package pyrunner

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/runner/event"
)

// A frame between the front and a Python process is a header of
// frameHeader bytes (length of the payload, kind, sequence number of the
// request; little-endian) and the payload. shim/_krt_runner/frames.py is the other side.
const frameHeader = 9

type frameKind byte

const (
	// Front to worker: a request (see appendRequest), its cancellation, and the end of
	// the process.
	frameRequest frameKind = 1
	frameCancel  frameKind = 2
	frameEnd     frameKind = 3
	// Python to front: started (why a zygote cannot fork), or failed to start (reason); a
	// result (flags, message name, data), an early reply (message name, data), an error
	// (its kind, type, text), the request was cancelled; from the zygote: a worker ended
	// (how); a message of a stream (message name, data).
	frameReady      frameKind = 16
	frameFailed     frameKind = 17
	frameResult     frameKind = 18
	frameEarlyReply frameKind = 19
	frameError      frameKind = 20
	frameCancelled  frameKind = 21
	frameExited     frameKind = 22
	frameSend       frameKind = 23
)

// Flags of a request.
const (
	flagReplied = 1 << iota // no client waits any longer
	flagMirror              // it is a copy of a request of another version
)

// Flags of a result.
const (
	flagEarlyExit = 1 << iota
	flagNoMessage // there is none: the end of a stream, or an early exit after an early reply
)

// Kinds of a frameError.
const (
	errorHandler = iota
	errorWrongOutput
	errorTooLarge
)

// maxNameBytes limits a message's name in a frame; protobuf has no limit, the event's
// attributes have one (2048).
const maxNameBytes = 1024

var errMalformed = errors.New("malformed frame")

type frame struct {
	kind     frameKind
	sequence uint32
	payload  []byte
}

// appendFrame appends the header and payload of a frame to b.
func appendFrame(b []byte, kind frameKind, sequence uint32, payload []byte) []byte {
	b = appendHeader(b, kind, sequence, len(payload))
	return append(b, payload...)
}

func appendHeader(b []byte, kind frameKind, sequence uint32, length int) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(length))
	b = append(b, byte(kind))
	return binary.LittleEndian.AppendUint32(b, sequence)
}

// terms are what the front knows of a call in addition to its event: when it must end,
// zero for never; how long it may continue after an early reply, 0 if that does not move
// its deadline; the traceparent of the handler's run.
type terms struct {
	deadline   time.Time
	background time.Duration
	trace      string
}

// appendRequest appends the frame of a request for e without its data, which follows.
// The payload is the deadline (Unix time in nanoseconds, 0: none), how many
// nanoseconds the call may continue after an early reply (0: no change), flags of the
// request (8 bits), the lengths of workflow, correlation id, traceparent, message name,
// and the name of the messages that the client of a streaming rpc gets, empty for a unary
// rpc (16 bits each), these five, and the data.
func appendRequest(b []byte, sequence uint32, e *event.Event, t terms) []byte {
	texts := [...]string{e.Workflow, e.CorrelationID, t.trace, e.Message, e.Stream.Message}
	length := 17 + 2*len(texts) + len(e.Data)
	for _, s := range texts {
		length += len(s)
	}
	b = appendHeader(b, frameRequest, sequence, length)
	var deadline int64
	if !t.deadline.IsZero() {
		deadline = t.deadline.UnixNano()
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(deadline))
	b = binary.LittleEndian.AppendUint64(b, uint64(t.background))
	var flags byte
	if e.Replied {
		flags |= flagReplied
	}
	if e.Mirror {
		flags |= flagMirror
	}
	b = append(b, flags)
	for _, s := range texts {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(s)))
	}
	for _, s := range texts {
		b = append(b, s...)
	}
	return b
}

// frameReader reads frames. A read that times out loses nothing: next continues where
// it stopped.
type frameReader struct {
	r       *bufio.Reader
	limit   int // of a payload, in bytes
	head    [frameHeader]byte
	got     int // bytes of the header, then of the payload, that have been read
	payload []byte
}

func newFrameReader(r io.Reader, limit int) *frameReader {
	return &frameReader{r: bufio.NewReaderSize(r, 16<<10), limit: limit}
}

// next returns the next frame; its payload is not used again. The error wraps
// errMalformed if the bytes are not a frame.
func (f *frameReader) next() (frame, error) {
	for f.payload == nil {
		n, err := f.r.Read(f.head[f.got:])
		f.got += n
		if f.got < frameHeader {
			if err != nil {
				return frame{}, err
			}
			continue
		}
		length := binary.LittleEndian.Uint32(f.head[:])
		if int64(length) > int64(f.limit) {
			return frame{}, fmt.Errorf("%w: %d bytes, the limit is %d", errMalformed, length, f.limit)
		}
		f.payload, f.got = make([]byte, length), 0
	}
	for f.got < len(f.payload) {
		n, err := f.r.Read(f.payload[f.got:])
		f.got += n
		if err != nil && f.got < len(f.payload) {
			return frame{}, err
		}
	}
	out := frame{frameKind(f.head[4]), binary.LittleEndian.Uint32(f.head[5:]), f.payload}
	f.payload, f.got = nil, 0
	return out, nil
}

// encoded is an encoded protobuf message: its full name and its bytes.
type encoded struct {
	name string
	data []byte
}

// parseMessage reads a message: length of its name (16 bits), name, data.
func parseMessage(payload []byte) (encoded, error) {
	if len(payload) < 2 {
		return encoded{}, fmt.Errorf("%w: no message", errMalformed)
	}
	n := int(binary.LittleEndian.Uint16(payload))
	if n == 0 || n > maxNameBytes || 2+n > len(payload) {
		return encoded{}, fmt.Errorf("%w: a message name of %d bytes", errMalformed, n)
	}
	name := payload[2 : 2+n]
	for _, c := range name {
		if c <= ' ' || c > '~' || c == '/' {
			return encoded{}, fmt.Errorf("%w: a message name with byte %#x", errMalformed, c)
		}
	}
	return encoded{string(name), payload[2+n:]}, nil
}

// parseError reads the type and the text of an error. The payload is its kind, the
// length of the type's name (8 bits), that name, and the text.
func parseError(payload []byte) (name, text string, err error) {
	if len(payload) < 2 || 2+int(payload[1]) > len(payload) {
		return "", "", fmt.Errorf("%w: an error of %d bytes", errMalformed, len(payload))
	}
	n := 2 + int(payload[1])
	return strings.ToValidUTF8(string(payload[2:n]), "?"), string(payload[n:]), nil
}

// parseResult reads a result: its flags and its message, unless the flags say that
// there is none.
func parseResult(payload []byte) (exit bool, m *encoded, err error) {
	if len(payload) < 3 || payload[0]&^(flagEarlyExit|flagNoMessage) != 0 {
		return false, nil, fmt.Errorf("%w: a result of %d bytes", errMalformed, len(payload))
	}
	exit = payload[0]&flagEarlyExit != 0
	if payload[0]&flagNoMessage != 0 {
		return exit, nil, nil
	}
	message, err := parseMessage(payload[1:])
	return exit, &message, err
}
