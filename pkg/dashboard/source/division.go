package source

import (
	"context"
	"time"

	"krt.dev/kn-krt/pkg/inspection"
)

// Dividers know how the requests of a namespace are divided between its published version and a
// canary. It is a part of [Source]. A run on this machine publishes nothing: it refuses.
type Dividers interface {
	// Division returns how requests are divided in the namespace of the version.
	Division(ctx context.Context, ref Ref) (*Division, error)
	// Differences returns the copied requests whose responses differ, newest first, as far as the
	// published version keeps them, and a sentence for each of its entrypoints that could not be asked.
	Differences(ctx context.Context, ref Ref) (list []inspection.Difference, notes []string, err error)
}

// Share is what a version gets while its namespace has a canary.
type Share struct {
	// Canary says that the version is the canary; else it is the published version, and Other the canary.
	Canary bool
	Other  string
	// Weight is the percentage of the requests that the version gets, Mirror that of those copied to it.
	Weight, Mirror int
	// Planned says that a plan sets the canary's weight, Paused that it keeps the present one, and Ended
	// that it has rolled the canary back.
	Planned, Paused, Ended bool
}

// Division is how requests are divided in a namespace.
type Division struct {
	// Published is the version that is published; zero if none is.
	Published Ref
	// Canary is the version next to it; nil if there is none.
	Canary *Canary
}

// Canary is a version that gets a share of the requests, or copies.
type Canary struct {
	Ref
	Share
	// Phase is a word such as "Progressing", and Good and Bad what it means; Verdict says in a sentence
	// what the canary waits for, or how it is judged.
	Phase, Verdict string
	Good, Bad      bool
	// Steps are those of its plan, none without one; Step is the present one, from 1, since Since.
	Steps []PlanStep
	Step  int
	Since time.Time
	// PublishedRequests and CanaryRequests are those of each side in the step; Fallbacks those that the
	// canary could not serve; Mirrored the copies whose responses were compared, Equal those that agreed.
	PublishedRequests, CanaryRequests int64
	Fallbacks, Mirrored, Equal        int64
	// Values are what is judged.
	Values []JudgedValue
	// Rules say in sentences which requests go to which side whatever the weight.
	Rules []string
}

// PlanStep is a weight for a time.
type PlanStep struct {
	Weight int
	For    time.Duration
}

// JudgedValue is a value of both sides, as text with its unit.
type JudgedValue struct {
	// Name is errorRatio, p95, accuracy, agreement or the name of a query.
	Name string
	// Limit is what the canary's may be at most, or at least; Verdict is Good, Bad, Waiting or empty.
	Published, Canary, Limit, Verdict string
}
