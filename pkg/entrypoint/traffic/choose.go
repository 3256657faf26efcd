package traffic

import (
	"hash/fnv"
	"slices"
)

const (
	// Metadata marks what an entrypoint has forwarded or copied: it is not forwarded again. In the
	// response to it the canary says what became of it; see [Mark].
	Metadata = "krt-forwarded"
	// MetadataMirror marks a copy; what a client sends of it is not passed on.
	MetadataMirror = "krt-mirror"
)

// gets reports whether the canary gets a request with the given metadata.
func (c *Canary) gets(values func(name string) []string, chance func() float64) bool {
	for _, m := range c.Match {
		if slices.Contains(values(m.Metadata), m.Value) {
			return true
		}
	}
	switch c.Weight {
	case 0:
		return false
	case 100:
		return true
	}
	if c.Sticky != "" {
		if found := values(c.Sticky); len(found) > 0 {
			return place(c.Version, found[0])*100 < float64(c.Weight)
		}
	}
	return chance()*100 < float64(c.Weight)
}

// place is where a value is among all: from 0 to below 1, evenly, and always the same for one
// canary. So a higher weight gives the canary more values, and takes none away from it. The next
// canary gets others first.
func place(canary, value string) float64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(canary))
	_, _ = h.Write([]byte{0})
	_, _ = h.Write([]byte(value))
	n := h.Sum64() // whose upper bits hardly depend on the last letter
	n ^= n >> 33
	n *= 0xff51afd7ed558ccd // the finalizer of MurmurHash3
	n ^= n >> 33
	n *= 0xc4ceb9fe1a85ec53
	n ^= n >> 33
	return float64(n>>11) / (1 << 53)
}
