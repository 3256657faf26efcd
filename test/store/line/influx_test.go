// Package line_test holds measurements to what a real InfluxDB has of them.
package line_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/store/line"
	"krt.dev/kn-krt/test/store/server"
)

// patience bounds the wait for measurements to be written.
const patience = time.Minute

// log is what a sink has logged.
type log struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func open(t *testing.T, url string, o line.Options) (*line.Sink, *log) {
	t.Helper()
	lines := &log{}
	o.Logger = slog.New(slog.NewTextHandler(lines, nil))
	s, err := line.Open(url, o)
	require.NoError(t, err)
	return s, lines
}

// ended closes a sink that has written all.
func ended(t *testing.T, s *line.Sink) {
	t.Helper()
	require.NoError(t, s.Close(t.Context()))
	require.NoError(t, s.Err())
	counts := s.Counts()
	require.Equal(t, counts.Accepted, counts.Written+counts.Dropped)
	require.Zero(t, counts.Memory+counts.Disk)
}

// ask returns the rows of an InfluxQL query, each as the text of its values.
func ask(t *testing.T, s *server.Server, database, query string) (rows []string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
		"http://"+s.Address+"/query?"+url.Values{"db": {database}, "q": {query}}.Encode(), nil)
	require.NoError(t, err)
	req.SetBasicAuth("krt", server.Password)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	var reply struct {
		Results []struct {
			Error  string
			Series []struct {
				Tags   map[string]string
				Values [][]any
			}
		}
	}
	decoder := json.NewDecoder(res.Body)
	decoder.UseNumber()
	require.NoError(t, decoder.Decode(&reply))
	require.Equal(t, http.StatusOK, res.StatusCode, reply)
	require.Len(t, reply.Results, 1)
	require.Empty(t, reply.Results[0].Error)
	for _, series := range reply.Results[0].Series {
		for _, values := range series.Values {
			row := strings.Trim(fmt.Sprint(values), "[]")
			if len(series.Tags) > 0 {
				row = fmt.Sprint(series.Tags, " ", row)
			}
			rows = append(rows, row)
		}
	}
	return rows
}

func save(t *testing.T, s *line.Sink, runtime string, measurements ...wire.Measurement) {
	t.Helper()
	require.NoError(t, s.SaveMeasurements(t.Context(), runtime, measurements))
}

func measurement(name string, at int64, fields map[string]any, tags ...string) wire.Measurement {
	m := wire.Measurement{Name: name, Fields: fields, Tags: map[string]string{}, Time: time.Unix(at, 0).UTC()}
	for i := 0; i < len(tags); i += 2 {
		m.Tags[tags[i]] = tags[i+1]
	}
	return m
}

// The database of the runtime is made, values have their types, and the original's
// dashboards find what they ask for.
func TestWritten(t *testing.T) {
	influx := server.Influx(t)
	s, _ := open(t, influx.URL, line.Options{Folder: t.TempDir()})
	save(t, s, "my-runtime", measurement("types", 1, map[string]any{"i": json.Number("9007199254740993"), "f": json.Number("1.0"),
		"s": "a \"b\"\nc\\", "b": true}, "with space", "a,b=c", "version", "v1"))
	for i := range 10 {
		save(t, s, "my-runtime", measurement("node_elapsed_time", int64(60+i),
			map[string]any{"tracking_id": fmt.Sprint("id-", i), "node_from": "entrypoint",
				"elapsed_ms": json.Number(fmt.Sprint(i, ".5")), "waiting_ms": json.Number("0.25")},
			"workflow", "w", "version", "v1", "node", fmt.Sprint("n", i%2)))
	}
	save(t, s, "other", measurement("types", 1, map[string]any{"i": "text here"}))
	ended(t, s)

	require.ElementsMatch(t, []string{"i integer", "f float", "s string", "b boolean"},
		ask(t, influx, "my-runtime", `SHOW FIELD KEYS FROM types`))
	require.Equal(t, []string{"1970-01-01T00:00:01Z true 1 9007199254740993 a \"b\"\\nc\\ v1 a,b=c"},
		ask(t, influx, "my-runtime", `SELECT * FROM types`))
	// As a cell of application.json in the original's example asks, with Chronograf's variables filled in.
	require.Equal(t, []string{"map[node:n0] 1970-01-01T00:00:00Z 4.5", "map[node:n1] 1970-01-01T00:00:00Z 5.5"},
		ask(t, influx, "my-runtime", `SELECT mean("elapsed_ms") AS "mean_elapsed_ms" FROM "my-runtime"."autogen"."node_elapsed_time" `+
			`WHERE time > 0 AND time < 1h AND "version"='v1' AND "workflow"='w' GROUP BY time(1h), node FILL(none)`))
	require.Equal(t, []string{"1970-01-01T00:00:01Z text here"}, ask(t, influx, "other", `SELECT * FROM types`))
}

// One database for all runtimes tells them apart by a tag.
func TestOneDatabase(t *testing.T) {
	influx := server.Influx(t)
	s, _ := open(t, influx.URL+"/?db=all%20of%20them&rp=autogen", line.Options{})
	tags := map[string]string{"runtime": "forged"}
	for _, runtime := range []string{"a", "b"} {
		save(t, s, runtime, wire.Measurement{Name: "m", Fields: map[string]any{"n": json.Number("1")}, Tags: tags, Time: time.Unix(1, 0)})
	}
	ended(t, s)
	require.Equal(t, []string{"map[runtime:a] 1970-01-01T00:00:00Z 1", "map[runtime:b] 1970-01-01T00:00:00Z 1"},
		ask(t, influx, "all of them", `SELECT count(n) FROM m GROUP BY runtime`))
	require.Equal(t, "forged", tags["runtime"], "the caller's tags are changed")
}

