package pyrunner_test

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/runner/event"
)

// saved is a request that reached the store.
type saved struct {
	path, version, node, workflow string
	body                          map[string]any
}

// keep runs a store that answers every request alike, on a Unix socket or TCP.
func keep(t *testing.T, network string, status int, answer string) (address string, requests chan saved) {
	t.Helper()
	requests = make(chan saved, 16)
	return serveStore(t, network, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := saved{r.URL.Path, r.Header.Get("Krt-Version"), r.Header.Get("Krt-Node"), r.Header.Get("Krt-Workflow"), nil}
		if err := json.NewDecoder(r.Body).Decode(&s.body); err != nil {
			t.Error(err)
		}
		requests <- s
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer))
	})), requests
}

// serveStore serves handler on a Unix socket or TCP.
func serveStore(t *testing.T, network string, handler http.Handler) (address string) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	if network == "unix" {
		dir, err := os.MkdirTemp("", "krt")
		require.NoError(t, err)
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		path := filepath.Join(dir, "store.sock")
		_ = server.Listener.Close()
		server.Listener, err = net.Listen("unix", path)
		require.NoError(t, err)
		address = "unix://" + path
	}
	server.Start()
	t.Cleanup(server.Close)
	if address == "" {
		address = server.URL
	}
	return address
}

