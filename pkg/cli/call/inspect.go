package call

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"krt.dev/kn-krt/pkg/cli/requests"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/inspection"
)

// How an entrypoint is asked to keep the messages of a request, and the trailer with the id by
// which they are read. Without the trailer the version does not allow it.
const (
	inspectKey     = "krt-inspect"
	correlationKey = "krt-correlation-id"
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
	refused bool // the call failed
}

// inspected reads the request of an id; "" if the version did not return one.
func (o invokeOptions) inspected(ctx context.Context, id string, failed bool) (*inspected, error) {
	from, err := o.requests()
	if err != nil {
		return nil, err
	}
	i := &inspected{from: from, id: id, refused: failed}
	if id != "" {
		i.request, i.working, err = requests.Await(ctx, from, id, cmp.Or(o.timeout, backgroundPatience))
	}
	return i, err
}

// inspectedFailure reads the request of a call that failed, if that was asked for. That it cannot
// be read is a warning: the call's own error is the one that counts.
func (o invokeOptions) inspectedFailure(ctx context.Context, id string) *inspected {
	if !o.inspect {
		return nil
	}
	i, err := o.inspected(ctx, id, true)
	if err != nil {
		fmt.Fprintf(o.streams.Err, "Warning: the request cannot be shown: %s\n", term.Printable(err.Error()))
		return nil
	}
	return i
}

// text is the request step by step.
func (i *inspected) text(s term.Streams) string {
	switch {
	case i.request == nil && i.refused:
		return "The request was not inspected: the version refused it before any node had it, or does not allow it. " + i.from.Unkept + "\n"
	case i.request == nil:
		return "The request was not inspected: the version does not allow it. " + i.from.Unkept + "\n"
	}
	text := requests.Detail(i.request, s)
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
