package store_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/store"
	"krt.dev/kn-krt/pkg/store/sqlite"
)

// serve serves a new store on a Unix socket and returns a client of it.
func serve(t *testing.T, o store.Options) (*wire.Client, *http.Client) {
	t.Helper()
	o.Logger = slog.New(slog.DiscardHandler)
	db, err := sqlite.Open(filepath.Join(t.TempDir(), "store.db"), sqlite.Options{Logger: o.Logger})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	s := store.New(store.All(db), o)
	// Not t.TempDir: its names may be longer than a socket's address can be.
	dir, err := os.MkdirTemp("", "krt")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s.sock")
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, listener) }()
	raw := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	t.Cleanup(func() {
		raw.CloseIdleConnections()
		cancel()
		require.NoError(t, <-served)
	})
	client, err := wire.New("unix://" + socket)
	require.NoError(t, err)
	return client, raw
}

func from() wire.Origin { return wire.Origin{Version: "v1", Node: "model", Workflow: "flow"} }

func get(t *testing.T, c *http.Client, path string) string {
	t.Helper()
	res, err := c.Get("http://store" + path)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, res.StatusCode, string(body))
	return string(body)
}

func TestMeasurements(t *testing.T) {
	client, raw := serve(t, store.Options{})
	when := time.Date(2024, 5, 6, 7, 8, 9, 123456789, time.FixedZone("", 3600))
	for _, m := range []wire.Measurement{
		{Name: "loss", Fields: map[string]any{"value": 2.0, "step": 1 << 60},
			Tags: map[string]string{"set": "test", "node": "own", "version": "v0"}, Time: when, Precision: "ms"},
		{Name: "loss", Fields: map[string]any{"text": "a", "ok": true}, Time: when.Add(-time.Hour)},
		{Name: "other", Fields: map[string]any{"value": 1}},
	} {
		require.NoError(t, client.SaveMeasurement(t.Context(), from(), m))
	}
	require.JSONEq(t, `{"measurements":[
		{"name":"loss","fields":{"text":"a","ok":true},"time":"2024-05-06T05:08:09.123456789Z",
			"tags":{"version":"v1","node":"model","workflow":"flow"}},
		{"name":"loss","fields":{"value":2.0,"step":1152921504606846976},"time":"2024-05-06T06:08:09.123Z",
			"tags":{"set":"test","version":"v1","node":"own","workflow":"flow"}}
	]}`, get(t, raw, wire.PathMeasurements+"?name=loss"))
	require.Contains(t, get(t, raw, wire.PathMeasurements), `"value":2.0`, "a float stays one")
	require.Contains(t, get(t, raw, wire.PathMeasurements), `"other"`)
}

func TestPredictions(t *testing.T) {
	client, raw := serve(t, store.Options{})
	for _, p := range []wire.Prediction{
		{Date: time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC), PredictedValue: "cat", TrueValue: "dog", Extra: []any{0.1, "x"}},
		{Date: time.Date(2023, 5, 6, 7, 8, 9, 0, time.UTC), Error: "new_labels"},
	} {
		require.NoError(t, client.SavePrediction(t.Context(), from(), p))
	}
	require.JSONEq(t, `{"predictions":[
		{"predicted_value":"","true_value":"","date":"2023-05-06T07:08:09Z","error":"new_labels",
			"version":"v1","node":"model","workflow":"flow"},
		{"predicted_value":"cat","true_value":"dog","extra":[0.1,"x"],"date":"2024-05-06T07:08:09Z",
			"version":"v1","node":"model","workflow":"flow"}
	]}`, get(t, raw, wire.PathPredictions))
}

