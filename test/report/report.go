package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// report is what became of a run.
type report struct {
	Commit  string     `json:"commit"`
	Begun   time.Time  `json:"begun"`
	CPUs    int        `json:"cpus"`
	System  string     `json:"system"`
	Seconds float64    `json:"seconds"`
	Steps   []*outcome `json:"steps"`
}

func newReport(ctx context.Context, begun time.Time) *report {
	commit, _ := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--abbrev=40").Output() // "" without git
	return &report{Commit: strings.TrimSpace(string(commit)), Begun: begun.UTC(), CPUs: runtime.NumCPU(),
		System: runtime.GOOS + "/" + runtime.GOARCH}
}

func (r *report) failed() bool {
	for _, o := range r.Steps {
		if o.Result == failed {
			return true
		}
	}
	return false
}

// write writes report.json and report.txt, each at once.
func (r *report) write(folder string) error {
	r.Seconds = time.Since(r.Begun).Seconds()
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{"report.json": append(text, '\n'), "report.txt": []byte(r.text())} {
		next := filepath.Join(folder, "."+name)
		if err := os.WriteFile(next, content, 0o600); err != nil {
			return fmt.Errorf("cannot write a report: %w", err)
		}
		if err := os.Rename(next, filepath.Join(folder, name)); err != nil {
			return fmt.Errorf("cannot write a report: %w", err)
		}
	}
	return nil
}

// text is the report for people: a table of the steps, then what each has measured, and why it failed.
func (r *report) text() string {
	var all bytes.Buffer
	fmt.Fprintf(&all, "commit %s, %s, %d CPUs (%s)\n\n", r.Commit, r.Begun.Format(time.RFC3339), r.CPUs, r.System)
	table := tabwriter.NewWriter(&all, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "STEP\tRESULT\tSECONDS\tTESTS\tKEPT")
	for _, o := range r.Steps {
		fmt.Fprintf(table, "%s\t%s\t%.0f\t%s\t%s\n", o.Name, o.Result, o.Seconds, o.count(), o.Kept)
	}
	_ = table.Flush() // into memory
	for _, o := range r.Steps {
		o.details(&all)
	}
	return all.String()
}

// count says how many tests a step has, and of which results.
func (o *outcome) count() string {
	counts := map[string]int{}
	for _, t := range o.Tests {
		counts[t.Result]++
	}
	var all []string
	for _, result := range []string{passed, failed, leftOut} {
		if counts[result] > 0 {
			all = append(all, fmt.Sprintf("%d %s", counts[result], result))
		}
	}
	return strings.Join(all, ", ")
}

func (o *outcome) details(to *bytes.Buffer) {
	fmt.Fprintf(to, "\n%s: %s\n", o.Name, o.Command)
	for _, t := range o.Tests {
		if len(t.Figures) == 0 && t.Result == passed {
			continue
		}
		fmt.Fprintf(to, "  %s: %s after %.0f s\n", t.Name, t.Result, t.Seconds)
		for _, line := range t.Figures {
			fmt.Fprintf(to, "    %s\n", line)
		}
	}
	if len(o.Failure) > 0 {
		fmt.Fprintf(to, "  It failed; the last lines (all are in %s):\n", o.Log)
		for _, line := range o.Failure {
			fmt.Fprintf(to, "    %s\n", line)
		}
	}
}
