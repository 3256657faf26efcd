package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
)

// What is between these lines of a results file is written by each run; the rest by hand.
const (
	beginMark = "<!-- written by go run ./test/bench/peers -->\n"
	endMark   = "<!-- end of peers -->\n"
)

func (b *bench) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	fmt.Fprintln(b.log, text)
	b.notes = append(b.notes, text)
}

// report prints the tables, and writes them to the file at path unless that is empty.
func (b *bench) report(out io.Writer, path string) error {
	text := b.markdown()
	if _, err := io.WriteString(out, text); err != nil || path == "" {
		return err
	}
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, begun := strings.Cut(string(old), beginMark)
	_, after, ended := strings.Cut(rest, endMark)
	if !begun || !ended {
		return errors.New(path + " has no place for the tables: " + strings.TrimSpace(beginMark))
	}
	return os.WriteFile(path, []byte(before+beginMark+text+endMark+after), 0o644)
}

func (b *bench) markdown() string {
	var t strings.Builder
	fmt.Fprintf(&t, "%d cores, %s, %s/%s, %d rounds of %.2f s each in turn; medians (least–most). Ratios are of CPU, round by\nround, "+
		"to the first row of a peer.\n", runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH, b.rounds, b.seconds)
	for _, table := range b.tables {
		fmt.Fprintf(&t, "\n%s:\n\n| peer | CPU µs a request | each: CPU, kernel, switches | requests/s | memory, MB |", table.what)
		bases := table.bases()
		for _, base := range bases {
			fmt.Fprintf(&t, " ÷ %s |", base.name)
		}
		fmt.Fprintf(&t, "\n| --- | --- | --- | --- | ---%s |\n", strings.Repeat(" | ---", len(bases)))
		for i := range table.all {
			m := &table.all[i]
			cpu, rate := m.of(func(s sample) float64 { return s.cpu }), m.of(func(s sample) float64 { return s.rate })
			fmt.Fprintf(&t, "| %s | %.0f (%.0f–%.0f) |%s | %.0f (%.0f–%.0f) | %s |", m.name,
				cpu.median, cpu.least, cpu.most, m.work(), rate.median, rate.least, rate.most, m.megabytes())
			for _, base := range bases {
				r := m.ratio(base)
				fmt.Fprintf(&t, " %.2f (%.2f–%.2f) |", r.median, r.least, r.most)
			}
			fmt.Fprintln(&t)
		}
	}
	for _, note := range b.notes {
		fmt.Fprintf(&t, "\n%s\n", note)
	}
	return t.String()
}

// bases are what the others are compared with: each peer that is not ours, and not a second
// one of a kind.
func (t *table) bases() (list []*measured) {
	for i := range t.all {
		if name := t.all[i].name; !strings.HasPrefix(name, "kn-krt") && !strings.Contains(name, "again") {
			list = append(list, &t.all[i])
		}
	}
	return list
}
