package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"krt.dev/kn-krt/test/process"
)

// subject is one way to call a peer.
type subject struct {
	name string
	pid  int   // of its process
	with []int // and of others that are counted
	call call
}

// sample is what a subject did in one round.
type sample struct{ cpu, rate float64 } // µs a request; requests a second

// measured are a subject's samples, one for each round.
type measured struct {
	subject
	samples  []sample
	requests int            // of all rounds
	parts    []process.Part // its processes, with what they have done in all rounds
}

// table is what one load has shown.
type table struct {
	what string
	all  []measured
}

// measureBoth measures with one client, and with 16.
func (b *bench) measureBoth(ctx context.Context, what string, subjects []subject) error {
	for _, workers := range []int{1, callers} {
		all, err := b.measure(ctx, workers, subjects)
		if err != nil {
			return err
		}
		b.tables = append(b.tables, table{fmt.Sprintf("%s, c=%d", what, workers), all})
	}
	return nil
}

// measure has subjects take turns, workers at once on each, after a round that warms.
func (b *bench) measure(ctx context.Context, workers int, subjects []subject) ([]measured, error) {
	all := make([]measured, len(subjects))
	for i, s := range subjects {
		all[i].subject = s
	}
	fmt.Fprintf(b.log, "%d rounds of %d with %d clients\n", b.rounds, len(all), workers)
	for round := range b.rounds + 1 {
		for i := range all {
			m := &all[(i+round)%len(all)] // nobody is always first
			if err := m.sample(ctx, workers, time.Duration(b.seconds*float64(time.Second))); err != nil {
				return nil, fmt.Errorf("%s: %w", m.name, err)
			}
			if round == 0 { // it warms
				m.samples, m.requests, m.parts = nil, 0, nil
			}
		}
	}
	return all, nil
}

func (s *subject) pids() []int { return append([]int{s.pid}, s.with...) }

// look returns what all processes of the subject have done.
func (s *subject) look() (all []process.Part, err error) {
	for _, pid := range s.pids() {
		parts, err := process.Parts(pid)
		if err != nil {
			return nil, err
		}
		all = append(all, parts...)
	}
	return all, nil
}

// sample loads m for a time.
func (m *measured) sample(ctx context.Context, workers int, span time.Duration) error {
	before, err := m.look()
	if err != nil {
		return err
	}
	requests, took, err := load(ctx, workers, span, m.call)
	if err != nil {
		return err
	}
	after, err := m.look()
	if err != nil {
		return err
	}
	if len(before) != len(after) {
		return fmt.Errorf("it had %d processes, and then %d", len(before), len(after))
	}
	var cpu time.Duration
	for i := range after {
		after[i].Subtract(before[i])
		cpu += after[i].CPU
		if len(m.parts) == len(after) {
			after[i].Add(m.parts[i])
		}
	}
	m.parts = after
	m.requests += requests
	m.samples = append(m.samples, sample{float64(cpu) / 1e3 / float64(requests), float64(requests) / took.Seconds()})
	return nil
}

// spread is the median of some values, with the least and the most.
type spread struct{ median, least, most float64 }

func spreadOf(values []float64) spread {
	slices.Sort(values)
	n := len(values)
	return spread{(values[(n-1)/2] + values[n/2]) / 2, values[0], values[n-1]}
}

// of is the spread of a value of all samples.
func (m *measured) of(value func(sample) float64) spread {
	var values []float64
	for _, s := range m.samples {
		values = append(values, value(s))
	}
	return spreadOf(values)
}

// ratio compares the CPU of m with that of base round by round: noise that lasts for longer
// than a round meets both.
func (m *measured) ratio(base *measured) spread {
	var values []float64
	for i := range m.samples {
		values = append(values, m.samples[i].cpu/base.samples[i].cpu)
	}
	return spreadOf(values)
}

// megabytes are what the processes of m hold: all, and each.
func (m *measured) megabytes() string {
	sum := 0.0
	for _, p := range m.parts {
		sum += float64(p.Bytes) / 1e6
	}
	return fmt.Sprintf("%.0f", sum) + m.each(func(p process.Part) string { return fmt.Sprintf("%.0f", float64(p.Bytes)/1e6) })
}

// work is what each process of m has done for a request: CPU, the kernel's part, switches.
func (m *measured) work() string {
	n := float64(m.requests)
	return m.each(func(p process.Part) string {
		return fmt.Sprintf("%.0f, %.0f, %.1f", float64(p.CPU)/1e3/n, float64(p.Kernel)/1e3/n, float64(p.Switches)/n)
	})
}

func (m *measured) each(text func(process.Part) string) string {
	all := make([]string, len(m.parts))
	for i, p := range m.parts {
		all[i] = p.Name + " " + text(p)
	}
	return " (" + strings.Join(all, "; ") + ")"
}
