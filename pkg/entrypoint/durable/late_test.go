package durable_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/metadata"

	"krt.dev/kn-krt/pkg/entrypoint/durable"
	"krt.dev/kn-krt/pkg/entrypoint/traffic"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/runner/event"
)

// A reply that arrives while its work ends holds no memory afterwards.
func TestReplyArrivesTooLate(t *testing.T) {
	v := start(t)
	v.change = func(o *durable.Options) { o.Background = 5 * time.Second }
	r := v.serve()
	reply := encode(string(make([]byte, 100_000)))
	rest, responded := make(chan *io.PipeWriter, 1), make(chan int, 1)
	v.nodes[1].works(func(ctx context.Context, in *event.Event, _ string) (int, *event.Event) {
		body, to := io.Pipe()
		req, err := http.NewRequest(http.MethodPost, r.reply+"/reply", body)
		require.NoError(t, err)
		in.Next(event.Source("test", "v1", "b"), event.TypeReply, "test.Reply", nil).WriteHeader(req.Header)
		req.ContentLength = int64(len(reply))
		go func() {
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				responded <- 0
				return
			}
			_ = res.Body.Close()
			responded <- res.StatusCode
		}()
		_, _ = to.Write(reply[:10])
		rest <- to
		<-ctx.Done()
		return http.StatusInternalServerError, nil
	})
	var to *io.PipeWriter
	for to == nil { // its time may be over before the node gets it
		require.Equal(t, "DEADLINE_EXCEEDED", r.givenUp(1).Status.Code)
		r.empty()
		select {
		case to = <-rest:
		default:
		}
	}
	_, err := to.Write(reply[10:])
	require.NoError(t, err)
	require.NoError(t, to.Close())
	require.Equal(t, http.StatusAccepted, <-responded)
	r.shows("krt_held_bytes 0\n")
}

// What a node says of letters is not passed on, and of a copy of a request, which another version has
// served, nothing is kept.
func TestKeepsNothingOfCopies(t *testing.T) {
	v := start(t)
	r := v.serve()
	v.nodes[0].works(func(_ context.Context, in *event.Event, text string) (int, *event.Event) {
		out := v.nodes[0].next(in, text+">a")
		out.Keep, out.Mirror = event.KeepDead, !in.Mirror
		return http.StatusOK, out
	})
	got := make(chan event.Event, 2)
	v.nodes[1].works(func(_ context.Context, in *event.Event, _ string) (int, *event.Event) {
		got <- *in
		require.Equal(t, http.StatusAccepted, r.post(in.Next(event.Source("test", "v1", "b"), event.TypeReply, "test.Reply", encode("early"))))
		return http.StatusBadRequest, nil
	})
	text, err := r.call(t.Context(), "x")
	require.NoError(t, err)
	require.Equal(t, "early", text)
	in := <-got
	require.Equal(t, []any{event.KeepNothing, false}, []any{in.Keep, in.Mirror})
	r.empty()
	require.Equal(t, 1, v.letters.count(letter.Dead))

	ctx := metadata.AppendToOutgoingContext(t.Context(), traffic.MetadataMirror, "1")
	_, err = r.call(ctx, "y")
	require.NoError(t, err)
	require.True(t, (<-got).Mirror)
	r.empty()
	require.Equal(t, 1, v.letters.count(letter.Dead), "that of before")
	r.shows(`krt_dead_letters_total{node="b",workflow="flow"} 1`)
}
