package entrypoint_test

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/entrypoint/mail"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/runner/event"
)

// replay replays a dead letter, and returns the status and the text of the response.
func (f *fixture) replay(id string) (int, string) {
	res, err := http.Post(f.inspect+"/letters/dead/"+id+"/replay", "", http.NoBody)
	require.NoError(f.t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(f.t, err)
	return res.StatusCode, string(body)
}

// Work behind an early reply is replayed with success where the nodes that are left respond with no event, and what was
// kept as the result stays.
func TestAReplayEndsWithoutAResponse(t *testing.T) {
	for name, results := range map[string]time.Duration{"with results": time.Hour, "without": 0} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			var works atomic.Bool
			var ran atomic.Int32
			v := f.version(
				node(t, "a", func(ctx context.Context, in *event.Event) (int, *event.Event) {
					early := in.Next(event.Source("test", "v1", "a"), event.TypeReply, "test.Reply", f.text("test.Reply", "early"))
					require.Equal(t, http.StatusAccepted, f.post("/reply", early))
					return f.says("a", false)(ctx, in)
				}),
				node(t, "b", func(context.Context, *event.Event) (int, *event.Event) {
					if !works.Load() {
						return http.StatusInternalServerError, nil
					}
					ran.Add(1)
					return http.StatusAccepted, &event.Event{}
				}))
			v.Results = results
			o, s := keeping(t)
			f.serve(v, o)
			id := f.accepted()
			s.await(t, letter.Dead, id+"/1")
			f.awaitIdle()
			kept := s.count(letter.Result)
			works.Store(true)
			status, text := f.replay(id + "/1")
			require.Equal(t, http.StatusAccepted, status, text)
			s.gone(t, letter.Dead, id+"/1")
			f.awaitIdle()
			require.EqualValues(t, 1, ran.Load())
			require.Equal(t, kept, s.count(letter.Result))
			if kept > 0 {
				require.Equal(t, "early", f.textOf(s.await(t, letter.Result, id).Data))
			}
		})
	}
}

// abandoned is a version with a dead letter, the options of the replica that kept it, and the letter's id. Its node waits for
// replay whenever it is called again.
func abandoned(t *testing.T, f *fixture, replay func()) (entrypoint.Version, entrypoint.Options, *letters, string) {
	t.Helper()
	var works atomic.Bool
	v := f.version(node(t, "a", func(ctx context.Context, in *event.Event) (int, *event.Event) {
		if !works.Load() {
			return http.StatusInternalServerError, nil
		}
		replay()
		return f.says("a", true)(ctx, in)
	}))
	o, s := keeping(t)
	f.serve(v, o)
	id := f.accepted() + "/0"
	s.await(t, letter.Dead, id)
	f.awaitIdle()
	works.Store(true)
	return v, o, s, id
}

// Whoever has read a letter before a replay of it has succeeded must not replay it after that.
func TestALetterThatWasReadBeforeItsReplayIsNotReplayedAgain(t *testing.T) {
	f := newFixture(t)
	var ran, reads atomic.Int32
	_, _, s, id := abandoned(t, f, func() { ran.Add(1) })
	first, replayed := make(chan struct{}), make(chan struct{})
	s.read = func() {
		if reads.Add(1) == 1 { // the second replay has begun once this one has read the letter
			close(first)
			<-replayed
		}
	}
	statuses := make(chan int, 1)
	go func() {
		status, _ := f.replay(id)
		statuses <- status
	}()
	<-first
	status, _ := f.replay(id)
	if status == http.StatusAccepted {
		require.Eventually(t, func() bool { return s.count(letter.Dead) == 0 }, time.Minute, time.Millisecond)
		f.awaitIdle()
	}
	close(replayed)
	status += <-statuses
	require.Eventually(t, func() bool { return s.count(letter.Dead) == 0 }, time.Minute, time.Millisecond)
	f.awaitIdle()
	require.EqualValues(t, 1, ran.Load())
	require.Equal(t, http.StatusAccepted+http.StatusConflict, status)
}

// Two replicas do not replay a letter at a time.
func TestReplicasReplayALetterOnce(t *testing.T) {
	f, other := newFixture(t), newFixture(t)
	begun, goOn := make(chan struct{}, 2), make(chan struct{})
	v, o, s, id := abandoned(t, f, func() {
		begun <- struct{}{}
		<-goOn
	})
	o.Mail = mail.New(s, o.Logger)
	t.Cleanup(func() { o.Mail.Close(time.Minute) })
	other.serve(v, o)
	status, text := f.replay(id)
	require.Equal(t, http.StatusAccepted, status, text)
	<-begun
	status, text = other.replay(id)
	close(goOn)
	require.Equal(t, http.StatusConflict, status, text)
	require.Contains(t, text, "it is being replayed")
	require.Eventually(t, func() bool {
		status, text = other.replay(id)
		return status == http.StatusNotFound
	}, time.Minute, time.Millisecond, text)
	require.Empty(t, begun)
}

// A letter can be replayed again after a replay that has failed, also if what it failed with could not be kept.
func TestAReplayThatHasFailedGivesTheLetterBack(t *testing.T) {
	f := newFixture(t)
	o, s := keeping(t)
	f.serve(f.version(node(t, "a", func(context.Context, *event.Event) (int, *event.Event) {
		return http.StatusInternalServerError, nil
	})), o)
	id := f.accepted() + "/0"
	s.await(t, letter.Dead, id)
	f.awaitIdle()
	s.refuses.Store(true)
	for range 2 {
		var status int
		require.Eventually(t, func() bool {
			status, _ = f.replay(id)
			return status != http.StatusConflict
		}, time.Minute, time.Millisecond)
		require.Equal(t, http.StatusAccepted, status)
	}
}
