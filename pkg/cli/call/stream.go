package call

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/invocation"
	"krt.dev/kn-krt/pkg/legible"
)

// streamed is how many messages of a stream have come, as -o json prints it.
type streamed struct {
	Messages int `json:"messages"`
}

// begun reports whether any message has come; the call may be of a unary rpc.
func (s *streamed) begun() bool { return s != nil && s.Messages > 0 }

// hint is the hint of an error with the details: after how many messages it has come, too.
func (s *streamed) hint(details string) string {
	if !s.begun() {
		return details
	}
	text := "after " + legible.Count(s.Messages, "message")
	if details != "" {
		text += "; " + details
	}
	return text
}

// stream calls a workflow that returns a stream, no longer than --timeout. It prints each message
// when it comes, and what else was asked for at the end.
func (o invokeOptions) stream(ctx context.Context, r *connection, m invocation.Method, request proto.Message) error {
	limited, cancel := o.limited(ctx)
	defer cancel()
	var printing error
	result, err := r.Stream(limited, m, invocation.Wish{Trace: o.trace, Inspect: o.inspect}, request,
		func(message *dynamicpb.Message) error {
			printing = o.printStreamed(message, m.Types)
			return printing
		})
	also := o.more(result)
	also.streamed = &streamed{result.Messages}
	switch {
	case printing != nil:
		return printing
	case err != nil:
		return callError(ctx, o, err, also)
	}
	return o.printEnd(ctx, also)
}

// printStreamed writes a message as JSON on one line, at once.
func (o invokeOptions) printStreamed(m proto.Message, types *dynamicpb.Types) error {
	text, err := messageJSON(m, types)
	if err != nil {
		return err
	}
	var line bytes.Buffer
	if err := json.Compact(&line, text); err != nil {
		return fmt.Errorf("cannot write the response as JSON: %w", err)
	}
	line.WriteByte('\n')
	_, err = line.WriteTo(o.streams.Out)
	return err
}

// printEnd prints what was asked for besides the messages.
func (o invokeOptions) printEnd(ctx context.Context, also more) error {
	i, err := o.shown(ctx, also)
	if err != nil {
		return err
	}
	if o.output == term.OutputJSON {
		if also.trace == nil && i == nil {
			return nil
		}
		return term.NewEncoder(o.streams.Out).Encode(struct {
			*streamed
			*traceJSON
			*inspectedJSON
		}{also.streamed, also.trace.json(), i.json()})
	}
	var text string
	if also.trace != nil {
		text = "\n" + also.trace.text()
	}
	if i != nil {
		text += "\n" + i.text(o.streams)
	}
	_, err = io.WriteString(o.streams.Out, text)
	return err
}
