package runner

import (
	"sync"

	"google.golang.org/protobuf/proto"

	"krt.dev/kn-krt/pkg/runner/event"
)

// maxBuffer is the size of the largest buffer kept for other messages, in bytes: a node
// does not hold the memory of one large message forever.
const maxBuffer = 1 << 20

// buffers holds the memory of messages that have been sent. It is used only for what
// handlers return: handlers may keep what they receive.
type buffers struct{ pool sync.Pool }

// encode encodes m into a buffer from b. Give it to put when the message has been
// written.
func (b *buffers) encode(m proto.Message) (Output, error) {
	buffer, _ := b.pool.Get().(*[]byte)
	if buffer == nil {
		buffer = new([]byte)
	}
	out, err := encodeOutput(m, (*buffer)[:0])
	*buffer = out.Data
	out.buffer = buffer
	return out, err
}

// put returns a buffer of encode.
func (b *buffers) put(buffer *[]byte) {
	if buffer != nil && cap(*buffer) <= maxBuffer {
		b.pool.Put(buffer)
	}
}

// encodeOutput appends m to buffer; without a message it returns a zero Output and no
// error.
func encodeOutput(m proto.Message, buffer []byte) (Output, error) {
	if isNil(m) {
		return Output{}, nil
	}
	message, data, err := event.Append(buffer, m)
	if err != nil {
		return Output{}, wrongOutput("cannot encode the %s: %w", message, err)
	}
	return Output{Message: message, Data: data}, nil
}

// call implements invoke for h.
func (h Handler) call(c *HandlerContext, in *event.Event) (Output, error) {
	c.begin()
	out, err := h(c, in.Any())
	if err != nil {
		return Output{}, err
	}
	return c.node.buffers.encode(out)
}
