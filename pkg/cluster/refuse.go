package cluster

import "fmt"

// Rule is a rule of the life of a version that refuses what was asked for (KRT V1,
// "Version lifecycle").
type Rule string

// Rules of a [RefusedError].
const (
	// RuleExists: the name is taken by the version in Phase.
	RuleExists Rule = "Exists"
	// RuleConfigMissing: a version starts only when all its config has a value; Missing
	// says what has none.
	RuleConfigMissing Rule = "ConfigMissing"
	// RuleDeleted: the version is being deleted.
	RuleDeleted Rule = "Deleted"
	// RuleStarted: only what is stopped is deleted.
	RuleStarted Rule = "Started"
	// RuleStopped: only what is started is restarted or published.
	RuleStopped Rule = "Stopped"
	// RuleNotReady: only what is ready is published; Why says what it waits for.
	RuleNotReady Rule = "NotReady"
	// RulePublished: what is published is neither stopped nor deleted.
	RulePublished Rule = "Published"
	// RuleStillPublished: the same, of a version that will be published only until Other
	// is, or, without Other, until it is unpublished.
	RuleStillPublished Rule = "StillPublished"
	// RuleNotPublished: only what is published is unpublished; Other is published, or
	// nothing.
	RuleNotPublished Rule = "NotPublished"
	// RuleNeverPublished: nothing was ever published in the namespace, so that nothing can
	// be rolled back to.
	RuleNeverPublished Rule = "NeverPublished"
	// RuleFirstPublished: no version was published before the present one, which is Other.
	RuleFirstPublished Rule = "FirstPublished"
	// RulePreviousDeleted: the version that was published before has been deleted.
	RulePreviousDeleted Rule = "PreviousDeleted"
)

// RefusedError says that a rule refuses what was asked for. Nothing was changed.
type RefusedError struct {
	// Verb is what was asked for: "start", "roll back to".
	Verb string
	// Version is the version it was asked of; "" when a rollback finds none.
	Version   string
	Namespace string
	Rule      Rule
	// Other is another version that the rule names; "" for none.
	Other string
	// Why says more: of RuleNotReady what the version waits for, of RuleExists the phase
	// of the version that is there.
	Why string
	// Missing is what RuleConfigMissing names.
	Missing error
}

// Error says what was refused, and why.
func (e *RefusedError) Error() string {
	what := "cannot " + e.Verb
	if e.Version != "" {
		what += fmt.Sprintf(" version %q", e.Version)
	}
	return what + ": " + e.reason()
}

// Unwrap returns what is missing, if that is why.
func (e *RefusedError) Unwrap() error { return e.Missing }

func (e *RefusedError) reason() string {
	switch e.Rule {
	case RuleExists:
		return fmt.Sprintf("it exists in namespace %q (%s)", e.Namespace, e.Why)
	case RuleConfigMissing:
		return e.Missing.Error()
	case RuleDeleted:
		return "it is being deleted"
	case RuleStarted:
		return "it is started"
	case RuleStopped:
		return "it is stopped"
	case RuleNotReady:
		return "it is not ready: " + e.Why
	case RulePublished:
		return fmt.Sprintf("it is published in namespace %q", e.Namespace)
	case RuleNotPublished:
		return fmt.Sprintf("%s is published in namespace %q", orNothing(e.Other), e.Namespace)
	case RuleNeverPublished:
		return fmt.Sprintf("nothing was ever published in namespace %q", e.Namespace)
	case RuleFirstPublished:
		return fmt.Sprintf("no version was published in namespace %q before %s", e.Namespace, orNothing(e.Other))
	case RulePreviousDeleted:
		return "it was published before, and has been deleted"
	}
	if e.Other == "" {
		return "it is being unpublished"
	}
	return fmt.Sprintf("it stays published until %q is", e.Other)
}

// orNothing names a version, or says that there is none.
func orNothing(version string) string {
	if version == "" {
		return "nothing"
	}
	return fmt.Sprintf("%q", version)
}

// refuse refuses to do to the version what the verb says.
func (c *Client) refuse(verb, version string, rule Rule) *RefusedError {
	return &RefusedError{Verb: verb, Version: version, Namespace: c.namespace, Rule: rule}
}
