package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/dashboard/source"
)

// reviewer checks again and again what a client's user may do.
type reviewer struct {
	client   *cluster.Client
	interval time.Duration
}

// whileAllowed runs f until it ends, or until the user has lost one of the rights: the API server
// checks them when a watch or a stream begins, and lets it go on for up to an hour after that. The
// error is a [*source.RefusedError] then.
func (r reviewer) whileAllowed(ctx context.Context, rights []cluster.Right, f func(context.Context) error) error {
	inner, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.review(inner, rights, cancel)
	}()
	err := f(inner)
	cancel(nil)
	<-ended
	if lost := context.Cause(inner); ctx.Err() == nil && !errors.Is(lost, context.Canceled) {
		return lost
	}
	return err
}

// review ends what is shown once a right is missing. That it cannot be asked for says nothing.
func (r reviewer) review(ctx context.Context, rights []cluster.Right, end context.CancelCauseFunc) {
	ticks := time.NewTicker(r.interval)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		if missing, err := r.client.Missing(ctx, rights); err == nil && len(missing) > 0 {
			end(&source.RefusedError{Refusal: source.Forbidden, Text: lacking(r.client.Namespace(), missing)})
			return
		}
	}
}

// lacking says which rights the user does not have.
func lacking(namespace string, missing []cluster.Right) string {
	text := "You do not have the right to "
	if namespace != "" {
		text = fmt.Sprintf("In namespace %q you do not have the right to ", namespace)
	}
	for i, right := range missing {
		if i > 0 {
			text += " and "
		}
		text += right.String()
	}
	return text + "."
}
