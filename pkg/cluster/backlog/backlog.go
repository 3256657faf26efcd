// Package backlog reaches what waits in the queue of a version with durable delivery: by its
// entrypoint, so that no credential of the queue is needed.
package backlog

import (
	"context"
	"errors"
	"fmt"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/queue/port"
)

// NoQueueError is returned for a version whose events wait in no queue.
type NoQueueError struct {
	Version  string
	Delivery v1alpha1.Delivery
}

// Error names the version and its delivery.
func (e *NoQueueError) Error() string {
	return fmt.Sprintf("version %q has no queue: its delivery is %s, not %s", e.Version, e.Delivery, v1alpha1.DeliveryDurable)
}

// Reach calls f with the inspection port of an entrypoint of the named version, which may
// look at the queue. Its error is a [*NoQueueError], as that of [cluster.Requests.One], or f's.
func Reach(ctx context.Context, c *cluster.Client, version string, f func(context.Context, *inspection.Client) error) error {
	v, err := c.Get(ctx, version)
	if err != nil {
		return err
	}
	if v.Delivery() != v1alpha1.DeliveryDurable {
		return &NoQueueError{Version: v.Name, Delivery: v.Delivery()}
	}
	ctx, cancel := context.WithTimeout(ctx, cluster.RequestTimeout)
	defer cancel()
	return c.Requests(v.Name, nil).One(ctx, f)
}

// Loss is what goes with a version that is deleted.
type Loss struct {
	// Events wait in its queue, or are in work.
	Events int64
	// Stopped says that they are not known because the version is stopped, and Left that it was told to
	// stop without waiting for them.
	Stopped, Left bool
	// Err is why they are not known of a version that is not stopped; nil if they are.
	Err error
}

// Likely reports whether events are lost, as far as that is known, or may well be.
func (l Loss) Likely() bool { return l.Events > 0 || l.Left || l.Err != nil }

// Text is what to say of it; empty if nothing is lost.
func (l Loss) Text() string {
	switch {
	case l.Err != nil:
		return fmt.Sprintf("events that wait in its queue are deleted with it; how many is not known: %v", l.Err)
	case l.Left:
		return "it was stopped without waiting for its queue: events that wait there are deleted with it"
	case l.Stopped:
		return "events that wait in its queue, if there are any, are deleted with it"
	case l.Events == 1:
		return "1 event waits in its queue, and is deleted with it"
	case l.Events > 1:
		return fmt.Sprintf("%d events wait in its queue, and are deleted with it", l.Events)
	}
	return ""
}

// Of returns what is lost if v is deleted now. Its error is that of ctx.
func Of(ctx context.Context, c *cluster.Client, v *v1alpha1.Version) (l Loss, err error) {
	if v.Delivery() != v1alpha1.DeliveryDurable {
		return Loss{}, nil
	}
	l.Err = Reach(ctx, c, v.Name, func(ctx context.Context, at *inspection.Client) error {
		r, err := port.Client{Port: at}.Report(ctx)
		if err == nil {
			l.Events = r.Events
		}
		return err
	})
	var unavailable *cluster.UnavailableError
	if errors.As(l.Err, &unavailable) && unavailable.Stopped {
		l = Loss{Stopped: true, Left: v.StopsNow()}
	}
	return l, ctx.Err()
}