func TestDocuments(t *testing.T) {
	client, _ := serve(t, store.Options{})
	type room struct {
		Name  string
		Price int64
		Tags  []string
	}
	rooms := []room{{"a/b \u2028 <&>", 9007199254740993, []string{"x"}}, {"second", -1, nil}}
	var ids []string
	for _, r := range rooms {
		id, err := client.Save(t.Context(), from(), "rooms/ü", r)
		require.NoError(t, err)
		require.Regexp(t, "^[0-9a-f]{24}$", id)
		ids = append(ids, id)
	}
	require.NotEqual(t, ids[0], ids[1])
	_, err := client.Save(t.Context(), from(), "others", room{})
	require.NoError(t, err)

	var found []room
	require.NoError(t, client.Find(t.Context(), from(), "rooms/ü", nil, &found))
	require.Equal(t, rooms, found)
	require.NoError(t, client.Find(t.Context(), from(), "rooms/ü", map[string]any{"Price": int64(9007199254740992)}, &found))
	require.Empty(t, found)
	require.NoError(t, client.Find(t.Context(), from(), "none", nil, &found))
	require.Empty(t, found)

	var whole []map[string]any
	require.NoError(t, client.Find(t.Context(), from(), "rooms/ü", map[string]any{"_id": ids[1]}, &whole))
	require.Len(t, whole, 1)
	require.Equal(t, "second", whole[0]["Name"])
	for own, id := range map[any]string{"x": "x", 5: "5"} {
		saved, err := client.Save(t.Context(), from(), "own", map[string]any{"_id": own})
		require.NoError(t, err)
		require.Equal(t, id, saved)
	}
}

