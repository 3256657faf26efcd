package cluster

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// step is a verdict, and the time that passes before it is known.
type step struct {
	after time.Duration
	verdict
}

// runWait waits in a bubble of synctest, whose clock moves only while all sleep.
func runWait(o WaitOptions, steps []step, last error) (progress []Progress, took time.Duration, err error) {
	o.Progress = func(p Progress) { progress = append(progress, p) }
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	verdicts, ended := make(chan verdict), make(chan error, 1)
	go func() {
		for _, s := range steps {
			select {
			case <-ctx.Done():
				return
			case <-time.After(s.after):
			}
			select {
			case <-ctx.Done():
				return
			case verdicts <- s.verdict:
			}
		}
		if last != nil {
			ended <- last
		}
	}()
	w := newWaiter(o)
	err = w.wait(ctx, verdicts, ended)
	return progress, time.Since(w.started), err
}

func TestWaits(t *testing.T) {
	observed := func(s Situation, message string) verdict {
		return verdict{Observation: Observation{Situation: s, Message: message}}
	}
	done := verdict{done: true}
	working := observed(SituationProgressing, "waiting for 1 of 2 nodes")
	failing := observed(SituationFailing, "Crashed: node \"etl\"")
	growing := failing
	growing.patient = true
	given := failing
	given.final = true
	refused := errors.New("refused")

	for name, test := range map[string]struct {
		options  WaitOptions
		steps    []step
		last     error
		progress []Progress
		err      string // of a [WaitError]: its observation
		timeout  bool
		took     time.Duration
	}{
		"done at once": {steps: []step{{0, done}}},
		"each observation is reported once": {
			steps:    []step{{0, working}, {time.Second, working}, {time.Second, done}},
			progress: []Progress{{working.Observation, 0}}, took: 2 * time.Second,
		},
		"one without words is not reported": {steps: []step{{0, verdict{}}, {0, done}}},
		"what is over soon is not reported": {steps: []step{{0, unobserved()}, {quietTime - 1, done}}, took: quietTime - 1},
		"what lasts is": {
			steps:    []step{{0, unobserved()}, {time.Minute, done}},
			progress: []Progress{{unobserved().Observation, quietTime}}, took: time.Minute,
		},
		"what blocks passes within the window": {
			steps:    []step{{0, failing}, {9 * time.Second, working}, {time.Minute, done}},
			progress: []Progress{{failing.Observation, 0}, {working.Observation, 9 * time.Second}}, took: 69 * time.Second,
		},
		"or fails the wait after it": {
			steps:    []step{{0, failing}, {4 * time.Second, failing}, {time.Minute, done}},
			progress: []Progress{{failing.Observation, 0}}, err: failing.Message, took: 10 * time.Second,
		},
		"unless the cluster grows": {
			steps:    []step{{0, growing}, {time.Minute, done}},
			progress: []Progress{{growing.Observation, 0}}, took: time.Minute,
		},
		"at once, if it cannot pass": {
			steps:    []step{{0, given}, {0, done}},
			progress: []Progress{{given.Observation, 0}}, err: given.Message,
		},
		"the time is over": {
			options: WaitOptions{Timeout: time.Hour}, steps: []step{{0, working}},
			progress: []Progress{{working.Observation, 0}}, err: working.Message, timeout: true, took: time.Hour,
		},
		"no time is one look, however long that takes": {
			options: WaitOptions{Timeout: -1}, steps: []step{{7 * time.Second, done}}, took: 7 * time.Second,
		},
		"what is looked at once is reported": {
			options: WaitOptions{Timeout: -1}, steps: []step{{7 * time.Second, working}, {1, done}},
			progress: []Progress{{working.Observation, 7 * time.Second}}, err: working.Message, timeout: true, took: 7 * time.Second,
		},
		"what cannot be looked at is not awaited": {options: WaitOptions{Timeout: -1}, timeout: true, took: LookTime},
		"what blocks fails it, where nothing may last": {
			options: WaitOptions{Timeout: -1, Window: -1}, steps: []step{{time.Second, failing}, {0, done}},
			progress: []Progress{{failing.Observation, time.Second}}, err: failing.Message, took: time.Second,
		},
		"unless the cluster grows then": {
			options: WaitOptions{Timeout: -1, Window: -1}, steps: []step{{time.Second, growing}, {time.Hour, done}},
			progress: []Progress{{growing.Observation, time.Second}}, err: growing.Message, timeout: true, took: time.Second,
		},
		"another time to wait is for the look too": {
			options: WaitOptions{Timeout: time.Second}, steps: []step{{2 * time.Second, done}}, timeout: true, took: time.Second,
		},
		"the cluster refuses": {last: refused, steps: []step{{0, working}}, progress: []Progress{{working.Observation, 0}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				switch test.options.Timeout {
				case 0:
					test.options.Timeout = 10 * time.Minute
				case -1:
					test.options.Timeout = 0
				}
				if test.options.Window++; test.options.Window != 0 {
					test.options.Window = 10 * time.Second
				}
				progress, took, err := runWait(test.options, test.steps, test.last)
				require.Equal(t, test.progress, progress)
				require.Equal(t, test.took, took)
				var failed *WaitError
				switch {
				case test.last != nil:
					require.Equal(t, test.last, err)
				case test.timeout || test.err != "":
					require.ErrorAs(t, err, &failed)
					require.Equal(t, test.err, failed.Observation.Message)
					require.Equal(t, test.timeout, failed.Timeout)
				default:
					require.NoError(t, err)
				}
			})
		})
	}
}

// What comes before the wait, such as a look whether there is the version at all, takes of its time.
func TestTheTimeOfAWaitCountsFromItsBeginning(t *testing.T) {
	for timeout, took := range map[time.Duration]time.Duration{0: LookTime, time.Minute: time.Minute, time.Second: 4 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			o := WaitOptions{Timeout: timeout, Begun: time.Now()}
			time.Sleep(4 * time.Second)
			_, since, err := runWait(o, nil, nil)
			require.Equal(t, took, since)
			var failed *WaitError
			require.ErrorAs(t, err, &failed)
			require.True(t, failed.Timeout)
		})
	}
}
