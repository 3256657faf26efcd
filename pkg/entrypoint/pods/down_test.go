package pods_test

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/entrypoint/pods"
)

// The queue-proxy of a node that has ended accepts requests, and says so when it is asked.
func TestOneWhoseNodeIsDownIsNotPicked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "1")
		w.pick()
		w.Pick().Done(pods.Refused, errors.New("HTTP 502"))
		for range 9 {
			require.Empty(t, w.after(time.Second))
		}
		require.Equal(t, "10.0.0.1:8012", w.after(time.Second))
	})
}

// Each look has time to wait for sixteen.
func TestOnesThatDoNotRespondKeepNoOtherFromBeingAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.slow = time.Second
		var hosts []string
		for i := range 40 {
			hosts = append(hosts, strconv.Itoa(i))
			w.dead["10.0.0."+hosts[i]+":8012"] = context.DeadlineExceeded
		}
		w.name(append(hosts, "99")...)
		for range 9 {
			w.after(time.Second)
		}
		require.Equal(t, "10.0.0.99:8012", w.after(time.Second))
	})
}

// The runner of an older kn-krt names nobody, while the queue-proxy in front of it accepts requests.
func TestOneThatRefusesAgainAndAgainIsReportedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "1")
		w.pick()
		refusals := 0
		refuse := func() {
			for range 60 {
				if p := w.Pick(); p != nil {
					p.Done(pods.Refused, errors.New("it is nobody"))
					refusals++
				}
				time.Sleep(time.Second)
				synctest.Wait()
			}
		}
		refuse()
		require.Greater(t, refusals, 3)
		require.Equal(t, 1, bytes.Count(w.lines.Bytes(), []byte("it is nobody")))

		time.Sleep(10 * time.Second)
		w.pick()
		require.NotEmpty(t, w.pick(), "it responds")
		refuse()
		require.Equal(t, 2, bytes.Count(w.lines.Bytes(), []byte("it is nobody")))
	})
}