func TestManyWritersAndReaders(t *testing.T) {
	client, _ := serve(t, store.Options{})
	var wg sync.WaitGroup
	for writer := range 8 {
		wg.Go(func() {
			for i := range 25 {
				_, err := client.Save(t.Context(), from(), "c", map[string]any{"writer": writer, "i": i})
				if err != nil {
					t.Error(err)
				}
				var found []struct{ I int }
				if err := client.Find(t.Context(), from(), "c", map[string]any{"writer": writer}, &found); err != nil || len(found) != i+1 {
					t.Errorf("writer %d finds %d of %d: %v", writer, len(found), i+1, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestBounds(t *testing.T) {
	client, raw := serve(t, store.Options{MaxBodyBytes: 1000, MaxResults: 2, MaxResultBytes: 1500})
	save := func(coll string, size int) error {
		_, err := client.Save(t.Context(), from(), coll, map[string]any{"x": strings.Repeat("x", size)})
		return err
	}
	find := func(coll string) error {
		var found []json.RawMessage
		return client.Find(t.Context(), from(), coll, nil, &found)
	}
	require.ErrorContains(t, save("c", 2000), `cannot save in the collection "c": the request has more than 1000 bytes`)
	for range 2 {
		require.NoError(t, save("many", 1))
		require.NoError(t, find("many"))
		require.NoError(t, save("long", 900))
	}
	require.NoError(t, save("many", 1))
	require.NoError(t, find("many"), "the client reads all pages")
	require.NoError(t, find("long"))
	for _, coll := range []string{"many", "long"} { // as nodes of before ask
		res, err := raw.Post("http://store"+wire.PathCollections+coll+"/find", "application/json", strings.NewReader(`{"query":{}}`))
		require.NoError(t, err)
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Contains(t, string(body), "more than 2 results or 1500 bytes: narrow the query")
	}
}

func TestBadRequests(t *testing.T) {
	_, raw := serve(t, store.Options{})
	deep := strings.Repeat(`{"a":`, 101) + "1" + strings.Repeat("}", 101)
	for name, c := range map[string]struct {
		path, body string
		status     int
		want       string
	}{
		"no JSON":               {"/v1/measurements", `{`, 400, "the body is malformed"},
		"more behind":           {"/v1/measurements", `{}{}`, 400, "there is more text after its end"},
		"no UTF-8":              {"/v1/measurements", "{\"name\":\"\xff\"}", 400, "the body is not UTF-8"},
		"no name":               {"/v1/measurements", `{"fields":{"a":1}}`, 400, "name: must have 1 to 256 bytes"},
		"no fields":             {"/v1/measurements", `{"name":"a"}`, 400, "fields: missing"},
		"field of another type": {"/v1/measurements", `{"name":"a","fields":{"f":[]}}`, 400, `fields: \"f\" is not a number`},
		"large field": {"/v1/measurements", `{"name":"a","fields":{"f":9223372036854775808}}`, 400,
			`fields: \"f\" is an integer of more than 64`},
		"infinite field": {"/v1/measurements", `{"name":"a","fields":{"f":1e999}}`, 400, `fields: \"f\" is +Inf`},
		"precision": {"/v1/measurements", `{"name":"a","fields":{"f":1},"precision":"h"}`, 400,
			`precision: \"h\" is not one of ns, us, ms, s`},
		"time":                 {"/v1/measurements", `{"name":"a","fields":{"f":1},"time":"now"}`, 400, "the body is malformed"},
		"date":                 {"/v1/predictions", `{"date":"now"}`, 400, "the body is malformed"},
		"no data":              {"/v1/collections/c", `{}`, 400, "data: missing: a document is a JSON object"},
		"data of another type": {"/v1/collections/c", `{"data":[1]}`, 400, "data: a document is a JSON object"},
		"deep data":            {"/v1/collections/c", `{"data":` + deep + `}`, 400, "data: more than 100 levels"},
		"much data": {"/v1/collections/c", `{"data":{"a":[{}` + strings.Repeat(",{}", 1_000_000) + `]}}`, 400,
			"more than 1000000 values"},
		"huge number":                 {"/v1/collections/c", `{"data":{"a":[{"b":1e130000}]}}`, 400, "its exponent is not within -400 and 400"},
		"huge exponent":               {"/v1/collections/c", `{"data":{"a":-1E-99999999999999999999}}`, 400, "its exponent is not within"},
		"large float as id":           {"/v1/collections/c", `{"data":{"_id":1e309}}`, 400, "which is beyond 64 bits"},
		"half a pair in a prediction": {"/v1/predictions", `{"extra":["\ud800"]}`, 400, "extra.0: it has half of a surrogate pair"},
		"half a pair in a query":      {"/v1/collections/c/find", `{"query":{"a":"\ud800"}}`, 400, "query.a: it has half of a surrogate pair"},
		"unknown key of a find":       {"/v1/collections/c/find", `{"filter":{"a":1}}`, 400, `unknown field \"filter\"`},
		"unknown key of a deletion": {"/v1/data/delete", `{"kind":"predictions","from":"2024-01-01T00:00:00Z"}`, 400,
			`unknown field \"from\"`},
		"parameter of a deletion": {"/v1/data/delete?from=2024-01-01T00:00:00Z", `{"kind":"predictions"}`, 400,
			`\"from\" is not a parameter`},
		"parameter of a save":   {"/v1/predictions?version=v2", `{}`, 400, `\"version\" is not a parameter of /v1/predictions, which has none`},
		"dot collection":        {"/v1/collections/%2e", `{"data":{}}`, 400, "that name cannot be used"},
		"dots collection":       {"/v1/collections/%2e%2e/find", `{}`, 400, "that name cannot be used"},
		"odd collection":        {"/v1/collections/%ff", `{"data":{}}`, 400, "the name is not UTF-8"},
		"long collection":       {"/v1/collections/" + strings.Repeat("c", 121), `{"data":{}}`, 400, "a name has 1 to 120 bytes"},
		"query of another type": {"/v1/collections/c/find", `{"query":1}`, 400, "the body is malformed"},
		"unknown operator": {"/v1/collections/c/find", `{"query":{"a":{"$near":"x"}}}`, 400,
			`query: field \"a\": unknown operator \"$near\"`},
		"code":             {"/v1/collections/c/find", `{"query":{"$where":"1"}}`, 400, `operator \"$where\" is refused`},
		"cursor alone":     {"/v1/collections/c/find", `{"cursor":"1"}`, 400, "cursor: requires a limit"},
		"odd cursor":       {"/v1/collections/c/find", `{"cursor":"x","limit":1}`, 400, "cursor: it is not one of this store"},
		"operator and key": {"/v1/collections/c/find", `{"query":{"a":{"$gt":1,"b":2}}}`, 400, `unknown operator \"b\"`},
		"operator within":  {"/v1/collections/c/find", `{"query":{"a":[{"$gt":1}]}}`, 400, `unknown operator \"$gt\"`},
		"order of lists":   {"/v1/collections/c/find", `{"query":{"a":{"$gt":[1]}}}`, 400, "$gt requires a number, a string or a boolean"},
		"order of null": {"/v1/collections/c/find", `{"query":{"a":{"$lte":null}}}`, 400,
			"$lte requires a number, a string or a boolean"},
		"$in without list":       {"/v1/collections/c/find", `{"query":{"a":{"$in":1}}}`, 400, "$in requires a list"},
		"empty key":              {"/v1/collections/c/find", `{"query":{"a..b":1}}`, 400, `key \"\" cannot be searched for`},
		"quote in a key":         {"/v1/collections/c/find", `{"query":{"a\"b":1}}`, 400, "cannot be searched for"},
		"quote in a value's key": {"/v1/collections/c/find", `{"query":{"a":{"\\":1}}}`, 400, "cannot be searched for"},
		"long path":              {"/v1/collections/c/find", `{"query":{"a` + strings.Repeat(".a", 16) + `":1}}`, 400, "more than 16 keys"},
		"many values":            {"/v1/collections/c/find", `{"query":{"a":[` + strings.Repeat("1,", 256) + `1]}}`, 400, "more than 256 values"},
		"deep value": {"/v1/collections/c/find", `{"query":{"a":` + strings.Repeat("[", 10) + strings.Repeat("]", 10) +
			`}}`, 400, "more than 8 levels"},
		"text with a zero": {"/v1/collections/c/find", `{"query":{"a":"\u0000"}}`, 400, "is not text"},
		"no such path":     {"/v1/x", `{}`, 404, ""},
	} {
		t.Run(name, func(t *testing.T) {
			res, err := raw.Post("http://store"+c.path, "application/json", strings.NewReader(c.body))
			require.NoError(t, err)
			defer func() { _ = res.Body.Close() }()
			body, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			require.Equal(t, c.status, res.StatusCode, string(body))
			require.Contains(t, string(body), c.want)
		})
	}
}

func TestClientSaysWhatIsWrong(t *testing.T) {
	for _, raw := range []string{"", "unix://relative", "unix:relative", "http://", "ftp://x", "%"} {
		_, err := wire.New(raw)
		require.Error(t, err, raw)
	}
	client, err := wire.New("unix://" + filepath.Join(t.TempDir(), "none.sock"))
	require.NoError(t, err)
	require.ErrorContains(t, client.SavePrediction(t.Context(), from(), wire.Prediction{}),
		"cannot save the prediction: the store does not respond: ")
	require.ErrorContains(t, client.SaveMeasurement(t.Context(), from(), wire.Measurement{Name: "m", Fields: map[string]any{"f": func() {}}}),
		`cannot save the measurement "m": json: unsupported type`)
}

func TestSlowQueryIsEnded(t *testing.T) {
	client, _ := serve(t, store.Options{QueryTime: time.Nanosecond})
	var found []json.RawMessage
	require.ErrorContains(t, client.Find(t.Context(), from(), "c", nil, &found), "the request took longer than 1ns: narrow the query")
	_, err := client.Save(t.Context(), from(), "c", map[string]any{"a": 1})
	require.ErrorContains(t, err, "the request took longer than 1ns")
	require.NotContains(t, err.Error(), "narrow")
}
