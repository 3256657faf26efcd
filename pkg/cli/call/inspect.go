package call

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"

	"krt.dev/kn-krt/pkg/cli/requests"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/legible"
)

// backgroundPatience is how long is waited for the work behind an early reply, unless --timeout
// says how long.
const backgroundPatience = 5 * time.Second

// inspected is the call as the version has kept it.
type inspected struct {
	from    *requests.Running
	request *inspection.Request // nil if it is not kept
	id      string
	working bool // the work behind its early reply has not ended
	code    codes.Code
}

// inspected reads the request of an id, which is "" if none came from the version, and whose call
// ended with code.
func (o invokeOptions) inspected(ctx context.Context, id string, code codes.Code) (*inspected, error) {
	from, err := o.requests()
	if err != nil {
		return nil, err
	}
	i := &inspected{from: from, id: id, code: code}
	if id != "" {
		i.request, i.working, err = requests.Await(ctx, from, id, cmp.Or(o.timeout, backgroundPatience))
	}
	return i, err
}

// inspectedFailure reads the request of a call that failed, if that was asked for. That it cannot
// be read is a warning: the call's own error is the one that counts.
func (o invokeOptions) inspectedFailure(ctx context.Context, id string, code codes.Code) *inspected {
	if !o.inspect {
		return nil
	}
	i, err := o.inspected(ctx, id, code)
	if err != nil {
		fmt.Fprintf(o.streams.Err, "Warning: the request cannot be shown: %s\n", legible.Printable(err.Error()))
		return nil
	}
	return i
}

// text is the request step by step.
func (i *inspected) text(s term.Streams) string {
	const not = "The request was not inspected: the version does not allow it. "
	switch {
	case i.request == nil && i.code == codes.DeadlineExceeded:
		return fmt.Sprintf("The time was over before the version had returned the request's id. This lists the last requests: %s\n", i.from.Show)
	case i.request == nil && i.code != codes.OK:
		return "The request was not inspected: the version refused it before any node had it, or does not allow it. " + i.from.Unkept + "\n"
	case i.request == nil:
		return not + i.from.Unkept + "\n"
	}
	text := requests.Detail(i.request, s)
	if !i.request.Inspected {
		text += not + i.from.Unkept + "\n"
	}
	if i.working {
		text += fmt.Sprintf("\nThe work behind the early reply has not ended yet. Once it has, this shows all of it: %s %s\n", i.from.Show, i.id)
	}
	return text
}

// inspectedJSON is the request as -o json prints it, beside the response or the error.
type inspectedJSON struct {
	// Request is null if the version does not keep it.
	Request *inspection.Request `json:"request"`
}

func (i *inspected) json() *inspectedJSON {
	if i == nil {
		return nil
	}
	return &inspectedJSON{i.request}
}
