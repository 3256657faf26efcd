package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const events = `
{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestFast"}
{"Action":"output","Package":"p","Test":"TestFast","Output":"=== RUN   TestFast\n"}
{"Action":"output","Package":"p","Test":"TestFast","Output":"    fast_test.go:7: 120 requests, 0 lost\n"}
{"Action":"output","Package":"p","Test":"TestFast","Output":"        FAULT  LOST\n"}
{"Action":"output","Package":"p","Test":"TestFast","Output":"        none   0\n"}
{"Action":"output","Package":"p","Test":"TestFast","Output":"--- PASS: TestFast (1.50s)\n"}
{"Action":"output","Package":"p","Test":"TestFast","Output":"        not a figure\n"}
{"Action":"pass","Package":"p","Test":"TestFast","Elapsed":1.5}
{"Action":"skip","Package":"p","Test":"TestElsewhere","Elapsed":0}
`

func read(t *testing.T, text string) *outcome {
	t.Helper()
	o := &outcome{Name: "step", Command: "go test", Log: "step.log"}
	require.NoError(t, o.read(strings.NewReader(text), io.Discard, io.Discard))
	return o
}

func TestFiguresOfTests(t *testing.T) {
	o := read(t, events)
	o.close(nil)
	require.Equal(t, passed, o.Result)
	require.Len(t, o.Tests, 2)
	require.Equal(t, []string{"120 requests, 0 lost", "FAULT  LOST", "none   0"}, o.Tests[0].Figures)
	require.InDelta(t, 1.5, o.Tests[0].Seconds, 0)
	require.Equal(t, leftOut, o.Tests[1].Result)
	require.Equal(t, "1 ok, 1 left out", o.count())
}

func TestWhatDidNotEndHasFailed(t *testing.T) {
	o := read(t, `{"Action":"run","Package":"p","Test":"TestHangs"}`)
	o.close(nil)
	require.Equal(t, failed, o.Result)
	require.Equal(t, failed, o.Tests[0].Result)
}

func TestAStepOfWhichAllIsLeftOut(t *testing.T) {
	o := read(t, `{"Action":"skip","Package":"p","Test":"TestElsewhere","Elapsed":0}`)
	o.close(nil)
	require.Equal(t, leftOut, o.Result, "it has shown nothing")
}

func TestTheLastLinesOfAFailure(t *testing.T) {
	o := read(t, strings.Repeat("line\n", 100)+"the cause\n")
	o.close(os.ErrDeadlineExceeded)
	require.Equal(t, failed, o.Result)
	require.Len(t, o.Failure, maxTail+1)
	require.Equal(t, "the cause", o.Failure[maxTail-1])
}

// A program that fails has its log, its last lines and the folder of what it has kept in the report.
func TestAFailingStep(t *testing.T) {
	folder := t.TempDir()
	const script = `mkdir -p "$KRT_EVIDENCE"; echo state > "$KRT_EVIDENCE/kept"; echo why; exit 3`
	s := step{Name: "broken", Alone: true, Program: []string{"sh", "-c", script}}
	r := newReport(t.Context(), time.Now())
	r.Steps = append(r.Steps, s.run(t.Context(), folder))
	require.NoError(t, r.write(folder))
	require.True(t, r.failed())

	text, err := os.ReadFile(filepath.Join(folder, "report.txt"))
	require.NoError(t, err)
	require.Regexp(t, `(?m)^broken +FAILED +\d+ +broken$`, string(text))
	require.Contains(t, string(text), "    why\n    exit status 3\n")
	log, err := os.ReadFile(filepath.Join(folder, "broken.log"))
	require.NoError(t, err)
	require.Equal(t, "why\n", string(log))
	require.FileExists(t, filepath.Join(folder, "broken", "kept"))

	var again report
	raw, err := os.ReadFile(filepath.Join(folder, "report.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &again))
	require.Equal(t, "broken", again.Steps[0].Kept)
}

// A run that is cut off ends its step in order, and has its report.
func TestARunThatIsCutOff(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	folder := t.TempDir()
	started := filepath.Join(folder, "started")
	const script = `trap 'echo removed; exit 1' TERM; touch "$0"; while :; do sleep 0.1; done`
	s := step{Name: "long", Alone: true, Program: []string{"sh", "-c", script, started}}
	done := make(chan *outcome)
	go func() { done <- s.run(ctx, folder) }()
	require.Eventually(t, func() bool { _, err := os.Stat(started); return err == nil }, time.Minute, 10*time.Millisecond)
	cancel()
	o := <-done
	require.Equal(t, failed, o.Result)
	require.Contains(t, o.Failure, "removed")
}

func TestEveryStepHasAName(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range steps() {
		require.False(t, seen[s.Name], s.Name)
		seen[s.Name] = true
		require.Regexp(t, `^[a-z0-9.-]+$`, s.Name, "it names files")
		if len(s.Program) == 0 {
			require.NotEmpty(t, s.Packages)
			require.NotEmpty(t, s.Limit)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(events)
	f.Add("{\n\x00 plain text")
	f.Fuzz(func(t *testing.T, text string) {
		o := &outcome{Name: "step"}
		err := o.read(strings.NewReader(text), io.Discard, io.Discard)
		o.close(err)
		require.LessOrEqual(t, len(o.Failure), maxTail+1)
	})
}
