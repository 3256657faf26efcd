package panel

import (
	"slices"
	"strconv"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

// PlanStep is a step of the plan.
type PlanStep struct {
	source.PlanStep
	// Word is where the plan is with it: "done", "now" or "to come".
	Word string
}

// JudgedRow is a value of both sides.
type JudgedRow struct {
	Head, Published, Canary, Limit string
	// Verdict is a word, and State its sign.
	Verdict string
	State   source.State
}

// stepWord is where the plan is with the step of that number.
func stepWord(n int, c *source.Canary) string {
	switch {
	case c.Step > n:
		return "done"
	case c.Step == n:
		return "now"
	}
	return "to come"
}

// JudgedRows are the rows of the table: what each side has had, then what is judged.
func JudgedRows(c *source.Canary) []JudgedRow {
	count := func(n int64) string { return strconv.FormatInt(n, 10) }
	rows := []JudgedRow{{Head: "Requests", Published: count(c.PublishedRequests), Canary: count(c.CanaryRequests)}}
	if c.Fallbacks > 0 {
		rows = append(rows, JudgedRow{Head: "Fallbacks", Published: count(c.Fallbacks), Canary: ""})
	}
	for _, value := range c.Values {
		row := JudgedRow{Head: valueHead(value.Name), Published: value.Published, Canary: value.Canary, Limit: value.Limit}
		row.Verdict, row.State = verdict(value.Verdict)
		rows = append(rows, row)
	}
	agreed := slices.ContainsFunc(c.Values, func(v source.JudgedValue) bool { return v.Name == "agreement" })
	if c.Mirrored > 0 && !agreed {
		rows = append(rows, JudgedRow{Head: "Equal responses", Canary: count(c.Equal) + " of " + count(c.Mirrored)})
	}
	return rows
}

// valueHead names a value that is judged.
func valueHead(name string) string {
	switch name {
	case "errorRatio":
		return "Errors"
	case "p95":
		return "95 % within"
	case "accuracy":
		return "Accuracy"
	case "agreement":
		return "Agreement"
	}
	return name
}

// verdict is a verdict for people, and the state whose sign it has.
func verdict(word string) (string, source.State) {
	switch word {
	case "Good":
		return "within the limit", source.Ready
	case "Bad":
		return "exceeds the limit", source.Failed
	case "Waiting":
		return "not judged yet", source.Starting
	}
	return "", ""
}

// CanaryState is that of the canary as a whole, for its sign.
func CanaryState(c *source.Canary) source.State {
	switch {
	case c.Bad:
		return source.Failed
	case c.Good:
		return source.Ready
	}
	return source.Starting
}

// PlanSteps returns the steps of the canary's plan.
func PlanSteps(c *source.Canary) []PlanStep {
	var steps []PlanStep
	for i, step := range c.Steps {
		steps = append(steps, PlanStep{step, stepWord(i+1, c)})
	}
	return steps
}
