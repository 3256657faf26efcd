package logs

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/watch"

	"krt.dev/kn-krt/pkg/logline"
)

// following is a running FollowLogs.
type following struct {
	*testing.T

	lines  chan string // each "pod text"
	failed chan *Error
	ended  chan error
	stop   context.CancelFunc
}

// startFollowing follows the logs of a machine until the test ends.
func startFollowing(t *testing.T, m *machine, q Query) *following {
	t.Helper()
	f := &following{T: t, lines: make(chan string, 10_000), failed: make(chan *Error, 1000), ended: make(chan error, 1)}
	s, err := newLogs(m.cluster(t), "one", q)
	require.NoError(t, err)
	l := newLogFollower(s, Handler{
		Line:   func(l logline.Line) { f.lines <- l.Pod + " " + l.Text },
		Failed: func(e *Error) { f.failed <- e },
	})
	l.pause, l.beginning.patience = time.Millisecond, time.Minute
	ctx, stop := context.WithCancel(t.Context())
	f.stop = stop
	go func() { f.ended <- l.follow(ctx) }()
	t.Cleanup(stop)
	return f
}

// next requires that the next lines are these.
func (f *following) next(lines ...string) {
	f.Helper()
	for _, line := range lines {
		select {
		case got := <-f.lines:
			require.Equal(f, line, got)
		case err := <-f.ended:
			f.Fatalf("ended: %v", err)
		}
	}
}

// end stops following, and requires that there were no more lines.
func (f *following) end() {
	f.Helper()
	f.stop()
	require.ErrorIs(f, <-f.ended, context.Canceled)
	close(f.lines)
	for line := range f.lines {
		f.Errorf("one more line: %s", line)
	}
}

func TestLogsOfNewPodsAreFollowed(t *testing.T) {
	m := newMachine(t)
	m.add("etl", "etl-1")
	m.write("etl-1", 0, "old")
	m.write("etl-1", 1, "last")
	f := startFollowing(t, m, Query{Tail: new(int64(1))})
	f.next("etl-1 last")
	m.write("etl-1", 2, "new")
	f.next("etl-1 new")
	m.do(func() {
		m.create("etl", "etl-2")
		m.pods["etl-2"].append(3, "first\n")
		m.pods["etl-2"].append(4, "second\n")
	})
	f.next("etl-2 first", "etl-2 second") // all of it, because it is new
	m.do(func() { m.delete("etl-1"); m.create("etl", "etl-3") })
	m.write("etl-3", 5, "here")
	f.next("etl-3 here")
	f.end()
	require.Empty(t, f.failed)
}

// The container ends and starts again; the pod's new state is known before the log has
// ended, long after, or never, because a second restart comes first.
func TestALogIsFollowedThroughRestarts(t *testing.T) {
	m := newMachine(t)
	m.add("etl", "etl-1")
	m.write("etl-1", 0, "first life")
	f := startFollowing(t, m, Query{})
	f.next("etl-1 first life")
	p := m.pods["etl-1"]
	m.do(func() { p.end(); m.record(p, watch.Modified); p.start(); m.record(p, watch.Modified) })
	m.write("etl-1", 10, "second life")
	f.next("etl-1 second life")

	m.do(func() { p.end(); p.start() })
	m.write("etl-1", 20, "third life, before anybody knows of it")
	f.next("etl-1 third life, before anybody knows of it")
	m.do(func() { m.record(p, watch.Modified) })

	m.do(func() { p.end(); m.record(p, watch.Modified) })
	m.do(func() { p.start(); m.record(p, watch.Modified) })
	m.write("etl-1", 30, "fourth life")
	f.next("etl-1 fourth life")
	m.do(func() {
		p.cuts++ // before the last line
		p.append(40, "its end\n")
		p.end()
		p.start()
		p.append(50, "fifth life\n")
		m.record(p, watch.Modified)
	})
	f.next("etl-1 its end", "etl-1 fifth life")
	f.end()
}

// A connection may break off within a line or between lines, or be closed as if the log
// had ended; then no line comes twice, and none is lost. Lines of one time, and those of
// standard output and standard error that changed places, are all lines.
func TestABrokenLogIsFollowedOn(t *testing.T) {
	m := newMachine(t)
	m.add("etl", "etl-1")
	f := startFollowing(t, m, Query{})
	random := rand.New(rand.NewPCG(1, 2))
	at := 0
	for i := range 500 {
		switch random.IntN(10) {
		case 0:
			m.do(func() { m.pods["etl-1"].torn = true })
		case 1:
			m.do(func() { m.pods["etl-1"].cuts++ })
		case 2:
			at += 700
		case 3, 4, 5:
			at++
		}
		jitter := 0
		if at%1000 > 1 {
			jitter = random.IntN(2)
		}
		m.write("etl-1", at-jitter, fmt.Sprintf("line %d", i))
	}
	for i := range 500 {
		f.next(fmt.Sprintf("etl-1 line %d", i))
	}
	f.end()
}

