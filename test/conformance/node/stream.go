package node

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Sent is what a node notes of each message that it has sent, if it has a payload.
const Sent = "sent"

// send does an order that sends messages, and notes that the handler was cancelled
// meanwhile.
func (c *call) send(o *Order) error {
	for i := range o.GetNumber() {
		err := c.ctx.Send(&Reply{Text: fmt.Sprintf("%s-%d", o.GetText(), i), Payload: make([]byte, o.GetSize())})
		if errors.Is(err, context.Canceled) {
			return errors.Join(err, c.records.Note(c.in.GetId(), "cancelled"))
		}
		if err == nil && o.GetSize() > 0 {
			err = c.records.Note(c.in.GetId(), Sent)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// sendWrong sends a message that the rpc does not return.
func (c *call) sendWrong(o *Order) error { return c.ctx.Send(wrapperspb.String(o.GetText())) }
