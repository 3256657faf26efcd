package pods_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/entrypoint/pods"
)

// world is what DNS and pods say, in a bubble of package synctest.
type world struct {
	*pods.Set
	mu    sync.Mutex
	named []netip.Addr
	err   error
	dead  map[string]error // by address; those not in it accept requests
	gone  []string
	looks int
	lines bytes.Buffer // of the log
	asked map[string]int
	slow  time.Duration // until those that are dead respond
}

func newWorld(t *testing.T, named ...string) *world {
	t.Helper()
	w := &world{dead: map[string]error{}, asked: map[string]int{}}
	w.name(named...)
	w.Set = pods.New("etl", &url.URL{Host: "etl.test.:8012"}, pods.Options{
		Lookup: func(_ context.Context, host string) ([]netip.Addr, error) {
			require.Equal(t, "etl.test.", host)
			w.mu.Lock()
			defer w.mu.Unlock()
			w.looks++
			if w.err == nil && len(w.named) == 0 {
				return nil, &net.DNSError{IsNotFound: true}
			}
			return w.named, w.err
		},
		Ask: func(_ context.Context, address string) error {
			w.mu.Lock()
			w.asked[address]++
			err := w.dead[address]
			w.mu.Unlock()
			if err != nil {
				time.Sleep(w.slow)
			}
			return err
		},
		Gone: func(address string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.gone = append(w.gone, address)
		},
		Logger: slog.New(slog.NewTextHandler(&w.lines, nil)),
	})
	t.Cleanup(w.Close)
	return w
}

// name has DNS name these, of which only the last byte is given.
func (w *world) name(hosts ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.named = nil
	for _, h := range hosts {
		w.named = append(w.named, netip.MustParseAddr("10.0.0."+h))
	}
}

func (w *world) set(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// pick picks a pod once looks are through, "" for none, and ends its request.
func (w *world) pick() string {
	p := w.Pick()
	synctest.Wait()
	if p == nil {
		return ""
	}
	p.Done(pods.Responded, nil)
	return p.URL.Host
}

// after picks when d has passed, and a look that then begins is through.
func (w *world) after(d time.Duration) string {
	time.Sleep(d) // of the bubble: no time passes
	w.pick()
	return w.pick()
}

func TestTheOneWithTheFewestInFlightIsPicked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "1", "2", "3")
		require.Nil(t, w.Pick(), "nothing is known yet")
		synctest.Wait()
		open := map[string][]*pods.Pod{}
		for range 9 {
			p := w.Pick()
			open[p.URL.String()] = append(open[p.URL.String()], p)
		}
		require.Len(t, open, 3)
		for _, of := range open {
			require.Len(t, of, 3)
		}
		open["http://10.0.0.2:8012/"][0].Done(pods.Responded, nil)
		require.Equal(t, "10.0.0.2:8012", w.pick())
		require.Equal(t, "10.0.0.2:8012", w.pick())

		w.name("1", "2", "3", "4")
		require.Equal(t, "10.0.0.4:8012", w.after(time.Second), "a new one has the fewest")
	})
}

func TestOnesWithEquallyManyTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "1", "2", "3")
		w.pick()
		times := map[string]int{}
		for range 30 {
			times[w.pick()]++
		}
		require.Equal(t, map[string]int{"10.0.0.1:8012": 10, "10.0.0.2:8012": 10, "10.0.0.3:8012": 10}, times)
	})
}

func TestWithoutRequestsNothingIsLookedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "1")
		time.Sleep(time.Hour)
		require.Zero(t, w.looks)
		w.pick()
		require.Equal(t, "10.0.0.1:8012", w.pick())
		require.Equal(t, 1, w.looks)
		time.Sleep(11 * time.Second)
		require.Empty(t, w.pick(), "it is not known any more")
		require.Equal(t, "10.0.0.1:8012", w.pick())
		require.Equal(t, 2, w.looks)
	})
}

func TestPodsComeAndGoWithDNS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		require.Empty(t, w.after(0))
		w.name("1")
		require.Equal(t, "10.0.0.1:8012", w.after(time.Second))
		w.name("2")
		require.Equal(t, "10.0.0.2:8012", w.after(time.Second))
		require.Equal(t, []string{"10.0.0.1:8012"}, w.gone)
		w.name()
		require.Empty(t, w.after(time.Second))
	})
}

