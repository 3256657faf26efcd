package conformance_test

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/test/conformance"
	"krt.dev/kn-krt/test/conformance/node"
)

func tokenCases() []testCase {
	return []testCase{
		{name: "reply: forged ones are answered 202 and dropped", run: forgedReplies},
		{name: "reply: who holds the event's token may answer", run: tokenHolderAnswers},
		{name: "reply: late and duplicate ones are answered 202 and dropped", run: lateReplies},
		{name: "reply: one whose token has expired is late", on: conformance.Hasty, run: expiredReply},
		{name: "reply: a dead letter is never refused for its size", run: largeDeadLetter},
	}
}

// held is a call that waits at the foreign node: what the node got, and how to
// let it go on.
type held struct {
	in      *node.Request
	event   *event.Event
	answers <-chan answer
	release func()
}

// hold begins a call that stays at the foreign node, the first of its workflow.
func (v *version) hold(ctx context.Context, options ...grpc.CallOption) held {
	gate := v.newGate("foreign")
	in := request("n1", order("foreign", node.Act_WAIT, gate))
	h := held{in: in, answers: v.begin(ctx, "ForeignFirst", in, options...), release: func() { v.openGate("foreign", gate) }}
	v.awaitRuns(in, "foreign", 1)
	v.read(&h)
	return h
}

// read sets the event that the foreign node holds.
func (v *version) read(h *held) {
	var err error
	h.event, err = event.ReadHeader(v.heard(h.in)[0].Header)
	require.NoError(v.t, err)
}

// reply posts a reply to the held call, changed by change.
func (v *version) reply(h held, path, text string, change func(*event.Event)) {
	v.t.Helper()
	message, data, err := event.Encode(&node.Reply{Text: text})
	require.NoError(v.t, err)
	e := h.event.Next("/krt/conformance/x/foreign", event.TypeReply, message, data)
	if change != nil {
		change(e)
	}
	got, err := v.post(v.Reply()+path, e, nil)
	require.NoError(v.t, err)
	require.Equal(v.t, http.StatusAccepted, got.status)
}

func forgedReplies(v *version) {
	mine, other := v.hold(v.t.Context()), v.hold(v.t.Context())
	flipped := []byte(mine.event.ReplyToken)
	flipped[len(flipped)/2] ^= 1
	forgeries := map[string]func(*event.Event){
		"no token":                  func(e *event.Event) { e.ReplyToken = "" },
		"garbage":                   func(e *event.Event) { e.ReplyToken = "garbage" },
		"one bit flipped":           func(e *event.Event) { e.ReplyToken = string(flipped) },
		"another request's token":   func(e *event.Event) { e.ReplyToken = other.event.ReplyToken },
		"another correlation id":    func(e *event.Event) { e.CorrelationID = other.event.CorrelationID },
		"no correlation id":         func(e *event.Event) { e.CorrelationID = "" },
		"a token cut short":         func(e *event.Event) { e.ReplyToken = e.ReplyToken[:20] },
		"a token that goes further": func(e *event.Event) { e.ReplyToken += "AAAA" },
	}
	before := v.dropped("bad_token", "no_token")
	for _, forge := range forgeries {
		v.reply(mine, "/reply", "forged", forge)
		v.reply(mine, "/dead-letter", "forged", forge)
	}
	got, err := v.send(http.MethodPost, v.Reply()+"/reply", []byte("no event"), http.Header{"Content-Type": {"text/plain"}})
	require.NoError(v.t, err)
	require.Equal(v.t, http.StatusAccepted, got.status)
	require.GreaterOrEqual(v.t, v.dropped("bad_token", "no_token")-before, float64(2*len(forgeries)))
	for _, h := range []held{mine, other} {
		h.release()
		a := <-h.answers
		require.NoError(v.t, a.err)
		require.Empty(v.t, a.reply.GetText(), "a forged answer reached the caller")
		require.Equal(v.t, []int{1, 1}, v.runs(h.in, "foreign", "n1"))
	}
}

func tokenHolderAnswers(v *version) {
	h := v.hold(v.t.Context())
	v.reply(h, "/reply", "true", nil)
	a := <-h.answers
	require.NoError(v.t, a.err)
	require.Equal(v.t, "true", a.reply.GetText())
	h.release()
	v.settle()
	require.Equal(v.t, []int{1, 1}, v.runs(h.in, "foreign", "n1"), "the workflow goes on, once")
}

func lateReplies(v *version) {
	h := v.hold(v.t.Context())
	before := v.dropped("late", "duplicate")
	v.reply(h, "/reply", "first", nil)
	v.reply(h, "/reply", "duplicate", nil)
	a := <-h.answers
	require.NoError(v.t, a.err)
	require.Equal(v.t, "first", a.reply.GetText())
	v.reply(h, "/reply", "late", nil)
	v.reply(h, "/dead-letter", "late", nil)
	h.release()
	v.settle()
	require.GreaterOrEqual(v.t, v.dropped("late", "duplicate")-before, 3.0)
	require.Equal(v.t, []int{1, 1}, v.runs(h.in, "foreign", "n1"), "no handler runs again for them")
}

func expiredReply(v *version) {
	v.inTime("the foreign node has not received an event before its deadline", func() bool {
		gate := v.newGate("foreign")
		h := held{in: request("n1", order("foreign", node.Act_WAIT, gate))}
		ctx, cancel := context.WithTimeout(v.t.Context(), shortTimeout/2)
		_, err := v.callContext(ctx, "ForeignFirst", h.in)
		cancel()
		require.Equal(v.t, codes.DeadlineExceeded, codeOf(err))
		v.settle()
		v.openGate("foreign", gate)
		if len(v.heard(h.in)) == 0 {
			return false
		}
		v.read(&h)
		v.await(func(c *assert.CollectT) { require.True(c, h.event.Expired(time.Now())) })
		before := v.dropped("late")
		v.reply(h, "/reply", "too late", nil)
		require.Greater(v.t, v.dropped("late"), before)
		return true
	})
}

func largeDeadLetter(v *version) {
	h := v.hold(v.t.Context())
	v.reply(h, "/dead-letter", "", func(e *event.Event) { e.Data = bytes.Repeat([]byte("x"), 5<<20) })
	_, err := v.callOf(h)
	v.failed(err, codes.Unavailable, "the workflow's channel did not accept the event", "ForeignFirst", "")
	h.release()
	in := request("n3", fails(0))
	in.Payload = bytes.Repeat([]byte("x"), limit-room)
	_, err = v.call("ForeignMiddle", in)
	v.failed(err, codes.Unavailable, `node "foreign" responded with HTTP 500: no`, "ForeignMiddle", "foreign")
	v.settle()
	require.Equal(v.t, []int{1, 1 + retries, 0}, v.runs(in, "n1", "foreign", "n3"))
}

// callOf is what the held call came to.
func (v *version) callOf(h held) (*node.Reply, error) {
	a := <-h.answers
	return a.reply, a.err
}
