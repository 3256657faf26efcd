package telemetry

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"

	"krt.dev/kn-krt/pkg/runner/event"
)

// Sampler decides which requests are recorded, as the OpenTelemetry SDKs do, and gives these
// their spans: it is an entrypoint's Tracer. The zero Sampler records nothing.
type Sampler struct {
	parentBased bool
	bound       uint64 // of trace ids: those whose last 63 bits are below are recorded
}

// all is the bound of a Sampler that records everything.
const all = 1 << 63

// ParseSampler returns the sampler of the given name (OTEL_TRACES_SAMPLER; empty is
// parentbased_always_on) and argument (OTEL_TRACES_SAMPLER_ARG): the share of requests of
// those that end in traceidratio, from 0 to 1; empty is 1.
func ParseSampler(name, argument string) (Sampler, error) {
	kind, parentBased := strings.CutPrefix(cmp.Or(name, "parentbased_always_on"), "parentbased_")
	s := Sampler{parentBased: parentBased}
	switch kind {
	case "always_on":
		s.bound = all
	case "always_off":
	case "traceidratio":
		share, err := parseShare(cmp.Or(argument, "1"))
		if err != nil {
			return Sampler{}, err
		}
		s.bound = uint64(share * all)
	default:
		return Sampler{}, errors.New("it is not one of always_on, always_off and traceidratio, with or without parentbased_ before it")
	}
	return s, nil
}

// parseShare reads the share of requests that are recorded: a number from 0 to 1.
func parseShare(text string) (float64, error) {
	share, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(share) || share < 0 || share > 1 {
		return 0, fmt.Errorf("%q is not a number from 0 to 1", text)
	}
	return share, nil
}

// Start implements the entrypoint's Tracer. If the sampler is parent-based, a client that
// has a trace context decides; else the trace id does, as in all OpenTelemetry SDKs: of one
// trace, each process with the same share decides the same.
func (s Sampler) Start(client event.Trace) (request event.Trace, span [8]byte) {
	if client.Parent == "" {
		return s.root()
	}
	sampled := client.Sampled()
	if !s.parentBased {
		id, _ := strconv.ParseUint(client.ID()[16:], 16, 64) // it is valid
		sampled = s.samples(id)
	}
	if !sampled {
		return client.WithSampled(false), span
	}
	span = event.NewSpan()
	return client.Child(span).WithSampled(true), span
}

// root begins a trace, if it is recorded.
func (s Sampler) root() (request event.Trace, span [8]byte) {
	last := rand.Uint64()
	if !s.samples(last) {
		return request, span
	}
	var id [16]byte
	binary.BigEndian.PutUint64(id[:8], max(rand.Uint64(), 1)) // an id of zeros is not valid
	binary.BigEndian.PutUint64(id[8:], last)
	span = event.NewSpan()
	return event.RootTrace(id, span), span
}

// samples reports whether a trace whose id ends in last is recorded.
func (s Sampler) samples(last uint64) bool { return last>>1 < s.bound }
