package cluster

import (
	"fmt"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/krt/configvalue"
)

// Rule is a rule of the life of a version that refuses what was asked for (KRT V1,
// "Version lifecycle").
type Rule string

// Rules of a [RefusedError].
const (
	// RuleExists: there is a version of the name; Phase is its phase.
	RuleExists Rule = "Exists"
	// RuleExistsStarted: the same, and it is started: what runs does not change.
	RuleExistsStarted Rule = "ExistsStarted"
	// RuleConfigMissing: a version starts only when all its config has a value; Missing
	// is what has none.
	RuleConfigMissing Rule = "ConfigMissing"
	// RuleDeleted: the version is being deleted.
	RuleDeleted Rule = "Deleted"
	// RuleStarted: only what is stopped is deleted.
	RuleStarted Rule = "Started"
	// RuleStopped: only what is started is restarted, published or warmed up.
	RuleStopped Rule = "Stopped"
	// RuleNotReady: only what is ready is published; Why is what it waits for.
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

// Rules about canaries of a [RefusedError].
const (
	// RuleNothingPublished: there is no version beside which a canary could serve.
	RuleNothingPublished Rule = "NothingPublished"
	// RuleSameVersion: the published version is not its own canary.
	RuleSameVersion Rule = "SameVersion"
	// RuleCanary: what is the canary is neither stopped, deleted nor unpublished.
	RuleCanary Rule = "Canary"
	// RuleOtherCanary: while Other is the canary, the published version does not change, and no other
	// version is a canary.
	RuleOtherCanary Rule = "OtherCanary"
	// RuleNoCanary: no version is a canary; or, of a version that was named, it is not the canary.
	RuleNoCanary Rule = "NoCanary"
	// RuleNoPlan: without a plan there is nothing to pause.
	RuleNoPlan Rule = "NoPlan"
	// RulePlanned: the weight of a canary with a plan is not set by hand.
	RulePlanned Rule = "Planned"
	// RuleCanaryRefused: a canary that does not serve the published contract is not promoted; Why names
	// what it lacks.
	RuleCanaryRefused Rule = "CanaryRefused"
	// RuleRolledBack: what its plan has rolled back does not begin again by itself; Why is the verdict.
	RuleRolledBack Rule = "RolledBack"
)

// RefusedError is returned when a rule refuses what was asked for. Nothing was changed.
type RefusedError struct {
	// Verb is what was asked for: "start", "roll back to".
	Verb string
	// Version is the version it was asked of; "" when a rollback finds none.
	Version   string
	Namespace string
	Rule      Rule
	// Other is another version that the rule names; "" for none.
	Other string
	// Why is what the version of RuleNotReady waits for, or what RuleCanaryRefused and RuleRolledBack are
	// about.
	Why string
	// Phase is the phase of the version that RuleExists and RuleExistsStarted name; "" if
	// it cannot be read.
	Phase v1alpha1.Phase
	// Missing is what RuleConfigMissing names.
	Missing *configvalue.MissingError
}

// Error is what was refused, and why.
func (e *RefusedError) Error() string {
	what := "cannot " + e.Verb
	if e.Version != "" {
		what += fmt.Sprintf(" version %q", e.Version)
	}
	return what + ": " + e.reason()
}

func (e *RefusedError) reason() string {
	switch e.Rule {
	case RuleDeleted:
		return "it is being deleted"
	case RuleStarted:
		return "it is started"
	case RuleStopped:
		return "it is stopped"
	case RuleNotReady:
		return "it is not ready: " + e.Why
	case RulePreviousDeleted:
		return "it was published before, and has been deleted"
	case RuleConfigMissing:
		return e.Missing.Error()
	case RuleStillPublished:
		if e.Other == "" {
			return "it is being unpublished"
		}
		return fmt.Sprintf("it stays published until %q is", e.Other)
	}
	if text := e.reasonOfCanary(); text != "" {
		return text
	}
	return e.reasonThere(fmt.Sprintf("in namespace %q", e.Namespace))
}

// reasonOfCanary is the reason of the rules about canaries that do not speak of the namespace.
func (e *RefusedError) reasonOfCanary() string {
	switch e.Rule {
	case RuleSameVersion:
		return "it is the published version itself"
	case RuleNoPlan:
		return "it has no plan that changes its weight"
	case RulePlanned:
		return "its plan sets its weight"
	case RuleCanaryRefused:
		return "it does not serve the published contract: " + e.Why
	case RuleRolledBack:
		return "its plan has rolled it back: " + e.Why
	}
	return ""
}

// reasonThere is the reason of the rules that speak of the namespace.
func (e *RefusedError) reasonThere(where string) string {
	switch e.Rule {
	case RuleExists, RuleExistsStarted:
		return "it already exists " + where + parenthesised(e.Phase)
	case RulePublished:
		return "it is published " + where
	case RuleNotPublished:
		return orNothing(e.Other) + " is published " + where
	case RuleNothingPublished:
		return "nothing is published " + where
	case RuleCanary:
		return "it is the canary " + where
	case RuleOtherCanary:
		return orNothing(e.Other) + " is the canary " + where
	case RuleNoCanary:
		if e.Version != "" {
			return "it is not the canary " + where
		}
		return "no version is a canary " + where
	case RuleFirstPublished:
		return "no version was published " + where + " before " + orNothing(e.Other)
	}
	return "nothing was ever published " + where // RuleNeverPublished
}

func parenthesised(phase v1alpha1.Phase) string {
	if phase == "" {
		return ""
	}
	return fmt.Sprintf(" (%s)", phase)
}

// orNothing is the quoted name of a version, or "nothing".
func orNothing(version string) string {
	if version == "" {
		return "nothing"
	}
	return fmt.Sprintf("%q", version)
}

// refuse is the refusal by a rule of what the verb would do to the version.
func (c *Client) refuse(verb, version string, rule Rule) *RefusedError {
	return &RefusedError{Verb: verb, Version: version, Namespace: c.namespace, Rule: rule}
}
