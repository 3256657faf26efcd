package cluster

import (
	"context"
	"errors"
	"time"

	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/cluster/logs"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/logline"
)

// Logs implements [source.LogReaders].
func (s *Source) Logs(ctx context.Context, ref source.Ref, q source.LogQuery, to source.LogHandler) error {
	c, err := s.in(ref)
	if err != nil {
		return err
	}
	_, err = c.Logs(ctx, ref.Name, queryOf(q), handlerOf(q, to))
	return s.ofLogs(ctx, ref, err)
}

// FollowLogs implements [source.LogReaders].
func (s *Source) FollowLogs(ctx context.Context, ref source.Ref, q source.LogQuery, to source.LogHandler) error {
	c, err := s.in(ref)
	if err != nil {
		return err
	}
	rights := []cluster.Right{{Verb: "get", Resource: "pods", Subresource: "log"}}
	err = reviewer{c, s.options.Review}.whileAllowed(ctx, rights, func(ctx context.Context) error {
		return c.FollowLogs(ctx, ref.Name, queryOf(q), handlerOf(q, to))
	})
	if ctx.Err() == nil {
		return s.ofLogs(ctx, ref, err)
	}
	return nil
}

// queryOf is what of a query the API server and the client know.
func queryOf(q source.LogQuery) logs.Query {
	query := logs.Query{Nodes: q.Nodes, Workflow: q.Workflow}
	if !q.From.IsZero() {
		// At least a second: 0 would be all. Lines that are older are left out by the query.
		query.Since = max(time.Since(q.From), time.Second)
	}
	if q.Tail > 0 && !q.Selective() {
		query.Tail = new(int64(q.Tail))
	}
	return query
}

func handlerOf(q source.LogQuery, to source.LogHandler) logs.Handler {
	return logs.Handler{
		Line: func(l logline.Line) {
			if q.Match(&l) {
				to.Line(&l)
			}
		},
		Failed: func(e *logs.Error) {
			text := e.Error()
			if e.Retrying {
				text += "; trying again"
			}
			to.Failed(text)
		},
	}
}

// ofLogs is the error of logs that cannot be read.
func (s *Source) ofLogs(ctx context.Context, ref source.Ref, err error) error {
	if err == nil || errors.Is(err, context.Canceled) || ctx.Err() != nil {
		return err
	}
	return s.explain(ref, err)
}
