// Command report runs the tests that take minutes, one step after the other, and writes what
// became of each into a folder: `make e2e-long`. A step that fails keeps what is needed to find
// out why, and the next one runs all the same.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	only := flag.String("only", cmp.Or(os.Getenv("ONLY"), "."), "a pattern: run the steps whose name matches")
	out := flag.String("out", "bin/report", "the folder in which each run gets one of its own")
	flag.Parse()
	if err := run(ctx, *only, *out); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// errFailed: the report says what.
var errFailed = errors.New("a step failed")

// run runs the steps whose names match, in the repository's folder.
func run(ctx context.Context, only, out string) error {
	matches, err := regexp.Compile(only)
	if err != nil {
		return fmt.Errorf("cannot choose steps: %w", err)
	}
	begun := time.Now()
	folder, err := filepath.Abs(filepath.Join(out, begun.UTC().Format("2006-01-02T15-04-05Z")))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return fmt.Errorf("cannot write a report: %w", err)
	}
	r := newReport(ctx, begun)
	for _, s := range steps() {
		if !matches.MatchString(s.Name) {
			continue
		}
		if ctx.Err() != nil {
			break
		}
		fmt.Printf("--- %s\n", s.Name)
		o := s.run(ctx, folder)
		fmt.Printf("--- %s: %s after %s\n", s.Name, o.Result, o.took())
		r.Steps = append(r.Steps, o)
		// Written after each step: a run that is cut off has its report, too.
		if err := r.write(folder); err != nil {
			return err
		}
	}
	if len(r.Steps) == 0 {
		return fmt.Errorf("no step matches %q", only)
	}
	fmt.Printf("\n%s\nThe report is in %s\n", r.text(), folder)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if r.failed() {
		return errFailed
	}
	return nil
}
