package store_test

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

var out = flag.String("out", "", "file whose table is replaced by that of this run")

// table is what the benchmarks have found, in the order in which they ran.
type table struct{ rows []string }

// found is the one table: benchmarks have no other way to hand on what they found.
var found table

// The line before the table in a file, and that behind it.
const (
	tableBegins = "<!-- written by go test ./test/bench/store -->\n"
	tableEnds   = "<!-- end -->\n"
)

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if len(found.rows) > 0 {
		if err := found.write(*out); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, "| "+strings.Join(cells, " | ")+" |") }

// write prints the table, or writes it to a file.
func (t *table) write(file string) error {
	text := fmt.Sprintf("%d cores, %s, load average %s at the end (1 minute); %d documents, %d predictions, %d rounds.\n\n",
		runtime.NumCPU(), runtime.Version(), load(), *documents, *predictions, rounds) +
		"| measure | database | store | bare client | ratio (least–most) | bar | verdict | A/A |\n" + strings.Repeat("| --- ", 8) + "|\n" +
		strings.Join(t.rows, "\n") + "\n"
	if file == "" {
		fmt.Print("\n" + text)
		return nil
	}
	before, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	head, rest, ok := strings.Cut(string(before), tableBegins)
	_, tail, ended := strings.Cut(rest, tableEnds)
	if !ok || !ended {
		return fmt.Errorf("%s has no place for the table", file)
	}
	return os.WriteFile(file, []byte(head+tableBegins+text+tableEnds+tail), 0o644)
}

// load is how busy the machine was in the last minute, as far as it says so.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

// median is that of the values, which it sorts.
func median[T time.Duration | float64](all []T) T {
	slices.Sort(all)
	return all[len(all)/2]
}

func spread(ratios []float64) string {
	middle := median(ratios)
	return fmt.Sprintf("%.2f (%.2f–%.2f)", middle, ratios[0], ratios[len(ratios)-1])
}

// compare measures a side of the store between two of the bare client, round by round: what
// else happens on the machine is seen by both, and by the two of the bare client (A/A). A bar
// of 0 is none.
func (p *pair) compare(what string, bar float64, kept, bare func() time.Duration) {
	p.Helper()
	var of, to []time.Duration
	var ratios, same []float64
	for range rounds {
		first, middle, last := bare(), kept(), bare()
		of, to = append(of, middle), append(to, first, last)
		ratios, same = append(ratios, 2*float64(middle)/float64(first+last)), append(same, float64(first)/float64(last))
	}
	limit, verdict := fmt.Sprintf("≤ %.1f", bar), "holds"
	switch {
	case bar == 0 || p.standIn:
		limit, verdict = "–", "for information"
	case median(ratios) > bar:
		verdict = "MISSED"
	}
	found.add(what, p.database, short(median(of)), short(median(to)), spread(ratios), limit, verdict, spread(same))
	p.ReportMetric(median(ratios), "ratio")
	p.ReportMetric(0, "ns/op")
}

// short is a duration with three digits.
func short(d time.Duration) string {
	switch {
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d > 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1e3)
	}
	return fmt.Sprintf("%.2f ms", d.Seconds()*1e3)
}