// The other points of a request are written, the log has the point, and the node gets an
// error from then on.
func TestConflict(t *testing.T) {
	influx := server.Influx(t)
	s, lines := open(t, influx.URL, line.Options{})
	save(t, s, "r", measurement("m", 1, map[string]any{"v": json.Number("1.5")}))
	require.Eventually(t, func() bool { return s.Counts().Written == 1 }, patience, 10*time.Millisecond)
	save(t, s, "r", measurement("m", 2, map[string]any{"v": json.Number("2.5")}),
		measurement("m", 3, map[string]any{"v": json.Number("3")}, "node", "n"), measurement("m", 4, map[string]any{"w": json.Number("4")}))
	require.Eventually(t, func() bool { return s.Counts().Dropped == 1 }, patience, 10*time.Millisecond)
	require.Contains(t, lines.String(), `point="m,node=n v=3i 3000000000"`)
	require.EqualError(t, s.SaveMeasurements(t.Context(), "r", []wire.Measurement{measurement("m", 5, map[string]any{"v": json.Number("5")})}),
		`fields: "v" has the type integer: in the measurement "m" of the database it has the type float`)
	save(t, s, "r", measurement("m", 6, map[string]any{"v": json.Number("6.0")}))
	ended(t, s)
	require.Equal(t, []string{"1970-01-01T00:00:00Z 3 1"}, ask(t, influx, "r", `SELECT count(*) FROM m`))
}

// While the database is away measurements are kept, in files too, and across a restart of
// the store; then all are written.
func TestOutage(t *testing.T) {
	influx := server.Influx(t)
	folder := t.TempDir()
	s, lines := open(t, influx.URL, line.Options{Folder: folder, MaxMemory: 64 << 10})
	save(t, s, "r", measurement("m", 1, map[string]any{"n": json.Number("0")}))
	require.Eventually(t, func() bool { return s.Counts().Written == 1 }, patience, 10*time.Millisecond)
	influx.Kill()
	const n = 20_000
	send := func(from int) {
		for i := range n / 2 {
			// Nodes are slower than this loop, which waits so that nothing has to be dropped.
			require.Eventually(t, func() bool { return s.Counts().Memory < 60<<10 }, patience, time.Millisecond)
			save(t, s, "r", measurement("m", int64(from+i), map[string]any{"n": json.Number("1")}))
		}
	}
	send(2)
	require.Eventually(t, func() bool { return s.Err() != nil }, patience, 10*time.Millisecond)
	require.Positive(t, s.Counts().Disk)
	require.Contains(t, lines.String(), "measurements cannot be written: they are kept")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, s.Close(ctx))
	require.Zero(t, s.Counts().Dropped)

	s, _ = open(t, influx.URL, line.Options{Folder: folder, MaxMemory: 64 << 10})
	send(2 + n/2)
	influx.Start(t)
	require.Eventually(t, func() bool { return s.Counts().Memory+s.Counts().Disk == 0 }, patience, 10*time.Millisecond)
	require.NoError(t, s.Err())
	require.NoError(t, s.Close(t.Context()))
	require.Zero(t, s.Counts().Dropped)
	require.Equal(t, []string{fmt.Sprintf("1970-01-01T00:00:00Z %d", n+1)}, ask(t, influx, "r", `SELECT count(n) FROM m`))
}

// Without room, the oldest measurements are dropped, and counted.
func TestDropped(t *testing.T) {
	s, _ := open(t, "influx+http://127.0.0.1:1", line.Options{Folder: t.TempDir(), MaxMemory: 64 << 10, MaxDisk: 128 << 10})
	const n = 20_000
	for i := range n {
		save(t, s, "r", measurement("m", int64(i), map[string]any{"n": json.Number("1")}))
	}
	counts := s.Counts()
	require.EqualValues(t, n, counts.Accepted)
	require.Positive(t, counts.Dropped)
	require.LessOrEqual(t, counts.Memory, int64(64<<10))
	require.LessOrEqual(t, counts.Disk, int64(128<<10))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, s.Close(ctx))
}

// What cannot work says why, without the password.
func TestErrors(t *testing.T) {
	influx := server.Influx(t)
	for name, c := range map[string]struct{ url, want string }{
		"password": {strings.Replace(influx.URL, url.QueryEscape(server.Password), "hunter2", 1), "does not accept the user or the password"},
		"away":     {"influx+http://krt:hunter2@127.0.0.1:1", "127.0.0.1:1 does not respond"},
	} {
		t.Run(name, func(t *testing.T) {
			s, lines := open(t, c.url, line.Options{})
			save(t, s, "r", measurement("m", 1, map[string]any{"n": json.Number("1")}))
			require.Eventually(t, func() bool { return s.Err() != nil }, patience, 10*time.Millisecond)
			require.ErrorContains(t, s.Err(), c.want)
			require.NoError(t, s.Close(t.Context()))
			require.EqualValues(t, 1, s.Counts().Dropped)
			require.NotContains(t, lines.String()+s.Err().Error(), "hunter2")
		})
	}
	for url, want := range map[string]string{
		"http://h":                      "not of the form influx+http://host:port/?db=name",
		"influx+http://h/?database=x":   `parameter "database" is unknown`,
		"influx+http://u:hunter2@h:x/":  "the URL is malformed",
		"influx+ftp://u:hunter2@h/?db=": "not of the form",
	} {
		_, err := line.Open(url, line.Options{})
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "hunter2")
	}
}
