package pyrunner_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"krt.dev/kn-krt/pkg/pyrunner"
	"krt.dev/kn-krt/pkg/runner/dict"
	"krt.dev/kn-krt/pkg/runner/event"
)

const dictProto = `syntax = "proto3"; package t;
message Room { string name = 1; int64 beds = 2; double price = 3; repeated Room rooms = 4; }
service Entrypoint { rpc Do(Room) returns (Room); }
`

// startDicts starts a node whose code stands alone.
func startDicts(t *testing.T, code string, env map[string]string) *node {
	t.Helper()
	n := begin(t, map[string]string{"src/model/main.py": code, "public_input.proto": dictProto}, env, pyrunner.Options{})
	n.awaitReady()
	return n
}

// carrying is an event with a dict.
func carrying(t *testing.T, text string) *event.Event {
	t.Helper()
	e := request("")
	var err error
	e.Message, e.Data, err = dict.Encode([]byte(text))
	require.NoError(t, err)
	return e
}

// carried is the JSON of the dict that n answers e with.
func carried(t *testing.T, n *node, e *event.Event) string {
	t.Helper()
	a := n.post(e)
	require.Equal(t, http.StatusOK, a.status, a.body)
	text, err := dict.Decode(a.event.Message, a.event.Data, nil, 0)
	require.NoError(t, err)
	return string(text)
}

func TestADictHandlerGetsAndGivesDicts(t *testing.T) {
	n := startDicts(t, `
import json
async def handler(ctx, data):
    data["seen"] = json.dumps(data, ensure_ascii=False)
    return data
`, nil)
	for in, want := range map[string]string{
		`{"z":1,"a":2.0,"id":9007199254740993,"nan":NaN,` +
			`"l":[true,null,"é"]}`: `{"z": 1, "a": 2.0, "id": 9007199254740993, "nan": NaN, "l": [true, null, "é"]}`,
		`{}`: `{}`,
	} {
		out := carried(t, n, carrying(t, in))
		quoted, err := json.Marshal(want)
		require.NoError(t, err)
		require.Contains(t, out, string(quoted))
		require.Contains(t, out, in[:len(in)-1])
	}
}

func TestADictHandlerGetsAMessageAsItsFields(t *testing.T) {
	n := startDicts(t, `
def handler(ctx, data):
    return {"got": repr(data), "more": data["beds"] + 1}
`, nil)
	in := request("")
	in.Message = "t.Room"
	in.Data = []byte{0x0a, 1, 'a', 0x22, 2, 0x10, 3} // name, a room of 3 beds
	require.Equal(t,
		`{"got":"{'name': 'a', 'beds': 0, 'price': 0.0, 'rooms': [{'name': '', 'beds': 3, 'price': 0.0, 'rooms': []}]}","more":1}`,
		carried(t, n, in))
	in.Message = "t.Other"
	require.Equal(t, http.StatusAccepted, n.post(in).status)
	status, err := (<-n.replies).Status()
	require.NoError(t, err)
	require.Equal(t, "error in 'model': the message t.Other is not in the version's protos: it cannot be converted to a dict", status.Message)
}

// A proto that nobody needs does not keep a node from its dicts.
func TestADictNodeBesideABrokenProto(t *testing.T) {
	n := begin(t, map[string]string{
		"src/model/main.py":  "def handler(ctx, data): return {'got': data['beds']}\n",
		"public_input.proto": dictProto, "docs/broken.proto": "no proto",
		"krt.yml": "version: v1\ndescription: d\nentrypoint: {proto: public_input.proto}\n" +
			"nodes:\n  - {name: model, image: i, src: src/model/main.py}\n" +
			"workflows:\n  - {name: w, entrypoint: Do, sequential: [model]}\n",
	}, nil, pyrunner.Options{})
	n.awaitReady()
	in := request("")
	in.Message, in.Data = "t.Room", []byte{0x10, 3}
	require.Equal(t, `{"got":3}`, carried(t, n, in))
}

func TestTheContextOfRunner11(t *testing.T) {
	n := startDicts(t, `
def init(ctx):
    ctx.set_value("glue", "-")
    ctx.own = "own"
async def handler(ctx, data):
    ctx.set_value("last", data["word"])
    await ctx.save_metric("a", "b", "2020-04-06T09:02:09.277853Z")
    await ctx.save_metric(error=ctx.ERR_MISSING_VALUES)
    await ctx.metrics.save(predicted_value="a", true_value="b", date="2020-04-07T00:00:00Z")
    try: await ctx.save_metric("a", "b", "today")
    except Exception as e: text = str(e)
    return {"text": ctx.get_value("glue").join([data["word"]] * 2), "path": ctx.get_path("x") == ctx.path("x"),
            "same": ctx.glue, "last": ctx.get_value("last"), "error": text, "errors": ctx.metrics.METRIC_ERRORS}
`, nil)
	require.Equal(t, `{"text":"ha-ha","path":true,"same":"-","last":"ha","error":`+
		`"[ctx.save_metric] invalid 'date'='today', must be a RFC 3339 date like: 2020-04-06T09:02:09.277853Z",`+
		`"errors":["missing_values","new_labels"]}`, carried(t, n, carrying(t, `{"word":"ha"}`)))
}

