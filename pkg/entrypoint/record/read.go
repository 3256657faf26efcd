package record

import (
	"slices"
	"time"

	"krt.dev/kn-krt/pkg/runner/event"
)

// Read appends to room what runners reported in s, as far as it can be true: steps of
// the given nodes only, and within [begin, end]. The clocks of nodes may differ from
// ours, so a step that is outside is moved, and cut only if it is longer than that.
func Read(room []Step, s event.Steps, nodes []string, begin, end time.Time) []Step {
	read, most := s.AppendTo(room), max(0, end.Sub(begin))
	kept := read[:len(room)]
	for _, step := range read[len(room):] {
		i := slices.Index(nodes, step.Node)
		if i < 0 {
			continue
		}
		step.Node = nodes[i] // what was received need not be kept for it
		step.Wait = min(step.Wait, most)
		step.Run = min(step.Run, most-step.Wait)
		if latest := end.Add(-step.Wait - step.Run); step.Start.After(latest) {
			step.Start = latest
		}
		if step.Start.Before(begin) {
			step.Start = begin
		}
		kept = append(kept, step)
	}
	return kept
}

// Unended returns those of seen that were still running when they reported it, and whose end
// is neither in seen nor in steps.
func Unended(seen, steps []Step) (all []Step) {
	for _, s := range seen {
		same := func(other Step) bool { return other.SpanID == s.SpanID }
		ended := func(other Step) bool { return same(other) && other.Outcome != event.OutcomeReply }
		over := slices.ContainsFunc(seen, ended) || slices.ContainsFunc(steps, ended)
		if s.Outcome == event.OutcomeReply && !over && !slices.ContainsFunc(all, same) {
			all = append(all, s)
		}
	}
	return all
}

// After returns those of steps that are not in seen: runs of handlers that it does not
// have, or that were still running when they reported them, by their spans.
func After(steps []Step, seen event.Steps) []Step {
	known := seen.AppendTo(nil)
	return slices.DeleteFunc(steps, func(step Step) bool {
		return slices.ContainsFunc(known, func(k Step) bool { return k.SpanID == step.SpanID && k.Outcome == step.Outcome })
	})
}
