package dashboard

import (
	"cmp"
	"slices"

	"krt.dev/kn-krt/pkg/dashboard/offer"
	"krt.dev/kn-krt/pkg/dashboard/source"
)

// actionTexts are the words of the buttons, in their order.
var actionTexts = [...]struct {
	action source.Action
	text   string
}{
	{source.Start, "Start"}, {source.Stop, "Stop"}, {source.Publish, "Publish"}, {source.Unpublish, "Unpublish"},
	{source.Promote, "Promote"}, {source.Abort, "Abort"}, {source.Pause, "Pause"}, {source.Resume, "Resume"},
	{source.Weigh, "Change weight"},
	{source.Restart, "Restart"}, {source.Rollback, "Roll back"}, {source.Delete, "Delete"},
}

// actionText is the action's word; empty if a page has no button for it.
func actionText(a source.Action) string {
	for _, known := range actionTexts {
		if known.action == a {
			return known.text
		}
	}
	return ""
}

// actionButton leads to the page that confirms an action.
type actionButton struct {
	Action     source.Action
	Text, Path string
	// Primary is the action that the state asks for; Minor one that is seldom needed.
	Primary, Minor bool
	// Reason is why the action is not possible; empty if it is.
	Reason string
}

// buttons are the actions of the version's state. The reasons are those of the source.
func buttons(r *request, v *source.Version, reasons map[source.Action]string) []actionButton {
	var all []actionButton
	for _, known := range actionTexts {
		a := known.action
		if !offer.Made(v, a) {
			continue
		}
		b := actionButton{Action: a, Text: known.text, Path: r.link.Action(v.Ref, a)}
		b.Primary = a == source.Start || a == source.Publish || a == source.Promote
		b.Minor = slices.Contains([]source.Action{source.Restart, source.Rollback, source.Delete, source.Pause, source.Resume, source.Weigh}, a)
		b.Reason = cmp.Or(reasons[a], offer.Impossible(v, a))
		if r.readOnly {
			b.Reason = readOnlyReason
		}
		all = append(all, b)
	}
	return all
}
