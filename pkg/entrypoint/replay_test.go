package entrypoint_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/runner/event"
)

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
