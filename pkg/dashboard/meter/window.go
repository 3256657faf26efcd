package meter

import (
	"time"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

// window is the time that numbers are of, once there are readings for it. Requests by hand are
// seen for a minute, and a rate is not that of a single moment.
const window = time.Minute

// timed is a reading and when it was made.
type timed struct {
	at time.Time
	reading
}

// windows are the last readings of each replica.
type windows map[string][]timed

// add adds readings of all replicas that there are now, and forgets the others.
func (w windows) add(at time.Time, all map[string]reading) {
	for replica := range w {
		if _, there := all[replica]; !there {
			delete(w, replica)
		}
	}
	for replica, r := range all {
		kept := w[replica]
		if before := len(kept) - 1; before >= 0 && restarted(kept[before].reading, r) {
			kept = []timed{{at: kept[before].at}} // it has counted from 0 since
		}
		kept = append(kept, timed{at, r})
		for len(kept) > 2 && at.Sub(kept[1].at) >= window {
			kept = kept[1:]
		}
		w[replica] = append([]timed(nil), kept...)
	}
}

// restarted reports whether a replica has lost what it had counted before. Requests are never
// counted down.
func restarted(before, now reading) bool {
	for k, value := range now.counts {
		if k.metric == requests && value < before.counts[k] {
			return true
		}
	}
	return false
}

// numbers are what has happened between the first and the last reading of each replica; nil
// if no replica has two.
func (w windows) numbers() *source.Numbers {
	n := &source.Numbers{Workflows: map[string]*source.WorkflowNumbers{}}
	times := map[key]histogram{}
	for _, kept := range w {
		first, last := kept[0], kept[len(kept)-1]
		over := last.at.Sub(first.at)
		if over <= 0 {
			continue
		}
		n.At, n.Over = last.at, max(n.Over, over)
		for k, value := range last.counts {
			before := first.counts[k]
			if before > value { // it was restarted
				before = 0
			}
			add(n, k, (value-before)/over.Seconds())
		}
		for k, h := range last.times {
			h = h.since(first.times[k])
			times[k] = times[k].plus(h)
			if k.metric == stepDuration {
				node(n, k).PerSecond += h.count / over.Seconds()
			}
		}
	}
	for k, h := range times {
		describe(n, k, h)
	}
	if n.At.IsZero() {
		return nil
	}
	return n
}

// workflow is the workflow of a series, and node its node.
func workflow(n *source.Numbers, k key) *source.WorkflowNumbers {
	w := n.Workflows[k.workflow]
	if w == nil {
		w = &source.WorkflowNumbers{Nodes: map[string]*source.NodeNumbers{}}
		n.Workflows[k.workflow] = w
	}
	return w
}

func node(n *source.Numbers, k key) *source.NodeNumbers {
	w := workflow(n, k)
	if w.Nodes[k.node] == nil {
		w.Nodes[k.node] = &source.NodeNumbers{}
	}
	return w.Nodes[k.node]
}

// add adds what a replica has counted a second.
func add(n *source.Numbers, k key, perSecond float64) {
	switch k.metric {
	case requests:
		workflow(n, k).PerSecond += perSecond
	case failures:
		workflow(n, k).Errors += perSecond
	case stepFailures:
		node(n, k).Errors += perSecond
	case attempts + " " + resultRetried:
		node(n, k).Retries += perSecond
	case attempts + " " + resultGaveUp:
		node(n, k).GaveUp += perSecond
	}
}

// describe adds the quantiles of all replicas.
func describe(n *source.Numbers, k key, h histogram) {
	switch k.metric {
	case duration:
		w := workflow(n, k)
		w.P50, w.P95 = h.quantile(0.5), h.quantile(0.95)
	case stepDuration:
		own := node(n, k)
		own.P50, own.P95 = h.quantile(0.5), h.quantile(0.95)
	case stepWait:
		node(n, k).Waited = h.quantile(0.95)
	}
}