func TestStoreIsAsked(t *testing.T) {
	prediction := func(predicted, actual, date, failure string, extra any) map[string]any {
		if extra == nil {
			extra = map[string]any{}
		}
		return map[string]any{"predicted_value": predicted, "true_value": actual, "date": date, "error": failure, "extra": extra}
	}
	const day, at = "2020-04-06T00:00:00.000000Z", "2020-04-06T09:02:09.277853Z"
	const parsed = `__import__("datetime").datetime(2020, 4, 6, 9, 2, 9, 277853)`
	for name, c := range map[string]struct {
		call, path string
		body       map[string]any
	}{
		"measurement": {`ctx.measurement.save("m", {"x": 1.5, "s": "t"}, {"k": "v"})`, "/v1/measurements",
			map[string]any{"name": "m", "fields": map[string]any{"x": 1.5, "s": "t"}, "tags": map[string]any{"k": "v"}, "precision": "ns"}},
		"measurement at a time": {
			`ctx.measurement.save(measurement="m", fields={"x": 1}, tags={}, time=` + parsed + `, precision=ctx.measurement.PRECISION_MS)`,
			"/v1/measurements",
			map[string]any{"name": "m", "fields": map[string]any{"x": 1.0}, "tags": map[string]any{}, "precision": "ms", "time": at}},
		"measurement counted in units": {`ctx.measurement.save("m", {"x": 1}, {}, 1586163729277, "ms")`, "/v1/measurements",
			map[string]any{"name": "m", "fields": map[string]any{"x": 1.0}, "tags": map[string]any{}, "precision": "ms",
				"time": "2020-04-06T09:02:09.277000Z"}},
		"measurement as the original took it": {`ctx.measurement.save("m", {"beds": 2, "baths": None, "score": float("nan"),
			"d": Decimal("0.5"), "n": Scalar(), "inf": Decimal("-Infinity"), "long": Long()},
		{"version": 1, "none": None, "empty": "", 7: True})`, "/v1/measurements",
			map[string]any{"name": "m", "fields": map[string]any{"beds": 2.0, "d": 0.5, "n": 3.0, "long": 0.25}, "precision": "ns",
				"tags": map[string]any{"version": "1", "7": "True"}}},
		"extra of any JSON": {`ctx.prediction.save("a", "b", [0.1, float("nan")], ` + parsed + `)`, "/v1/predictions", prediction("a", "b",
			at, "", []any{0.1, nil})},
		"extra of a number": {`ctx.prediction.save("a", "b", 0, ` + parsed + `)`, "/v1/predictions", prediction("a", "b", at, "", 0.0)},
		"error fourth": {`ctx.prediction.save("", "", "2020-04-06", "missing_values")`, "/v1/predictions", prediction("", "", day,
			"missing_values", nil)},
		"error fifth": {`ctx.prediction.save("", "", None, ` + parsed + `, ctx.prediction.PREDICTION_ERRORS[1])`, "/v1/predictions",
			prediction("", "", at, "new_labels", nil)},
		"prediction": {`ctx.prediction.save("a", "b", {"k": 1}, ` + parsed + `)`, "/v1/predictions", prediction("a", "b", at, "",
			map[string]any{"k": 1.0})},
		"prediction, old order": {`ctx.prediction.save(` + parsed + `, "a", "b", {"k": 1})`, "/v1/predictions", prediction("a", "b", at, "",
			map[string]any{"k": 1.0})},
		"old order, text": {`ctx.prediction.save("2020-04-06T09:02:09.277853Z", "a", "b")`, "/v1/predictions", prediction("a", "b", at, "",
			nil)},
		"old order, by name": {`ctx.prediction.save(` + parsed + `, predicted_value="a", true_value="b")`, "/v1/predictions", prediction("a",
			"b", at, "", nil)},
		"date third": {`ctx.prediction.save("a", "b", "2020-04-06T11:02:09.277853+02:00")`, "/v1/predictions", prediction("a", "b", at,
			"", nil)},
		"date by its old name": {`ctx.prediction.save(predicted_value="a", true_value="b", date="2020-04-06")`, "/v1/predictions",
			prediction("a", "b", day, "", nil)},
		"labels like dates": {`ctx.prediction.save("2020-04-06", "2020-04-07", {"k": 1}, "2020-04-06")`, "/v1/predictions",
			prediction("2020-04-06", "2020-04-07", day, "", map[string]any{"k": 1.0})},
		"no truth yet":      {`ctx.prediction.save("a", utcdate=` + parsed + `)`, "/v1/predictions", prediction("a", "", at, "", nil)},
		"no truth yet, old": {`ctx.prediction.save(` + parsed + `, "a")`, "/v1/predictions", prediction("a", "", at, "", nil)},
		"truth is None":     {`ctx.prediction.save("a", None, None, ` + parsed + `)`, "/v1/predictions", prediction("a", "", at, "", nil)},
		"truth alone": {`ctx.prediction.save(true_value="b", utcdate=` + parsed + `)`, "/v1/predictions", prediction("", "b", at, "",
			nil)},
		"prediction error": {`ctx.prediction.save(error=ctx.prediction.ERR_NEW_LABELS, utcdate=` + parsed + `)`, "/v1/predictions",
			prediction("", "", at, "new_labels", nil)},
		"db.save":        {`ctx.db.save("a/b", {"n": 1})`, "/v1/collections/a/b", map[string]any{"data": map[string]any{"n": 1.0}}},
		"db.find of all": {`ctx.db.find("c", {})`, "/v1/collections/c/find", map[string]any{"limit": 5000.0, "query": map[string]any{}}},
		"db.find": {`ctx.db.find("c", {"n": {"$gt": 1}})`, "/v1/collections/c/find",
			map[string]any{"limit": 5000.0, "query": map[string]any{"n": map[string]any{"$gt": 1.0}}}},
	} {
		for network, form := range map[string]string{"unix": "await ", "tcp": ""} {
			t.Run(name+" "+network, func(t *testing.T) {
				address, requests := keep(t, network, http.StatusOK, `{"id": "7", "documents": [{"n": 2}]}`)
				if strings.HasPrefix(c.call, "ctx.measurement") {
					form = ""
				}
				n := start(t, "from decimal import Decimal\nclass Scalar:\n    def item(self): return 3\n"+
					"class Long:\n    def item(self): return self\n    def __float__(self): return 0.25\n"+
					"async def handler(ctx, data):\n    "+form+c.call+"\n    return StringValue(value='x')", map[string]string{"KRT_STORE": address})
				for range 2 { // over one connection
					require.Equal(t, "x", n.text("x"))
					got := <-requests
					if document, ok := got.body["data"].(map[string]any); ok {
						require.Regexp(t, "^[0-9a-f]{24}$", document["_id"])
						delete(document, "_id")
					}
					require.Equal(t, saved{c.path, "v1", "model", "wf", c.body}, got)
				}
			})
		}
	}
}