func TestALineThatIsTornComesWhole(t *testing.T) {
	m := newMachine(t)
	m.add("etl", "etl-1")
	m.write("etl-1", 0, "before")
	f := startFollowing(t, m, Query{})
	f.next("etl-1 before")
	m.do(func() { m.pods["etl-1"].torn = true })
	m.write("etl-1", 1, "whole")
	f.next("etl-1 whole")
	e := <-f.failed
	require.True(t, e.Retrying)
	require.EqualError(t, e, "cannot read the log of etl (pod etl-1): unexpected EOF")
	// An end without a line's end is one, too.
	m.writeRaw("etl-1", 2, "last words")
	m.do(func() { p := m.pods["etl-1"]; p.end(); m.record(p, watch.Modified) })
	f.next("etl-1 last words")
	f.end()
}

// A log without a line is opened again when it breaks off. What the container before logged
// is not a part of it.
func TestAnEmptyLogIsFollowedOn(t *testing.T) {
	m := newMachine(t)
	m.add("etl", "etl-1")
	m.write("etl-1", 0, "before it was followed")
	m.do(func() { p := m.pods["etl-1"]; p.end(); p.start(); m.record(p, watch.Modified) })
	f := startFollowing(t, m, Query{})
	requests := func(what string) int { return strings.Count(strings.Join(m.requests, " "), what) }
	m.await(func() bool { return requests("follow=true") == 1 })
	m.do(func() { m.pods["etl-1"].cuts++ })
	m.await(func() bool { return requests("follow=true") == 2 && requests("previous=true") == 2 })
	m.write("etl-1", 1, "here")
	f.next("etl-1 here")
	f.end()
}

func TestATailOfNothingLosesNothing(t *testing.T) {
	m := newMachine(t)
	m.add("etl", "etl-1")
	m.write("etl-1", 0, "old")
	f := startFollowing(t, m, Query{Tail: new(int64(0))})
	m.await(func() bool { return strings.Contains(strings.Join(m.requests, " "), "follow=true") })
	m.do(func() { m.pods["etl-1"].cuts++; m.pods["etl-1"].fails = http.StatusInternalServerError })
	m.write("etl-1", 1, "new")
	m.recover("etl-1")
	f.next("etl-1 new")
	f.end()
}

// The tail is read again until all of it was: what came before it is not wanted.
func TestATailThatBreaksOffIsReadAgain(t *testing.T) {
	m := newMachine(t)
	m.add("etl", "etl-1")
	m.write("etl-1", 0, "old")
	m.write("etl-1", 5000, "last")
	m.do(func() { m.pods["etl-1"].torn = true })
	f := startFollowing(t, m, Query{Tail: new(int64(1))})
	f.next("etl-1 last")
	m.write("etl-1", 5001, "new")
	f.next("etl-1 new")
	f.end()
}

// The kubelet's own messages are in each response, without a time.
func TestAMessageOfTheKubeletComesOnce(t *testing.T) {
	m := newMachine(t)
	m.add("etl", "etl-1")
	m.do(func() { m.pods["etl-1"].file().lines = []testLine{{text: "too many open files\n"}} })
	m.write("etl-1", 0, "first")
	f := startFollowing(t, m, Query{})
	f.next("etl-1 too many open files", "etl-1 first")
	for i := range 3 {
		m.do(func() { m.pods["etl-1"].cuts++ })
		m.write("etl-1", i+1, "next")
		f.next("etl-1 next")
	}
	f.end()
}

// A log that cannot be read is reported, given up and opened again when its pod changes;
// the others are followed meanwhile.
func TestALogThatCannotBeReadIsGivenUp(t *testing.T) {
	m := newMachine(t)
	m.add("etl", "etl-1")
	m.add("etl", "etl-2")
	m.do(func() { m.pods["etl-1"].fails = http.StatusInternalServerError })
	f := startFollowing(t, m, Query{})
	e := <-f.failed
	require.True(t, e.Retrying)
	m.write("etl-2", 0, "meanwhile")
	f.next("etl-2 meanwhile")
	e = <-f.failed
	require.False(t, e.Retrying)
	require.EqualError(t, e, "cannot read the log of etl (pod etl-1): its machine is lost")
	m.recover("etl-1")
	m.write("etl-1", 1, "here again")
	f.next("etl-1 here again")
	f.end()
	require.Empty(t, f.failed)
}

func TestWithoutTheRightFollowingEnds(t *testing.T) {
	m := newMachine(t)
	m.add("etl", "etl-1")
	m.do(func() { m.pods["etl-1"].fails = http.StatusForbidden })
	f := startFollowing(t, m, Query{})
	err := <-f.ended
	require.True(t, apierrors.IsForbidden(err), "%v", err)
}

// A watch that ends is begun again; pods that have come or gone meanwhile are known.
func TestFollowingOutlivesTheWatch(t *testing.T) {
	m := newMachine(t)
	m.add("etl", "etl-1")
	m.write("etl-1", 0, "first")
	f := startFollowing(t, m, Query{})
	f.next("etl-1 first")
	m.do(func() {
		m.watches++
		m.delete("etl-1")
		m.create("etl", "etl-2")
	})
	m.write("etl-2", 1, "second")
	f.next("etl-2 second")
	f.end()
}
