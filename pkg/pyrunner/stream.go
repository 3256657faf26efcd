package pyrunner

import (
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"

	"krt.dev/kn-krt/pkg/runner"
	"krt.dev/kn-krt/pkg/runner/dict"
	"krt.dev/kn-krt/pkg/runner/event"
)

// conversion returns what is sent for m to the client of an rpc that returns a stream of
// the message output.
type conversion func(m encoded, output string) (runner.Output, error)

// unsendable is the error of a message that did not reach the client of a streaming rpc.
// The handler still runs.
type unsendable struct{ err error }

func (u *unsendable) Error() string { return u.err.Error() }
func (u *unsendable) Unwrap() error { return u.err }

// message reads the message of a frame.
func (w *worker) message(f frame) (encoded, error) {
	m, err := parseMessage(f.payload)
	w.broken = w.broken || err != nil
	return m, err
}

// reply sends the client the early reply in f. One that is lost is no error of the call,
// except in a stream: without its last message it would seem complete.
func (w *worker) reply(c *runner.HandlerContext, f frame, in *event.Event, sent conversion) error {
	message, err := w.message(f)
	if err != nil {
		return err
	}
	var out runner.Output
	if in.Stream.Unary() {
		out, err = message.output(w.limit)
	} else {
		out, err = sent(message, in.Stream.Message)
	}
	if err == nil {
		err = runner.ReplyEncoded(c, out)
	}
	switch {
	case err == nil:
	case !in.Stream.Unary() && !in.Replied:
		return &unsendable{err}
	default:
		runner.Log(c).Error("early reply lost", "error", err)
	}
	w.moveDeadline(c)
	return nil
}

// moveDeadline sets the call's deadline, which an early reply has moved, unless the call
// has been interrupted.
func (w *worker) moveDeadline(c *runner.HandlerContext) {
	_ = w.conn.SetDeadline(runner.Deadline(c))
	if runner.RequestContext(c).Err() != nil {
		_ = w.conn.SetDeadline(time.Unix(1, 0))
	}
}

// relay sends the message in f to the client. While the client does not read it waits, and
// then so does the handler, once the pipe is full.
func (w *worker) relay(c *runner.HandlerContext, f frame, output string, sent conversion) error {
	message, err := w.message(f)
	if err != nil {
		return err
	}
	out, err := sent(message, output)
	if err == nil {
		err = runner.SendEncoded(c, out)
	}
	if err != nil {
		return &unsendable{err}
	}
	return nil
}

// streamed implements conversion: a dict becomes the rpc's output.
func (n *node) streamed(m encoded, output string) (runner.Output, error) {
	out, err := m.output(n.config.maxMessageBytes)
	if err != nil || m.name != dictName {
		return out, err
	}
	return n.filled(out, output)
}

// filled returns the message output with the value of carrier, which carries a dict.
func (n *node) filled(carrier runner.Output, output string) (runner.Output, error) {
	descriptor := n.message(output)
	if descriptor == nil {
		err := fmt.Errorf("the message %s is not in the version's protos: a dict cannot be converted to it", output)
		return runner.Output{}, runner.Failed(code.Code_INTERNAL, event.ReasonWrongOutput, err)
	}
	data, err := dict.Message(descriptor, carrier.Message, carrier.Data)
	if err != nil {
		return runner.Output{}, runner.Failed(code.Code_INTERNAL, event.ReasonWrongOutput, err)
	}
	return runner.Output{Message: output, Data: data}, nil
}