func TestDatesOfRunner11AreThoseOfRFC3339(t *testing.T) {
	n := startDicts(t, `
from _krt_runner import older, saves
def handler(ctx, data):
    def told(date):
        try: return saves.rfc3339(older._instant(date))
        except ValueError: return "refused"
    return [told(date) for date in data["dates"]]
`, nil)
	require.Equal(t, `["2020-01-01T00:00:00.000000Z","2020-01-01T00:00:00.123456Z","2020-01-01T00:00:00.500000Z",`+
		`"2020-04-06T09:02:09.000000Z","refused","refused"]`, carried(t, n, carrying(t,
		`{"dates":["2020-01-01T00:00:00Z","2020-01-01t00:00:00.1234567z","2020-01-01T02:00:00.5+02:00",`+
			`"2020-4-6T9:2:9.0Z","2020-01-01","2020-13-01T00:00:00Z"]}`)))
}

func TestWhatADictHandlerMayReturn(t *testing.T) {
	for name, c := range map[string]struct{ code, want, failure string }{
		"a list":     {`return [data["word"], 1]`, `["ha",1]`, ""},
		"nothing":    {`data.get("x"); return None`, `null`, ""},
		"like numpy": {"class N:\n        def tolist(self): return [data['word']]\n    return {'n': N()}", `{"n":["ha"]}`, ""},
		"a set": {`return {"a": [1, {"b": {data["word"]}}]}`, "",
			"error in 'model': Object of type set is not JSON serializable (in a[1].b)"},
		"too much": {`return {"a": data["word"] * 1000}`, "",
			"error in 'model': the value has 2009 bytes, the limit is 1000 (max-message-bytes)"},
		"too much as a message": {`return {"a": [len(data)] * 200}`, "",
			"error in 'model': the dict has 2212 bytes as a message, the limit is 1000 (max-message-bytes)"},
		"a missing key": {`return data["nothing"]`, "", "error in 'model': 'nothing'"},
	} {
		t.Run(name, func(t *testing.T) {
			n := startDicts(t, "def handler(ctx, data):\n    "+c.code+"\n", map[string]string{"KRT_MAX_MESSAGE_BYTES": "1000"})
			e := carrying(t, `{"word":"ha"}`)
			if c.failure == "" {
				require.Equal(t, c.want, carried(t, n, e))
				return
			}
			require.Equal(t, http.StatusAccepted, n.post(e).status)
			status, err := (<-n.replies).Status()
			require.NoError(t, err)
			require.Equal(t, c.failure, status.Message)
		})
	}
}

func TestADictHandlerMayReplyEarly(t *testing.T) {
	n := startDicts(t, `
async def handler(ctx, data):
    await ctx.early_reply({"text": data["word"]})
    return None
`, nil)
	require.Equal(t, http.StatusAccepted, n.post(carrying(t, `{"word":"ha"}`)).status)
	early := <-n.replies
	require.Equal(t, event.TypeReply, early.Type)
	text, err := dict.Decode(early.Message, early.Data, nil, 0)
	require.NoError(t, err)
	require.Equal(t, `{"text":"ha"}`, string(text))
}

func TestAMessageHandlerUnpacksADict(t *testing.T) {
	n := startDicts(t, `
from google.protobuf.struct_pb2 import Struct
from google.protobuf.wrappers_pb2 import StringValue
from public_input_pb2 import Room
def handler(ctx, data):
    whole, room = Struct(), Room()
    assert data.Unpack(whole) and whole["name"] == "a" and data.Is(Room.DESCRIPTOR) and not data.Is(StringValue.DESCRIPTOR)
    assert data.Unpack(room) and room.beds == 9007199254740993 and room.rooms[0].price == 2.5
    return room
`, nil)
	out := n.post(carrying(t, `{"name":"a","beds":9007199254740993,"rooms":[{"price":2.5}]}`))
	require.Equal(t, http.StatusOK, out.status, out.body)
	require.Equal(t, "t.Room", out.event.Message)
	bad := carrying(t, `{"nam":"a"}`)
	require.Equal(t, http.StatusAccepted, n.post(bad).status)
	value := &structpb.Struct{}
	require.NoError(t, proto.Unmarshal(bad.Data, value))
}

// What few bytes become must not fill the memory: the caller is told.
func TestADictTooLarge(t *testing.T) {
	n := startDicts(t, "def handler(ctx, data): return {'rooms': len(data['rooms'])}", map[string]string{"KRT_MAX_MESSAGE_BYTES": "10000"})
	e := request("")
	e.Message, e.Data = "t.Room", bytes.Repeat([]byte{0x22, 0}, 4000)
	require.Equal(t, http.StatusAccepted, n.post(e).status)
	s, err := (<-n.replies).Status()
	require.NoError(t, err)
	require.Equal(t, int32(code.Code_RESOURCE_EXHAUSTED), s.Code)
	require.Contains(t, s.Message, "its JSON has more than 80000 bytes")
	e.Data = bytes.Repeat([]byte{0x22, 0}, 1000)
	require.JSONEq(t, `{"rooms":1000}`, carried(t, n, e))
}

// As in the runners of dicts, all calls have one context.
func TestADictHandlersContextKeepsWhatIsSetOnIt(t *testing.T) {
	n := startDicts(t, `
async def handler(ctx, data):
    ctx.n = getattr(ctx, "n", 0) + 1
    return {"n": ctx.n}
`, nil)
	for _, want := range []string{`{"n":1}`, `{"n":2}`, `{"n":3}`} {
		require.JSONEq(t, want, carried(t, n, carrying(t, "{}")))
	}
}
