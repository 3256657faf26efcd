package term

import (
	"fmt"

	"krt.dev/kn-krt/pkg/legible"
)

// CheckState is how a check of a cluster or a machine went.
type CheckState string

// States of a [Check].
const (
	// CheckGood: it is as it should be.
	CheckGood CheckState = "good"
	// CheckBad: no version can run.
	CheckBad CheckState = "bad"
	// CheckInfo: some versions cannot run, or something can be seen less well.
	CheckInfo CheckState = "info"
	// CheckUnknown: it could not be checked.
	CheckUnknown CheckState = "unknown"
)

// Check is what the check of one thing found, and what to do.
type Check struct {
	State CheckState `json:"state"`
	About string     `json:"about"`
	Text  string     `json:"text"`
	Fix   string     `json:"mend,omitempty"` // the key stays for scripts that read it
}

// mark is what a state is shown as.
func (s CheckState) mark() string {
	switch s {
	case CheckGood:
		return MarkGood
	case CheckBad:
		return MarkBad
	case CheckInfo:
		return MarkInfo
	}
	return MarkUnknown
}

// PrintChecks prints checks as text or JSON.
func (s Streams) PrintChecks(checks []Check, output string) error {
	if output == OutputJSON {
		return PrintJSON(s.Out, checks)
	}
	width := 0
	for _, c := range checks {
		width = max(width, len(c.About))
	}
	for _, c := range checks {
		fmt.Fprintf(s.Out, "%s %-*s  %s\n", s.Paint(c.State.mark()), width, c.About, legible.Printable(c.Text))
		if c.Fix != "" {
			fmt.Fprintf(s.Out, "   %-*s  %s\n", width, "", legible.Printable(c.Fix))
		}
	}
	return nil
}
