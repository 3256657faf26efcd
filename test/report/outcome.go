package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
)

// What became of a step or a test.
const (
	passed  = "ok"
	failed  = "FAILED"
	leftOut = "left out"
)

const (
	// longest bounds a line, maxFigures the lines that are kept of a test, maxTail those of a failure.
	longest    = 1 << 20
	maxFigures = 200
	maxTail    = 40
)

// outcome is what became of a step.
type outcome struct {
	Name    string    `json:"name"`
	Command string    `json:"command"`
	Begun   time.Time `json:"begun"`
	Seconds float64   `json:"seconds"`
	Result  string    `json:"result"`
	Tests   []*test   `json:"tests,omitempty"`
	// Failure are the last lines of a step that has failed, and why.
	Failure []string `json:"failure,omitempty"`
	// Log is the file with all that it has printed, and Kept the folder with what explains a
	// failure; both in the report's folder.
	Log  string `json:"log"`
	Kept string `json:"kept,omitempty"`

	tests map[string]*test
	tail  []string
}

// test is one of a step's.
type test struct {
	Package string  `json:"package"`
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
	Result  string  `json:"result"`
	// Figures are the lines that it has logged.
	Figures []string `json:"figures,omitempty"`

	inFigure bool
}

// event is a line of `go test -json`.
type event struct {
	Action, Package, Test, Output string
	Elapsed                       float64
}

func (o *outcome) took() time.Duration {
	return time.Duration(o.Seconds * float64(time.Second)).Round(time.Second)
}

// read reads what a step prints until it ends. All goes into log as text, and what tests log to
// shown as well.
func (o *outcome) read(from io.Reader, log, shown io.Writer) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, longest)
	for lines.Scan() {
		var e event
		text := lines.Text()
		if json.Unmarshal(lines.Bytes(), &e) != nil || e.Action == "" { // of another program, or of the compiler
			e = event{Action: "output", Output: text + "\n"}
		}
		o.add(e)
		if e.Output == "" {
			continue
		}
		if _, err := io.WriteString(log, e.Output); err != nil {
			return fmt.Errorf("cannot keep what the step prints: %w", err)
		}
		if e.Test == "" || strings.HasPrefix(e.Output, "    ") {
			_, _ = io.WriteString(shown, e.Output)
		}
	}
	return lines.Err()
}

// add notes an event of a test.
func (o *outcome) add(e event) {
	if e.Action == "output" || e.Action == "build-output" {
		o.tail = append(o.tail, strings.TrimRight(e.Output, "\n"))
		o.tail = o.tail[max(0, len(o.tail)-maxTail):]
	}
	if e.Test == "" {
		return
	}
	t := o.test(e)
	switch e.Action {
	case "output":
		t.output(e.Output)
	case "pass":
		t.Result, t.Seconds = passed, e.Elapsed
	case "fail":
		t.Result, t.Seconds = failed, e.Elapsed
	case "skip":
		t.Result, t.Seconds = leftOut, e.Elapsed
	}
}

func (o *outcome) test(e event) *test {
	if o.tests == nil {
		o.tests = map[string]*test{}
	}
	key := e.Package + " " + e.Test
	t := o.tests[key]
	if t == nil {
		t = &test{Package: e.Package, Name: e.Test, Result: failed} // until it is known to have ended
		o.tests[key] = t
		o.Tests = append(o.Tests, t)
	}
	return t
}

// logged is how the first line of a t.Log begins.
var logged = regexp.MustCompile(`^ {4,}\w+\.go:\d+: ?`)

// output keeps what a test logs: a line that begins with its place, and those indented below it.
func (t *test) output(line string) {
	line = strings.TrimRight(line, "\n")
	switch {
	case logged.MatchString(line):
		t.inFigure = true
		line = logged.ReplaceAllString(line, "")
	case strings.HasPrefix(line, "        ") && t.inFigure:
		line = strings.TrimPrefix(line, "        ")
	default:
		t.inFigure = false
		return
	}
	if line != "" && len(t.Figures) < maxFigures {
		t.Figures = append(t.Figures, line)
	}
}

// close decides what became of the step, whose program has ended with err.
func (o *outcome) close(err error) {
	o.Result = leftOut
	for _, t := range o.Tests {
		switch {
		case t.Result == failed:
			o.Result = failed
		case t.Result == passed && o.Result == leftOut:
			o.Result = passed
		}
	}
	if len(o.Tests) == 0 && err == nil {
		o.Result = passed
	}
	if err != nil {
		o.Result = failed
		o.Failure = append(o.tail, err.Error())
	}
}
