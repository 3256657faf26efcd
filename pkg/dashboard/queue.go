package dashboard

import (
	"context"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/backlog"
	"krt.dev/kn-krt/pkg/dashboard/feed"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/queue/port"
)

// queueView is what waits in the queue of a version with durable delivery.
type queueView struct {
	*source.Version
	// Queue is nil if the version has none, or it is not known what is in it.
	*backlog.Queue
	// Durable says that the version has one.
	Durable bool
	// Problem is why it is not known; nil if it is. Waiting says that it is not known yet.
	Problem *failure
	Waiting bool
}

func queuePage() page {
	return page{
		name: "queue", path: "queue", title: "Queue", tab: "Queue", remote: true,
		only: func(v *source.Version) bool { return v.Delivery == backlog.Durable },
		view: func(r *request) (any, error) { return newQueueView(r) },
		live: func(view any) []fragment {
			if view.(*queueView).Waiting {
				return nil
			}
			return []fragment{{id: "queue", template: "queue-steps", data: view}}
		},
		keep: func() any { return feed.New[*port.Report]() },
		follow: []follower{func(ctx context.Context, r *request, changed func()) error {
			if r.version.Delivery == backlog.Durable {
				r.kept.(*feed.Feed[*port.Report]).Follow(ctx, r.queue(), changed)
			}
			return nil
		}},
	}
}

// queue reads what waits.
func (r *request) queue() feed.Reader[*port.Report] {
	read := func(ctx context.Context, at *inspection.Client) (*port.Report, error) {
		return port.Client{Port: at}.Report(ctx)
	}
	return feed.Reader[*port.Report]{Source: r.source, Ref: r.ref, Read: read}
}

func newQueueView(r *request) (v *queueView, err error) {
	v = &queueView{Version: r.version, Durable: r.version.Delivery == backlog.Durable}
	if !v.Durable {
		return v, nil
	}
	var now feed.State[*port.Report]
	if kept, ok := r.kept.(*feed.Feed[*port.Report]); ok {
		now = kept.State()
	} else {
		now.Value, now.Err = r.queue().Once(r.Context())
	}
	v.Waiting = now.Waiting
	if now.Err != nil {
		v.Problem, err = inPage(now.Err)
		return v, err
	}
	if now.Value != nil {
		v.Queue = backlog.New(now.Value, time.Now())
	}
	return v, nil
}
