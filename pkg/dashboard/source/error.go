package source

// Refusal is why something is refused.
type Refusal int

const (
	// Conflict means that it cannot be done as things are, such as to stop a version that is published.
	Conflict Refusal = iota
	// Forbidden means that the user does not have the right.
	Forbidden
	// Unauthorized means that the user's credentials are not accepted, or have expired.
	Unauthorized
	// Unavailable means that this source cannot do it at all, such as to publish in a local run.
	Unavailable
	// Away means that what it takes does not respond, such as the store. It may pass.
	Away
)

// RefusedError is returned for what is refused. Other errors are failures.
type RefusedError struct {
	Refusal Refusal
	// Text is what is refused and why, in a sentence for the user.
	Text string
	// Next is what to do about it, a command as a rule; empty if there is nothing to say.
	Next string
	// Missing are the names of the version's config without whose values it is refused; none if that is not
	// the reason.
	Missing []string
}

// Error is the text.
func (e *RefusedError) Error() string { return e.Text }
