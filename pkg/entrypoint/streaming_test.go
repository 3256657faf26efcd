package entrypoint

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/entrypoint/stream"
)

// A writer of net/http may not be touched any more when its handler has returned: that of HTTP/2
// panics, and in a goroutine of its own that would end the process.
func TestNoAbortOutlivesItsStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		until, cancel := context.WithCancel(t.Context())
		begun, goOn := make(chan struct{}), make(chan struct{})
		var stopped atomic.Bool
		stop := stream.AbortAt(until, func() {
			close(begun)
			<-goOn
		})
		cancel()
		<-begun
		go func() {
			stop()
			stopped.Store(true)
		}()
		synctest.Wait()
		require.False(t, stopped.Load(), "the abort is at work")
		close(goOn)
		synctest.Wait()
		require.True(t, stopped.Load())
	})
}

// The work may end between the response and the end of the stream, which comes right after it: the
// client has not gone.
func TestAResponseIsFollowedByTheEndOfItsStream(t *testing.T) {
	r := answered(t)
	synctest.Test(t, func(t *testing.T) {
		var texts []string
		r.Stream = stream.New("p.M", stream.Limits{}, stream.Sink{Send: func(data mem.Buffer, _ func(int64)) error {
			texts = append(texts, string(data.ReadOnlyData()))
			data.Free()
			return nil
		}})
		r.responses = make(chan response, 1)
		r.deadline = time.Now().Add(time.Hour)
		r.work, r.cancel = context.WithCancelCause(t.Context())
		r.parties.Store(2)
		r.responded.Store(true)
		r.responses <- response{}
		r.cancel(errStopping)
		out := make(chan response, 1)
		go func() { out <- r.follow(t.Context()) }()
		synctest.Wait()
		require.Empty(t, out)
		r.Stream.End(mem.SliceBuffer("last"))
		require.Nil(t, (<-out).failure)
		require.Equal(t, []string{"last"}, texts)
	})
}
