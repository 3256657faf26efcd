package runner

import (
	"sync"

	"google.golang.org/protobuf/proto"

	"krt.dev/kn-krt/pkg/runner/event"
)

// maxBuffer is the largest buffer kept for another message, in bytes: a node
// that once made a large one does not hold its memory for ever.
const maxBuffer = 1 << 20

// buffers holds the memory of messages that have been sent. Only what handlers
// return is in it: what they receive is theirs to keep.
type buffers struct{ pool sync.Pool }

// encode encodes m into a buffer of b's, which put gives back once the message
// has been written.
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

// put takes back what encode gave.
func (b *buffers) put(buffer *[]byte) {
	if buffer != nil && cap(*buffer) <= maxBuffer {
		b.pool.Put(buffer)
	}
}

// encodeOutput encodes m behind what is in buffer; no message is no error here.
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

// call makes a caller of h.
func (h Handler) call(c *HandlerContext, in *event.Event) (Output, error) {
	c.begin()
	out, err := h(c, in.Any())
	if err != nil {
		return Output{}, err
	}
	return c.node.buffers.encode(out)
}
