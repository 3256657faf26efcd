package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// row is one line of the table: a comparison, or a figure with a bar.
type row struct {
	what, against string
	bar           float64 // 0: none, told for information
	// A comparison: of beside base, by CPU. Same beside sameBase (default: base)
	// is the A/A line, two processes of one kind.
	of, base, same, sameBase *measured
	// A figure.
	value *spread
	unit  string
}

func (b *bench) add(r row)        { b.rows = append(b.rows, r) }
func (b *bench) note(text string) { b.notes = append(b.notes, text) }

// cells are a row as the table has it.
func (r *row) cells() []string {
	cells := []string{r.what, r.against, "", "", "", "", "", "", ""}
	value := r.value
	format := func(s spread) string {
		return fmt.Sprintf("%.2f%s (%.2f–%.2f)", s.median, r.unit, s.least, s.most)
	}
	if value == nil {
		base := r.sameBase
		if base == nil {
			base = r.base
		}
		cpu := r.of.ratio(r.base, cpuOf)
		value = &cpu
		cells[5] = format(r.same.ratio(base, cpuOf))
		cells[6] = fmt.Sprintf("%.1f / %.1f", r.of.of(cpuOf).median, r.base.of(cpuOf).median)
		cells[7] = fmt.Sprintf("%.2f / %.2f", r.of.ratio(r.base, p50Of).median, r.of.ratio(r.base, p99Of).median)
		cells[8] = fmt.Sprintf("%.0f / %.0f", r.of.of(mallocsOf).median, r.base.of(mallocsOf).median)
	}
	cells[2] = format(*value)
	cells[3], cells[4] = "–", "for information"
	if r.bar > 0 {
		cells[3], cells[4] = fmt.Sprintf("≤ %.2f", r.bar), "holds"
		if value.median > r.bar {
			cells[4] = "MISSED"
		}
	}
	return cells
}

func columns() []string {
	return []string{"measure", "against", "CPU ratio or value (least–most)", "bar", "verdict", "A/A", "CPU µs a request",
		"p50 / p99 ratio", "allocations a request"}
}

// report prints the table, and writes it to path unless that is empty.
func (b *bench) report(out io.Writer, path string) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(columns(), "\t"))
	for i := range b.rows {
		fmt.Fprintln(w, strings.Join(b.rows[i].cells(), "\t"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, n := range b.notes {
		fmt.Fprintln(out, n)
	}
	if path == "" {
		return nil
	}
	return b.write(path)
}

// What stands between these lines of a results file is written anew by each
// run; the rest is written by hand.
const (
	beginMark = "<!-- written by go run ./test/bench -->\n"
	endMark   = "<!-- end -->\n"
)

func (b *bench) write(path string) error {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	before, rest, _ := strings.Cut(string(text), beginMark)
	_, after, _ := strings.Cut(rest, endMark)
	return os.WriteFile(path, []byte(before+beginMark+b.markdown()+endMark+after), 0o644)
}

func (b *bench) markdown() string {
	var t strings.Builder
	fmt.Fprintf(&t, "%s cores of %s, %s, %s/%s, load average %s at the begin and %s at the end (1 minute), %s in all, "+
		"%d rounds of %.2f s.\n\n",
		fmt.Sprint(runtime.NumCPU()), cpuModel(), runtime.Version(), runtime.GOOS, runtime.GOARCH,
		b.loads[0], b.loads[1], time.Since(b.began).Round(time.Second), b.rounds, b.seconds)
	cells := columns()
	line := func() { fmt.Fprintf(&t, "| %s |\n", strings.Join(cells, " | ")) }
	line()
	cells = slices.Repeat([]string{"---"}, len(cells))
	line()
	for i := range b.rows {
		cells = b.rows[i].cells()
		line()
	}
	fmt.Fprintln(&t, "\nEach part alone, medians of the rounds:")
	fmt.Fprintln(&t, "\n| load | part | CPU µs (least–most) | p50 µs | p99 µs | allocations | bytes allocated |\n| --- | --- | --- | "+
		"--- | --- | --- | --- |")
	seen := map[*measured]bool{}
	for _, r := range b.rows {
		for _, m := range []*measured{r.base, r.same, r.sameBase, r.of} {
			if m == nil || seen[m] {
				continue
			}
			seen[m] = true
			cpu := m.of(cpuOf)
			fmt.Fprintf(&t, "| %s | %s | %.1f (%.1f–%.1f) | %.0f | %.0f | %.0f | %.0f |\n", r.what, m.name,
				cpu.median, cpu.least, cpu.most, m.of(p50Of).median, m.of(p99Of).median, m.of(mallocsOf).median, m.of(bytesOf).median)
		}
	}
	for _, n := range b.notes {
		fmt.Fprintf(&t, "\n%s\n", n)
	}
	return t.String()
}

// machineLoad is the load average of the last minute.
func machineLoad() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	load, _, _ := strings.Cut(string(text), " ")
	return load
}

// cpuModel is the processor's name.
func cpuModel() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
