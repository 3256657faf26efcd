package entrypoint_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/channel"
	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/runner/event"
)

// The id of a producer's event is any text. It must not cost the letter.
func TestLettersOfEventsWithAnyID(t *testing.T) {
	f := newFixture(t)
	v := f.version(node(t, "a", func(context.Context, *event.Event) (int, *event.Event) { return http.StatusInternalServerError, nil }))
	v.Results = time.Hour
	o, s := keeping(t)
	f.serve(v, o)
	for _, id := range []string{strings.Repeat("x", 256), strings.Repeat("%C3%A9", 120), "a%01b", "a%0Ab%FF"} {
		res := f.send(http.MethodPost, "/workflows/flow", `{"text":"x"}`, append(producer(), "Ce-Id", id, "Prefer", "respond-async")...)
		require.Equal(t, http.StatusAccepted, res.StatusCode)
	}
	f.awaitIdle()
	o.Mail.Close(time.Minute)
	require.Equal(t, 4, s.count(letter.Dead))
	require.Equal(t, 4, s.count(letter.Result))
}

// The result is the first response: where channels carry the event, the last node's comes when nobody knows of the
// request any more.
func TestAnEarlyReplyStaysTheResult(t *testing.T) {
	f := newFixture(t)
	v := f.version(entrypoint.Step{Node: "a"}, entrypoint.Step{Node: "b"})
	v.Results = time.Hour
	sent := make(chan *event.Event, 1)
	v.Workflows[0].Channel = channel.Named("KafkaChannel", false)
	v.Workflows[0].Address = serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		in, err := event.ReadHeader(r.Header)
		assert.NoError(t, err)
		w.WriteHeader(http.StatusAccepted)
		sent <- in
	})
	o, s := keeping(t)
	f.serve(v, o)
	id := f.accepted()
	in := <-sent
	early := in.Next(event.Source("test", "v1", "a"), event.TypeReply, "test.Reply", f.text("test.Reply", "early"))
	require.Equal(t, http.StatusAccepted, f.post("/reply", early))
	s.await(t, letter.Result, id)
	f.awaitIdle()
	require.Equal(t, http.StatusAccepted, f.post("/reply", f.replyTo(in, "done")))
	o.Mail.Close(time.Minute)
	require.Equal(t, "early", f.textOf(s.await(t, letter.Result, id).Data))
}
