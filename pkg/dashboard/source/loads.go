package source

// Loads is how much versions are used, for a table of many.
type Loads struct {
	// Of has the versions of which that is known; one without requests has a zero Load. Its
	// percentiles are those of the slowest workflow.
	Of map[Ref]Load
	// Note says in a sentence where the numbers come from, or why there are none.
	Note string
}

// Total is the load of all workflows; the percentiles are those of the slowest.
func (n *Numbers) Total() (all Load) {
	for _, w := range n.Workflows {
		all.PerSecond += w.PerSecond
		all.Errors += w.Errors
		all.P50, all.P95 = max(all.P50, w.P50), max(all.P95, w.P95)
	}
	return all
}
