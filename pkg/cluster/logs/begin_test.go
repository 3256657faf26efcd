package logs

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/logline"
)

// What was logged before is passed on in the order of time, over all pods; then what is new.
func TestFollowingBeginsInTheOrderOfTime(t *testing.T) {
	for name, q := range map[string]Query{"all": {}, "the last lines": {Tail: new(int64(20))}} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			var want []string
			for pod := range 5 {
				m.add("etl", fmt.Sprintf("etl-%d", pod))
			}
			for i := range 100 {
				pod := fmt.Sprintf("etl-%d", i*i%5)
				m.write(pod, i, fmt.Sprint(i))
				want = append(want, fmt.Sprintf("%s %d", pod, i))
			}
			if q.Tail != nil {
				want = want[:0]
				written := map[int]int{}
				for i := 99; i >= 0; i-- {
					if pod := i * i % 5; written[pod] < int(*q.Tail) {
						written[pod]++
						want = append([]string{fmt.Sprintf("etl-%d %d", pod, i)}, want...)
					}
				}
			}
			f := startFollowing(t, m, q)
			f.next(want...)
			m.write("etl-4", 1000, "new")
			f.next("etl-4 new")
			m.write("etl-0", 900, "late")
			f.next("etl-0 late")
			f.end()
			require.Empty(t, f.failed)
		})
	}
}

// The beginning does not wait for a log that cannot be read now.
func TestABeginningDoesNotWaitForAFailure(t *testing.T) {
	m := newMachine(t)
	m.add("etl", "etl-1")
	m.add("etl", "etl-2")
	m.write("etl-2", 0, "here")
	m.do(func() { m.pods["etl-1"].fails = 500 })
	f := startFollowing(t, m, Query{})
	f.next("etl-2 here")
	require.True(t, (<-f.failed).Retrying)
	m.write("etl-1", 1, "back")
	m.recover("etl-1")
	f.next("etl-1 back")
	f.end()
}

// A log that does not continue is not waited for, and none of its lines is lost.
func TestABeginningDoesNotWaitForever(t *testing.T) {
	b := beginning{patience: time.Millisecond, over: make(chan struct{})}
	silent, other := b.join(), b.join()
	go func() {
		defer close(other.lines)
		for i := range 3 {
			other.lines <- logline.Line{Text: fmt.Sprint(i), Time: moment(i)}
		}
	}()
	// What other sends within its own patience depends on the machine; what counts is that it ends.
	b.merge(t.Context(), func(logline.Line) {})
	<-b.over
	<-silent.late
	go func() {
		for range other.lines { // it may be late, too
		}
	}()

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b = beginning{patience: time.Hour, over: make(chan struct{})}
	b.join()
	b.merge(ctx, func(logline.Line) { t.Error("a line of nobody") })
	<-b.over
}