// TestStoreIsSentTheTrace: what a handler saves is below its span.
func TestStoreIsSentTheTrace(t *testing.T) {
	got := make(chan string, 1)
	address := serveStore(t, "unix", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got <- r.Header.Get("Traceparent")
		_, _ = w.Write([]byte(`{"id": "1"}`))
	}))
	n := start(t, `
def handler(ctx, data):
    ctx.db.save("rooms", {"beds": 2})
    return StringValue(value=ctx.traceparent)
`, map[string]string{"KRT_STORE": address})
	traceparent := n.text("x")
	require.NotEmpty(t, traceparent)
	require.Equal(t, traceparent, <-got)
	in := request("x")
	in.Trace = event.Trace{}
	require.Empty(t, stringOf(t, n.post(in).event))
	require.Empty(t, <-got)
}

// TestStoreIsSentTheMark: what a copy of a request saves is marked, and its handler knows.
func TestStoreIsSentTheMark(t *testing.T) {
	got := make(chan string, 3)
	address := serveStore(t, "unix", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got <- r.Header.Get("Krt-Mirror")
		_, _ = w.Write([]byte(`{"id": "1"}`))
	}))
	n := start(t, `
def handler(ctx, data):
    ctx.measurement.save("m", {"x": 1}, {})
    ctx.prediction.save("a", "b")
    ctx.db.save("rooms", {"beds": 2})
    return StringValue(value=str(ctx.mirrored))
`, map[string]string{"KRT_STORE": address})
	for mark, text := range map[string]string{"1": "True", "": "False"} {
		in := request("x")
		in.Mirror = mark != ""
		out := n.post(in).event
		require.Equal(t, text, stringOf(t, out))
		require.Equal(t, in.Mirror, out.Mirror, "it is passed along")
		for range 3 {
			require.Equal(t, mark, <-got)
		}
	}
}

func TestStoreAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		status       int
		answer, call string
		want         string
	}{
		"id":        {201, `{"id": "7"}`, `await ctx.db.save("c", {})`, "7"},
		"documents": {200, `{"documents": [{"n": 2}]}`, `await ctx.db.find("c", {"n": 2})`, "[{'n': 2}]"},
		"plain":     {200, `{"documents": [{"n": 2}]}`, `ctx.db.find("c", {"n": 2})[0]["n"]`, "2"},
		"none":      {200, `{}`, `await ctx.db.find("c", {"n": 2})`, "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			address, _ := keep(t, "unix", c.status, c.answer)
			n := start(t, "async def handler(ctx, data): return StringValue(value=str("+c.call+"))", map[string]string{"KRT_STORE": address})
			require.Equal(t, c.want, n.text("x"))
		})
	}
}

// refusal returns the text of the error that a request causes. A measurement or a prediction is lost if the store does not
// respond within 3 s: then the handler goes on, and the request is sent again.
func (n *node) refusal() (text string) {
	n.t.Helper()
	for range 3 {
		if _, text = n.failure("x"); !strings.Contains(text, "handler returned nothing") {
			break
		}
	}
	return text
}

