package call

import (
	"context"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/invocation"
)

// callFailure is an error response of a version as -o json prints it.
type callFailure struct{ invocation.Failure }

// newCallFailure is what a status says, of a call that had the timeout and perhaps a stream.
func newCallFailure(st *status.Status, timeout time.Duration, s *streamed) callFailure {
	f := callFailure{invocation.NewFailure(st.Err())}
	if st.Code() == codes.DeadlineExceeded && f.Reason == "" && timeout > 0 {
		// Our own deadline. Its message in gRPC depends on who noticed it first.
		f.Message = fmt.Sprintf("no response within %v", timeout)
		if s.begun() {
			f.Message = fmt.Sprintf("the stream did not end within %v", timeout)
		}
	}
	return f
}

// callError returns the error of the call itself: code, message, and from the status's
// details the node and the workflow. It prints what else was asked for.
func callError(ctx context.Context, o invokeOptions, err error, also more) error {
	st := status.Convert(err)
	if st.Code() == codes.Canceled && ctx.Err() != nil {
		return fmt.Errorf("cannot wait for the response: %w", context.Canceled)
	}
	f := newCallFailure(st, o.timeout, also.streamed)
	inspected := o.inspectedFailure(ctx, also.id, st.Code())
	if o.output == term.OutputJSON {
		return f.printJSON(o.streams.Out, also, inspected, err)
	}
	var text string
	gap := ""
	if also.streamed.begun() { // as after the last message of a stream that ends
		gap = "\n"
	}
	if also.trace != nil {
		text = gap + also.trace.text()
	}
	if inspected != nil {
		text += gap + inspected.text(o.streams)
	}
	if _, err := io.WriteString(o.streams.Out, text); err != nil {
		return err
	}
	result := fmt.Errorf("%s: %s", f.Code, f.Message)
	if f.Unauthenticated() {
		return term.WithHint(result, credentialsHint)
	}
	if hint := also.streamed.hint(f.Details()); hint != "" {
		return term.WithHint(result, "%s", hint)
	}
	return result
}

// printJSON prints the failure with what else was asked for; on one line after the messages of a
// stream. It returns err as printed.
func (f callFailure) printJSON(w io.Writer, also more, i *inspected, err error) error {
	write := term.PrintJSON
	if also.streamed != nil {
		write = func(w io.Writer, v any) error { return term.NewEncoder(w).Encode(v) }
	}
	if err := write(w, struct {
		Error callFailure `json:"error"`
		*streamed
		*traceJSON
		*inspectedJSON
	}{f, also.streamed, also.trace.json(), i.json()}); err != nil {
		return err
	}
	return term.Printed(err)
}
