package entrypoint_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/channel"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/runner/event"
)

// stuck is a node that responds when the entrypoint does not wait any more.
func stuck(begun chan<- struct{}) handle {
	return func(ctx context.Context, _ *event.Event) (int, *event.Event) {
		begun <- struct{}{}
		<-ctx.Done()
		return http.StatusAccepted, nil
	}
}

// What a stop ends of direct delivery is kept before the process ends.
func TestWorkThatAStopEndsIsKept(t *testing.T) {
	for range 20 {
		f := newFixture(t)
		o, s := keeping(t)
		o.ConnectionGrace = time.Millisecond
		begun := make(chan struct{}, 1)
		f.serve(f.version(node(t, "a", stuck(begun))), o)
		id := f.accepted()
		<-begun
		f.stop()
		require.ErrorContains(t, <-f.done, "unfinished")
		o.Mail.Close(time.Minute)
		l, err := s.Get(t.Context(), letter.Dead, "v1", id+"/0")
		require.NoError(t, err)
		require.Equal(t, event.ReasonStopping, l.Status.Reason)
		require.Equal(t, "x", f.textOf(l.Data))
	}
}

// All that a stop ends is kept, also if that is more than may wait for the store while the version serves.
func TestHoweverMuchAStopEndsIsKept(t *testing.T) {
	const requests = 20
	f := newFixture(t)
	o, s := keeping(t)
	o.ConnectionGrace = time.Millisecond
	begun := make(chan struct{}, requests)
	f.serve(f.version(node(t, "a", stuck(begun))), o)
	text := strings.Repeat("x", 3500<<10)
	for range requests {
		res := f.send(http.MethodPost, "/workflows/flow", `{"text":"`+text+`"}`, append(producer(), "Prefer", "respond-async")...)
		require.Equal(t, http.StatusAccepted, res.StatusCode)
		<-begun
	}
	s.away.Store(true)
	f.stop()
	require.ErrorContains(t, <-f.done, "unfinished")
	s.away.Store(false)
	o.Mail.Close(time.Minute)
	require.Equal(t, requests, s.count(letter.Dead))
}

// What a channel has accepted goes on behind a stop: another replica, or the next one, gets what comes of it.
func TestAStopGivesNothingUpThatAChannelHas(t *testing.T) {
	for _, kind := range []channel.Kind{channel.Named("KafkaChannel", false), channel.Default()} {
		t.Run(kind.Name, func(t *testing.T) {
			f := newFixture(t)
			o, s := keeping(t)
			o.ConnectionGrace = 10 * time.Millisecond
			begun := make(chan struct{}, 1)
			v := f.version(node(t, "a", f.says("a", true)))
			v.Results = time.Hour
			v.Workflows[0].Channel = kind
			v.Workflows[0].Address = node(t, "sequence", func(ctx context.Context, in *event.Event) (int, *event.Event) {
				if kind.Answers() {
					begun <- struct{}{}
					return http.StatusAccepted, &event.Event{}
				}
				return stuck(begun)(ctx, in)
			}).URL
			f.serve(v, o)
			id := f.accepted()
			<-begun
			f.stop()
			require.ErrorContains(t, <-f.done, "unfinished")
			o.Mail.Close(time.Minute)
			if kind.Answers() {
				require.Zero(t, s.count(letter.Dead))
				require.Zero(t, s.count(letter.Result))
				return
			}
			s.await(t, letter.Dead, id+"/0")
			s.await(t, letter.Result, id)
		})
	}
}
