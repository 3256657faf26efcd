package capture

import (
	"net/http"
	"slices"

	"krt.dev/kn-krt/pkg/inspection"
)

// maxDifferenceBytes bounds the requests of all kept differences together.
const maxDifferenceBytes = 4 << 20

// difference is a kept difference, with its request unless that was dropped.
type difference struct {
	inspection.Difference
	contract *Contract
	request  *message
}

func (d *difference) size() int {
	if d.request == nil {
		return 0
	}
	return len(d.request.data)
}

// Differ keeps a difference, in the place of the oldest, and the request that led to it, a
// message of that full name. Contract is that of the version, nil if its messages are never kept.
func (c *Capture) Differ(d inspection.Difference, contract *Contract, name string, request []byte) {
	one := &difference{Difference: d, contract: contract}
	if contract != nil {
		one.request = contract.keep(name, request, len(request))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.differences) == inspection.MaxDifferences {
		c.differing -= c.differences[0].size()
		c.differences = slices.Delete(c.differences, 0, 1)
	}
	c.differences = append(c.differences, one)
	c.differing += one.size()
	for i := 0; c.differing > maxDifferenceBytes; i++ {
		old := c.differences[i]
		c.differing -= old.size()
		if old.request != nil { // a reader may have the message
			old.request = &message{name: old.request.name, size: old.request.size, note: "dropped to make room for newer ones"}
		}
	}
}

// serveDifferences shows the differences, newest first; requests that show messages wait for
// each other.
func (c *Capture) serveDifferences(w http.ResponseWriter, r *http.Request) {
	if !c.turn(w, r) {
		return
	}
	defer func() { <-c.shows }()
	c.mu.Lock()
	kept := make([]difference, len(c.differences))
	for i, d := range c.differences {
		kept[i] = *d
	}
	c.mu.Unlock()
	list := inspection.Differences{Differences: []inspection.Difference{}}
	left := maxShown
	for _, d := range slices.Backward(kept) {
		if d.request != nil {
			d.Request = d.contract.show(d.request)
			left = withhold(d.Request, left)
		}
		list.Differences = append(list.Differences, d.Difference)
	}
	write(w, list)
}
