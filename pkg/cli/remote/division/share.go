package division

import (
	"fmt"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// Of is what the named version gets of the requests by the Runtime r, which may be nil, in a few
// words: "100 %", "10 % (canary)", "copies of 50 % (canary)"; "" if it gets nothing.
func Of(r *v1alpha1.Runtime, version string) string {
	if r == nil || version == "" {
		return ""
	}
	s := r.Status.Canary
	switch {
	case s != nil && s.Version == version:
	case r.Status.PublishedVersion != version:
		return ""
	case s == nil:
		return "100 %"
	default:
		return fmt.Sprintf("%d %%", 100-s.Weight)
	}
	text := fmt.Sprintf("%d %%", s.Weight)
	if s.Mirror > 0 {
		copies := fmt.Sprintf("copies of %d %%", s.Mirror)
		if s.Weight == 0 {
			text = copies
		} else {
			text += ", " + copies
		}
	}
	return text + " (canary)"
}
