package source

import (
	"context"
	"time"
)

// Histories have what was done with versions. It is a part of [Source].
type Histories interface {
	// History returns what was done with the version, and what was published in its namespace.
	History(ctx context.Context, ref Ref) (*History, error)
}

// History is what is kept of the past: the last 20 entries of each kind on a cluster.
type History struct {
	// Local says that it is of a local run, which publishes nothing.
	Local bool
	// Events are the version's, Publications the namespace's; the newest is first.
	Events       []Event
	Publications []Publication
}

// Event is a change of a version.
type Event struct {
	Time time.Time
	// What is a word such as "Started".
	What    string
	Comment string
}

// Publication is a time during which a version was published.
type Publication struct {
	Version string
	// From and To are when it began and ended; To is zero while it lasts.
	From, To time.Time
	Comment  string
}
