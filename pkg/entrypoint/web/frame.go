package web

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"connectrpc.com/connect"

	"krt.dev/kn-krt/pkg/runner/event"
)

// WriteFrame writes a message of a stream in two parts: one that has both would be a copy.
func WriteFrame(w io.Writer, message []byte) error {
	var header [event.FrameHeader]byte
	_, err := w.Write(event.AppendFrameHeader(header[:0], len(message)))
	if err == nil {
		_, err = w.Write(message)
	}
	return err
}

// Unwrap returns the only message of the body of a call of the streaming rpc, which takes an input. The
// error is Connect's.
func Unwrap(body []byte, rpc, input string) ([]byte, error) {
	var text string
	switch rest := len(body) - event.FrameHeader; {
	case len(body) == 0:
		text = fmt.Sprintf("rpc %s requires a %s, but the request has no message", rpc, input)
	case rest < 0 || int64(binary.BigEndian.Uint32(body[1:])) > int64(rest):
		text = "the message ended early"
	case int64(binary.BigEndian.Uint32(body[1:])) < int64(rest):
		text = fmt.Sprintf("rpc %s takes one message, but the request has more", rpc)
	case body[0] != 0:
		text = fmt.Sprintf("the message has the flags %d; they must be 0, or 1 with a header that names the compression", body[0])
	default:
		return body[event.FrameHeader:], nil
	}
	return nil, connect.NewError(connect.CodeInvalidArgument, errors.New(text))
}

// Ended reports whether body has nothing more.
func Ended(body io.Reader) bool {
	n, err := io.CopyN(io.Discard, body, 1)
	return n == 0 && errors.Is(err, io.EOF)
}
