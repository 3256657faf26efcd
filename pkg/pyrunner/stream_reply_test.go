package pyrunner_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/runner/event"
)

// An early reply that cannot be sent does not leave a stream that seems complete.
func TestAnEarlyReplyOfAnotherTypeEndsTheStream(t *testing.T) {
	n := start(t, `
from google.protobuf.wrappers_pb2 import BoolValue
def handler(ctx, data):
    yield StringValue(value="0")
    ctx.early_reply(BoolValue(value=True))
    yield StringValue(value="1")
`, nil)
	texts, end := n.open(streaming("x", "model")).all()
	require.Equal(t, []string{"0"}, texts)
	require.Equal(t, "error in 'model': cannot send: the message is a google.protobuf.BoolValue,"+
		" the rpc returns a stream of google.protobuf.StringValue", end.Failure.GetMessage())
}

// rooms returns an event of an rpc that returns a stream of rooms.
func rooms(last string) *event.Event {
	in := streaming("", last)
	in.Stream.Message, in.Message, in.Data = "t.Room", "t.Room", []byte{0x0a, 1, 'a'}
	return in
}

func TestADictNodeRepliesInItsStream(t *testing.T) {
	n := startDicts(t, `
def handler(ctx, data):
    yield {"name": data["name"]}
    ctx.early_reply({"name": "reply"})
`, nil)
	r := n.open(rooms("model"))
	for _, want := range []string{"\x0a\x01a", "\x0a\x05reply"} {
		payload, end := r.frame()
		require.False(t, end)
		require.Equal(t, want, string(payload))
	}
	_, end := r.next()
	require.True(t, end.Replied)
	_, end = r.next()
	require.Nil(t, end.Failure)
}

func TestADictThatIsNotTheOutputIsNoEarlyReply(t *testing.T) {
	n := startDicts(t, `
def handler(ctx, data):
    yield {"name": data["name"]}
    ctx.early_reply({"nam": "typo"})
    yield {"name": "late"}
`, nil)
	r := n.open(rooms("model"))
	_, isEnd := r.frame()
	require.False(t, isEnd)
	_, end := r.next()
	require.Equal(t, `error in 'model': t.Room has no field "nam": it has name, beds, price, rooms`, end.Failure.GetMessage())
}

// The dict with which an earlier node exits is the rpc's output, too.
func TestADictNodeExitsFromAStream(t *testing.T) {
	n := startDicts(t, `
def handler(ctx, data):
    ctx.send({"name": data["name"]})
    ctx.early_exit()
    return {"name": "exit"}
`, nil)
	require.Equal(t, http.StatusAccepted, n.post(rooms("output")).status)
	got := <-n.streams
	require.Equal(t, []string{"a", "exit"}, got.texts) // a room with a name is encoded as a StringValue is
	require.Nil(t, got.end.Failure)
}