// What DNS said last holds for a while when it fails.
func TestDNSMayFailForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "1")
		w.pick()
		w.set(func() { w.err = errors.New("SERVFAIL") })
		for range 10 {
			require.Equal(t, "10.0.0.1:8012", w.after(time.Second))
		}
		require.Empty(t, w.after(time.Second))
		w.set(func() { w.err = nil })
		require.Equal(t, "10.0.0.1:8012", w.after(time.Second))
	})
}

func TestOneThatAcceptsNothingIsNotPicked(t *testing.T) {
	for name, dies := range map[string]func(w *world, p *pods.Pod){
		"it refuses a request": func(_ *world, p *pods.Pod) { p.Done(pods.Refused, syscall.ECONNREFUSED) },
		"a connection breaks":  func(_ *world, p *pods.Pod) { p.Done(pods.Broke, syscall.ECONNRESET) },
		"it says so": func(w *world, p *pods.Pod) {
			p.Done(pods.Responded, nil)
			time.Sleep(2 * time.Second)
			w.pick()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "1", "2")
				w.pick()
				p := w.Pick()
				first, other := p.URL.Host, "10.0.0.2:8012"
				require.Equal(t, "10.0.0.1:8012", first)
				w.set(func() { w.dead[first] = errors.New("it ends") })
				dies(w, p)
				for range 80 { // DNS goes on naming it
					require.Equal(t, other, w.after(100*time.Millisecond))
				}
				require.Contains(t, w.gone, first)

				w.set(func() { delete(w.dead, first) }) // it, or another with its address
				require.Equal(t, other, w.after(time.Second))
				require.Equal(t, other, w.pick())
				seen := map[string]bool{}
				for range 5 {
					seen[w.after(time.Second)], seen[w.pick()] = true, true
				}
				require.Len(t, seen, 2, "DNS names it still: it is asked again")
			})
		})
	}
}

func TestOneThatComesBackInDNSIsAskedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "1")
		w.pick()
		w.Pick().Done(pods.Refused, syscall.ECONNREFUSED)
		require.Empty(t, w.after(time.Second))
		w.name()
		require.Empty(t, w.after(time.Second))
		w.name("1")
		require.Equal(t, "10.0.0.1:8012", w.after(time.Second))
	})
}

// One that is slow to say whether it accepts requests may have much to do.
func TestOneThatIsSlowStaysWhatItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "1")
		w.pick()
		w.set(func() {
			w.dead["10.0.0.1:8012"] = context.DeadlineExceeded
			w.dead["10.0.0.2:8012"] = context.DeadlineExceeded
		})
		w.name("1", "2")
		for range 20 {
			require.Equal(t, "10.0.0.1:8012", w.after(time.Second))
		}
		require.Contains(t, w.gone, "10.0.0.1:8012", "if it is lost, a new connection tells")
		w.set(func() { delete(w.dead, "10.0.0.2:8012") })
		require.Equal(t, "10.0.0.2:8012", w.after(time.Second))
	})
}

func TestOthersArePreferredToOneThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "1", "2")
		w.pick()
		p := w.Pick()
		failing := p.URL.Host
		p.Done(pods.Failed, nil)
		var open []*pods.Pod
		for range 5 {
			open = append(open, w.Pick())
			require.NotEqual(t, failing, open[len(open)-1].URL.Host, "however much the other has to do")
		}
		time.Sleep(time.Second)
		require.Equal(t, failing, w.pick())
		for _, p := range open {
			p.Done(pods.Failed, nil)
		}
		require.NotEmpty(t, w.pick(), "all of them fail")
	})
}

func TestTheNumberOfPodsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for i := range 1000 {
			w.named = append(w.named, netip.MustParseAddr(fmt.Sprintf("10.0.%d.%d", i/250, i%250)), netip.MustParseAddr("10.9.9.9"))
		}
		w.pick()
		seen := map[string]bool{}
		for range 1000 {
			p := w.Pick()
			synctest.Wait()
			seen[p.URL.Host] = true
		}
		require.Len(t, seen, 256)
	})
}

func TestOneThatIsClosedLooksForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "1")
		w.pick()
		w.Close()
		require.Empty(t, w.after(time.Minute))
		require.Equal(t, 1, w.looks)
	})
}
