package source

import "context"

// Action is what a user may do with a version.
type Action string

// Actions. Rollback publishes the version that was published before; its Order names the version
// that is published now. Configure is the right to change config values, see [Configs].
const (
	Start     Action = "start"
	Stop      Action = "stop"
	Publish   Action = "publish"
	Unpublish Action = "unpublish"
	Rollback  Action = "rollback"
	Restart   Action = "restart"
	Delete    Action = "delete"
	Configure Action = "config"
	// What is done with a canary: it is published, gets nothing any more, keeps its weight, goes on
	// with its plan, or gets the Order's Weight.
	Promote Action = "promote"
	Abort   Action = "abort"
	Pause   Action = "pause"
	Resume  Action = "resume"
	Weigh   Action = "weight"
)

// OfCanary reports whether the action is one on a canary, which no other version has.
func (a Action) OfCanary() bool {
	switch a {
	case Promote, Abort, Pause, Resume, Weigh:
		return true
	}
	return false
}

// Actors change versions. It is a part of [Source].
type Actors interface {
	// Rights returns which actions on the version the user cannot do, with the reason in a
	// sentence: a right that is missing, or that the source does not have such an action. What
	// depends on the version's present state is not among them: Act refuses it.
	Rights(ctx context.Context, ref Ref) (map[Action]string, error)
	// Act asks for the action, and returns when the request is accepted; what becomes of it is
	// seen by Watch. To ask for what is so already is not an error. A refusal is a
	// [*RefusedError], an unknown version a [*NotFoundError].
	Act(ctx context.Context, order Order) error
}

// Order is an action on a version, and why.
type Order struct {
	Ref
	Action Action
	// Comment is the user's reason, at most [MaxComment] bytes; kept in the history.
	Comment string
	// Weight is the percentage of the requests that Weigh gives the canary.
	Weight int
}

// MaxComment is the longest comment in bytes (the CRDs refuse more).
const MaxComment = 1024
