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

// measured are a subject's samples, one for each round, and its memory after the last.
type measured struct {
	subject
	samples []sample
	memory  []process.Part
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
			s, err := m.sample(ctx, workers, time.Duration(b.seconds*float64(time.Second)))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", m.name, err)
			}
			if round > 0 {
				m.samples = append(m.samples, s)
			}
		}
	}
	for i := range all {
		for _, pid := range all[i].pids() {
			parts, err := process.Memory(pid)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", all[i].name, err)
			}
			all[i].memory = append(all[i].memory, parts...)
		}
	}
	return all, nil
}

func (s *subject) pids() []int { return append([]int{s.pid}, s.with...) }

// cpu is what all processes of the subject have used.
func (s *subject) cpu() (sum time.Duration, err error) {
	for _, pid := range s.pids() {
		used, err := process.CPU(pid)
		if err != nil {
			return 0, err
		}
		sum += used
	}
	return sum, nil
}

func (s *subject) sample(ctx context.Context, workers int, span time.Duration) (sample, error) {
	before, err := s.cpu()
	if err != nil {
		return sample{}, err
	}
	requests, took, err := load(ctx, workers, span, s.call)
	if err != nil {
		return sample{}, err
	}
	after, err := s.cpu()
	if err != nil {
		return sample{}, err
	}
	return sample{float64(after-before) / 1e3 / float64(requests), float64(requests) / took.Seconds()}, nil
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
	sum, each := 0.0, make([]string, len(m.memory))
	for i, p := range m.memory {
		mb := float64(p.Bytes) / 1e6
		sum += mb
		each[i] = fmt.Sprintf("%s %.0f", p.Name, mb)
	}
	if len(each) < 2 {
		return fmt.Sprintf("%.0f", sum)
	}
	return fmt.Sprintf("%.0f (%s)", sum, strings.Join(each, ", "))
}