func TestStoreFailures(t *testing.T) {
	refusing, _ := keep(t, "unix", http.StatusBadRequest, `{"error": "no such operator"}`)
	for name, c := range map[string]struct{ store, call, want string }{
		"no store, save": {"", `ctx.db.save("c", {})`, "no store configured: ctx.db.save needs one, set KRT_STORE"},
		"no store, find": {"", `ctx.db.find("c", {"a": 1})`, "no store configured: ctx.db.find needs one, set KRT_STORE"},
		"refused":        {refusing, `ctx.db.find("c", {"a": 1})`, "ctx.db.find: collection 'c': the store refused this: no such operator"},
		"not there": {"unix:///nowhere/s", `ctx.db.save("c", {})`,
			"ctx.db.save: collection 'c': cannot reach the store at unix:///nowhere/s (KRT_STORE): [Errno 2] No such file or directory"},
		"no JSON": {refusing, `ctx.db.save("c", {"a": object()})`,
			"ctx.db.save: collection 'c': Object of type object is not JSON serializable (in data.a)"},
		"extra": {refusing, `ctx.prediction.save("a", "b", {"k": {1}})`,
			"cannot save the prediction: Object of type set is not JSON serializable (in extra.k)"},
		"measurement": {refusing, `ctx.measurement.save("m", {"x": 1})`,
			"cannot save the measurement \"m\": the store refused this: no such operator"},
		"measurement field": {refusing, `ctx.measurement.save("m", {"x": [1]})`,
			"cannot save the measurement \"m\": Type: \"<class 'list'>\" of field: \"x\" is not supported."},
		"measurement integer": {refusing, `ctx.measurement.save("m", {"x": 2**63})`,
			"cannot save the measurement \"m\": field: \"x\" is an integer of more than 64 bits."},
		"measurement date": {refusing, `ctx.measurement.save("m", {"x": __import__("datetime").date(2020, 1, 2)})`,
			"cannot save the measurement \"m\": Type: \"<class 'datetime.date'>\" of field: \"x\" is not supported."},
		"measurement tags": {refusing, `ctx.measurement.save("m", {"x": 1}, "tag")`,
			"cannot save the measurement \"m\": tags='tag' must be a dict"},
		"Decimal in a document": {refusing, `ctx.db.save("c", {"rooms": [{"price": __import__("decimal").Decimal("1.5")}]})`,
			"ctx.db.save: collection 'c': Object of type Decimal is not JSON serializable (in data.rooms[0].price)"},
		"measurement time": {refusing, `ctx.measurement.save("m", {"x": 1}, time="today")`,
			"cannot save the measurement \"m\": time='today': Invalid isoformat string: 'today'"},
		"no collection": {refusing, `ctx.db.save("", {})`, "ctx.db.save: collection='' must be a string that is not empty"},
		"no query":      {refusing, `ctx.db.find("c", None)`, "ctx.db.find: query=None must be a dict"},
		"no dict":       {refusing, `ctx.db.save("c", [1, 2])`, "ctx.db.save: the document is a list, it must be a dict"},
		"prediction":    {refusing, `ctx.prediction.save()`, "ctx.prediction.save: give a predicted_value, a true_value or an error"},
		"prediction, empty": {refusing, `ctx.prediction.save("", "", {"k": 1})`,
			"ctx.prediction.save: give a predicted_value, a true_value or an error"},
		"prediction, type": {refusing, `ctx.prediction.save("a", 1)`, "ctx.prediction.save: true_value=1 must be a string"},
		"prediction reason": {refusing, `ctx.prediction.save(error="x")`,
			"ctx.prediction.save: error='x' is neither 'missing_values' nor 'new_labels'"},
		"prediction twice": {refusing, `ctx.prediction.save("a", "b", true_value="c")`, "ctx.prediction.save: true_value was given twice"},
	} {
		t.Run(name, func(t *testing.T) {
			n := start(t, "def handler(ctx, data): "+c.call, map[string]string{"KRT_STORE": c.store})
			require.Equal(t, "error in 'model': "+c.want, n.refusal())
		})
	}
}

// TestRefusalsHaveANameForNodes: a node can tell a refusal from a store that is away.
func TestRefusalsHaveANameForNodes(t *testing.T) {
	refusing, _ := keep(t, "unix", http.StatusConflict, `{"error": "a document with this _id is in the collection already"}`)
	for store, want := range map[string]string{refusing: "refused", "unix:///nowhere/s": "failed"} {
		n := start(t, `
from krt import StoreError, StoreRefused
def handler(ctx, data):
    try:
        ctx.db.save("c", {"_id": 5})
    except StoreRefused as error:
        return StringValue(value="refused")
    except StoreError as error:
        return StringValue(value="failed")
`, map[string]string{"KRT_STORE": store})
		require.Equal(t, want, n.text("x"))
	}
}

