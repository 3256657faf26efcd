package local

import (
	"context"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

// Logs implements [source.LogReaders]: the lines that are kept, see [keptLines].
func (s *Source) Logs(ctx context.Context, ref source.Ref, q source.LogQuery, to source.LogHandler) error {
	if _, err := s.Version(ctx, ref); err != nil {
		return err
	}
	s.lines.pass(0, q, to)
	return ctx.Err()
}

// FollowLogs implements [source.LogReaders]. Lines that are dropped before a page has taken them are
// lost for it; no node waits for a page.
func (s *Source) FollowLogs(ctx context.Context, ref source.Ref, q source.LogQuery, to source.LogHandler) error {
	if _, err := s.Version(ctx, ref); err != nil {
		return err
	}
	s.lines.follow(ctx, q, to)
	return nil
}

// follow passes on the kept lines, and those that come, until ctx is done.
func (l *lines) follow(ctx context.Context, q source.LogQuery, to source.LogHandler) {
	news, end := l.news.subscribe()
	defer end()
	for seq := int64(0); ; {
		seq = l.pass(seq, q, to)
		select {
		case <-news:
		case <-ctx.Done():
			return
		}
	}
}

// pass passes on the lines that came after the one with the number seq, and returns the number of
// the last. Those that were dropped before a reader began are not lost for it.
func (l *lines) pass(seq int64, q source.LogQuery, to source.LogHandler) int64 {
	found := l.after(seq)
	if len(found) == 0 {
		return seq
	}
	last := found[len(found)-1].Seq
	if lost := last - seq - int64(len(found)); lost > 0 && seq > 0 {
		to.Lost(int(lost))
	}
	for _, kept := range found {
		if line := kept.parse(); q.Match(line) {
			to.Line(line)
		}
	}
	return last
}
