package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"krt.dev/kn-krt/test/process"
)

// subject is one of the parts that take turns under the same load.
type subject struct {
	name    string
	process *process.Process
	call    call
	pause   time.Duration // of a caller after a response
}

// sample is what a subject did and used in one round.
type sample struct {
	cpu      float64   // µs for each request
	parts    []float64 // the same by process, the first one first
	mallocs  float64   // for each request; NaN-free: 0 for what is not Go
	bytes    float64   // allocated for each request
	p50, p99 float64   // µs
}

// measured are a subject's samples, one for each round.
type measured struct {
	subject
	samples []sample
}

// measure has subjects take turns, callers at once on each, after a round that
// warms. A subject's first call failing is an error, as is any later one.
func (b *bench) measure(ctx context.Context, what string, callers int, subjects []subject) ([]measured, error) {
	fmt.Fprintf(b.log, "%s: %d rounds of", what, b.rounds)
	all := make([]measured, len(subjects))
	for i, s := range subjects {
		fmt.Fprintf(b.log, " [%s]", s.name)
		all[i].subject = s
	}
	fmt.Fprintln(b.log)
	for round := range b.rounds + 1 {
		for i := range subjects {
			at := (i + round) % len(subjects) // nobody is always first
			s, err := b.sample(ctx, callers, subjects[at])
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", what, subjects[at].name, err)
			}
			if round > 0 {
				all[at].samples = append(all[at].samples, s)
			}
		}
	}
	if b.profiles != "" {
		for _, s := range subjects {
			if err := b.profile(ctx, what, callers, s); err != nil {
				return nil, fmt.Errorf("%s: %s: %w", what, s.name, err)
			}
		}
	}
	return all, nil
}

func (b *bench) sample(ctx context.Context, callers int, s subject) (sample, error) {
	before, _ := s.process.Usage(ctx, false) // Python has none: zero
	cpu, err := s.process.CPU()
	if err != nil {
		return sample{}, err
	}
	took, err := load(ctx, callers, time.Duration(b.seconds*float64(time.Second)), s.pause, s.call)
	if err != nil {
		return sample{}, err
	}
	end, err := s.process.CPU()
	if err != nil {
		return sample{}, err
	}
	after, _ := s.process.Usage(ctx, false)
	n := float64(len(took))
	slices.Sort(took)
	parts, sum := make([]float64, len(cpu)), 0.0
	for i := range cpu {
		parts[i] = float64(end[i]-cpu[i]) / 1e3 / n
		sum += parts[i]
	}
	return sample{
		cpu: sum, parts: parts,
		mallocs: float64(after.Mallocs-before.Mallocs) / n,
		bytes:   float64(after.Bytes-before.Bytes) / n,
		p50:     float64(took[len(took)/2]) / 1e3,
		p99:     float64(took[len(took)*99/100]) / 1e3,
	}, nil
}

// profile writes a CPU profile of 4 s under load, and the allocation profile.
func (b *bench) profile(ctx context.Context, what string, callers int, s subject) error {
	done := make(chan error, 1)
	var cpu, allocs []byte
	go func() { done <- s.process.Control(ctx, "/debug/pprof/profile?seconds=4", &cpu) }()
	if _, err := load(ctx, callers, 5*time.Second, s.pause, s.call); err != nil {
		return err
	}
	if err := <-done; err != nil {
		return nil //nolint:nilerr // a Python process has no such profile
	}
	if err := s.process.Control(ctx, "/debug/pprof/allocs", &allocs); err != nil {
		return err
	}
	name := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" /,=()+", r) {
			return '_'
		}
		return r
	}, what+"-"+s.name)
	if err := os.WriteFile(filepath.Join(b.profiles, name+".cpu"), cpu, 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(b.profiles, name+".allocs"), allocs, 0o600)
}

// spread is the median of some values, with the least and the most.
type spread struct{ median, least, most float64 }

func (m *measured) of(value func(sample) float64) spread {
	values := make([]float64, 0, len(m.samples))
	for _, s := range m.samples {
		values = append(values, value(s))
	}
	return spreadOf(values)
}

// ratio compares m with base round by round: noise that lasts longer than a
// round meets both.
func (m *measured) ratio(base *measured, value func(sample) float64) spread {
	values := make([]float64, 0, len(m.samples))
	for i := range m.samples {
		values = append(values, value(m.samples[i])/value(base.samples[i]))
	}
	return spreadOf(values)
}

// ratios are of by base, round by round.
func ratios(of, base []float64) (list []float64) {
	for i := range of {
		list = append(list, of[i]/base[i])
	}
	return list
}

// spreadOf sorts values.
func spreadOf(values []float64) spread {
	slices.Sort(values)
	n := len(values)
	return spread{(values[(n-1)/2] + values[n/2]) / 2, values[0], values[n-1]}
}

func cpuOf(s sample) float64     { return s.cpu }
func mallocsOf(s sample) float64 { return s.mallocs }
func bytesOf(s sample) float64   { return s.bytes }
func p50Of(s sample) float64     { return s.p50 }
func p99Of(s sample) float64     { return s.p99 }
