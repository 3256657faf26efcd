package hint

import "krt.dev/kn-krt/pkg/cluster"

// hintCanary is what to do about a rule about canaries.
func (p Place) hintCanary(e *cluster.RefusedError) string {
	abort := "abort it with '" + p.Command("abort") + "'"
	switch e.Rule {
	case cluster.RuleNothingPublished:
		return "Publish it whole with '" + p.Command("publish %s", e.Version) + "'."
	case cluster.RuleSameVersion:
		return "Name another version; '" + p.Command("list") + "' shows them."
	case cluster.RuleCanary, cluster.RuleOtherCanary:
		return "Promote it with '" + p.Command("promote") + "', or " + abort + "."
	case cluster.RuleNoCanary:
		return "Make a version the canary with '" + p.Command("publish NAME --canary 10") + "'; '" + p.Command("traffic") +
			"' shows what there is."
	case cluster.RuleNoPlan:
		return "Change its weight with '" + p.Command("traffic %s=PERCENT", e.Version) + "'."
	case cluster.RulePlanned:
		return "Keep the present weight with '" + p.Command("pause") + "', or replace the plan with '" +
			p.Command("publish %s --canary PERCENT", e.Version) + "'."
	case cluster.RuleCanaryRefused:
		return "To publish it all the same, " + abort + " first."
	case cluster.RuleRolledBack:
		return "To begin again, " + abort + " first."
	}
	return ""
}
