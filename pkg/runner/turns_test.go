package runner_test

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"krt.dev/kn-krt/pkg/runner"
)

func TestCallsInTurn(t *testing.T) {
	for workers, most := range map[string]int64{"": 1, "3": 3} {
		t.Run("workers="+workers, func(t *testing.T) {
			var running, above atomic.Int64
			var once sync.Once
			full := make(chan struct{})
			r := startInTurn(t, map[string]string{"KRT_WORKERS": workers}, func(*runner.HandlerContext, *anypb.Any) (proto.Message, error) {
				defer running.Add(-1)
				n := running.Add(1)
				if n > most {
					above.Add(1)
				}
				if n == most {
					once.Do(func() { close(full) })
				}
				<-full // until as many run as may
				return value("done"), nil
			})
			var calls sync.WaitGroup
			for range 20 {
				calls.Go(func() { equal(t, "status", r.post(t, message("")).status, http.StatusOK) })
			}
			calls.Wait()
			equal(t, "more at once", above.Load(), 0)
		})
	}
}

func TestACallThatWaitsKeepsItsDeadline(t *testing.T) {
	held, free := make(chan struct{}), make(chan struct{})
	var calls atomic.Int64
	r := startInTurn(t, nil, func(*runner.HandlerContext, *anypb.Any) (proto.Message, error) {
		if calls.Add(1) == 1 {
			close(held)
			<-free
		}
		return value("done"), nil
	})
	first := make(chan int, 1)
	go func() { first <- r.post(t, message("")).status }()
	<-held
	r.waitInVain(t)
	contains(t, "log", r.log.String(), "busy: other calls ran until shortly before its deadline")

	close(free)
	equal(t, "first", <-first, http.StatusOK)
	equal(t, "next", r.post(t, message("")).status, http.StatusOK)
	equal(t, "calls", calls.Load(), int64(2))
}

func TestSoManyWaitForTheirTurn(t *testing.T) {
	const waiting, refused = 1024, 20
	free := make(chan struct{})
	r := startInTurn(t, nil, func(*runner.HandlerContext, *anypb.Any) (proto.Message, error) {
		<-free
		return value("done"), nil
	})
	statuses := make(chan answer)
	for range 1 + waiting + refused {
		go func() {
			in := message("")
			in.Deadline = time.Now().Add(10 * time.Minute) // all are to wait until the last has come
			statuses <- r.post(t, in)
		}()
	}
	for range refused { // nothing else is answered before
		a := <-statuses
		equal(t, "status", a.status, http.StatusServiceUnavailable)
		equal(t, "text", a.text, "busy: 1025 calls are waiting or running, the most the node accepts")
	}
	close(free)
	for range 1 + waiting {
		equal(t, "status", (<-statuses).status, http.StatusOK)
	}
}

func TestWrongWorkers(t *testing.T) {
	err := runner.Run(t.Context(), runner.Options{InTurn: true, Listener: listen(t), Getenv: func(name string) string {
		return map[string]string{"KRT_WORKERS": "257"}[name]
	}}, nil, echo)
	equal(t, "error", fmt.Sprint(err), `cannot start the node: KRT_WORKERS: "257" is not a whole number from 1 to 256`)
}

// startInTurn is start of a node whose calls run in turn.
func startInTurn(t *testing.T, env map[string]string, handler runner.Handler) *running {
	return startWith(t, runner.Options{InTurn: true}, env, nil, handler)
}

// waitInVain posts an event whose deadline passes while another call runs.
func (r *running) waitInVain(t *testing.T) {
	t.Helper()
	inTime(t, time.Second, func(patience time.Duration) bool {
		status := r.post(t, soon(patience)).status
		if status == http.StatusAccepted {
			return false // it has arrived too late to wait
		}
		equal(t, "late", status, http.StatusServiceUnavailable)
		return true
	})
}

// The node's own timeout is about the handler: the wait for a turn does not count.
func TestACallThatWaitsKeepsItsTimeout(t *testing.T) {
	const calls = 6
	inTime(t, 2*time.Second, func(timeout time.Duration) bool {
		env := map[string]string{"KRT_TIMEOUT": timeout.String()}
		r := startInTurn(t, env, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
			select {
			case <-time.After(timeout / 4): // the last ones wait for longer than the timeout
				return value("done"), nil
			case <-ctx.Context().Done():
				return nil, ctx.Context().Err()
			}
		})
		var done atomic.Int64
		var all sync.WaitGroup
		for range calls {
			all.Go(func() {
				in := message("")
				in.Deadline = time.Now().Add(10 * time.Minute)
				if r.post(t, in).status == http.StatusOK {
					done.Add(1)
				}
			})
		}
		all.Wait()
		return done.Load() == calls
	})
}
