package source

import (
	"context"
	"slices"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/logline"
)

// EntrypointNode is what the entrypoint of a version is called among its nodes. No node can have the
// name (KRT V1, reserved names).
const EntrypointNode = "entrypoint"

// LogReaders read what the nodes and the entrypoint of a version have logged. It is a part of
// [Source].
type LogReaders interface {
	// Logs passes on the lines that q selects of what was logged until now, in the order of time,
	// and returns when all is read.
	Logs(ctx context.Context, ref Ref, q LogQuery, to LogHandler) error
	// FollowLogs does the same, in the order in which lines arrive, and continues with new lines
	// until ctx is done. It waits while one of to's functions runs, or reports lines as lost.
	FollowLogs(ctx context.Context, ref Ref, q LogQuery, to LogHandler) error
}

// LogHandler receives lines. Its functions are called one at a time.
type LogHandler struct {
	// Line may keep what it gets, and not change it: others may have the same line.
	Line func(*logline.Line)
	// Lost receives how many lines are missing before the next one.
	Lost func(n int)
	// Failed receives a sentence about a log that cannot be read. Other logs are not affected.
	Failed func(text string)
}

// LogQuery selects lines. The zero value selects all.
type LogQuery struct {
	// Nodes are names of nodes, or [EntrypointNode]; none for all.
	Nodes []string
	// Level is the lowest that is wanted.
	Level logline.Level
	// Workflow and ID select lines about one workflow and about the request of a correlation id;
	// only structured lines name them.
	Workflow, ID string
	// Text is a part of the line in any case of letters.
	Text string
	// From and To are the times between which a line was logged; zero for no limit.
	From, To time.Time
	// Tail, if more than 0, is how many of the last lines of each log are read that was there
	// before. A source may read more: it is meant to spare work.
	Tail int
}

// Match reports whether q selects the line. It does not know Tail.
func (q *LogQuery) Match(l *logline.Line) bool {
	switch {
	case len(q.Nodes) > 0 && !slices.Contains(q.Nodes, l.Node), q.Level > logline.Debug && l.Level() < q.Level:
		return false
	case q.Workflow != "" && l.Workflow() != q.Workflow, q.ID != "" && l.ID() != q.ID:
		return false
	case !q.From.IsZero() && l.Time.Before(q.From), !q.To.IsZero() && l.Time.After(q.To):
		return false
	}
	return q.Text == "" || contains(l.Text, q.Text) || contains(l.Message(), q.Text)
}

// Selective reports whether q selects among the lines of a node, so that the last ones that are
// wanted may be far before its last ones.
func (q *LogQuery) Selective() bool {
	return q.Level > logline.Debug || q.Workflow != "" || q.ID != "" || q.Text != "" || !q.To.IsZero()
}

func contains(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}