// TestSavedIDsAreFound: what save returns is the _id with which find finds the document.
func TestSavedIDsAreFound(t *testing.T) {
	address, requests := keep(t, "unix", http.StatusCreated, `{"id": "5"}`)
	for document, want := range map[string]string{`{"_id": 5}`: "5", `{"_id": None}`: "'5'", `{}`: "'5'", `{"_id": "x"}`: "'x'"} {
		n := start(t, `async def handler(ctx, data): return StringValue(value=repr(await ctx.db.save("c", `+document+`)))`,
			map[string]string{"KRT_STORE": address})
		require.Equal(t, want, n.text("x"), document)
		<-requests
	}
}

func TestMeasurementsAndPredictionsNeverFailTheHandler(t *testing.T) {
	for name, store := range map[string]string{"none": "", "not there": "unix:///nowhere/s"} {
		t.Run(name, func(t *testing.T) {
			n := start(t, `
async def handler(ctx, data):
    ctx.measurement.save("m", {"x": 1}, {})
    await ctx.prediction.save("a", "b")
    return StringValue(value="x")
`, map[string]string{"KRT_STORE": store})
			require.Equal(t, "x", n.text("x"))
			n.log.await(t, "prediction")
			if require.Contains(t, n.log.String(), "measurement"); store != "" {
				require.Contains(t, n.log.String(), `cannot save the measurement \"m\": cannot reach the store`)
			}
		})
	}
}

// A connection that init opened must not be shared by the workers.
func TestStoreConnectionIsNotShared(t *testing.T) {
	address, requests := keep(t, "unix", http.StatusCreated, `{"id": "7"}`)
	n := start(t, `
async def init(ctx): await ctx.db.save("c", {"by": "init"})
async def handler(ctx, data):
    await ctx.db.save("c", {"by": "handler"})
    return StringValue(value="x")
`, map[string]string{"KRT_STORE": address, "KRT_WORKERS": "2", "KRT_FORK": "true"})
	require.Equal(t, "init", (<-requests).body["data"].(map[string]any)["by"])
	for range 4 {
		require.Equal(t, "x", n.text("x"))
		require.Equal(t, "handler", (<-requests).body["data"].(map[string]any)["by"])
	}
}

// A document whose first request was received, and whose response is lost with the idle
// connection, is saved once: its _id is made before it is sent.
func TestStoreIsSentADocumentOnce(t *testing.T) {
	var ids []any
	address := serveStore(t, "tcp", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Data map[string]any }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		ids = append(ids, body.Data["_id"])
		switch len(ids) {
		case 1:
			_, _ = w.Write([]byte(`{"id": "1"}`))
		case 2: // saved, but the response is lost
			connection, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_ = connection.Close()
		default:
			w.WriteHeader(http.StatusConflict)
			_, _ = w.Write([]byte(`{"error": "a document with this _id is in the collection already"}`))
		}
	}))
	n := start(t, `
async def handler(ctx, data): return StringValue(value=await ctx.db.save("c", {"n": 1}))
`, map[string]string{"KRT_STORE": address})
	require.Equal(t, "1", n.text("x"))
	id := n.text("x")
	require.Len(t, ids, 3)
	require.Equal(t, []any{id, id}, ids[1:])
	require.NotEqual(t, ids[0], ids[1])
}

// A store that refuses a body does not read all of it: what it says is the reason,
// not that it cannot be written to.
func TestStoreRefusesABodyUnread(t *testing.T) {
	for _, network := range []string{"unix", "tcp"} {
		t.Run(network, func(t *testing.T) {
			address := serveStore(t, network, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusRequestEntityTooLarge)
				_, _ = w.Write([]byte(`{"error": "the request has more than 9 bytes"}`))
			}))
			n := start(t, `
async def handler(ctx, data): await ctx.prediction.save("a" * (8 << 20), "b")
`, map[string]string{"KRT_STORE": address})
			for range 2 { // on a new connection, and on one that the refusal has closed
				require.Contains(t, n.refusal(), "the store refused this: the request has more than 9 bytes")
			}
		})
	}
}
