package pyrunner_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// records returns the JSON log lines whose text has the given beginning, without their
// times and ids of spans.
func (n *node) records(prefix string) []map[string]any {
	n.t.Helper()
	var found []map[string]any
	for line := range strings.Lines(n.log.String()) {
		var record map[string]any
		require.NoError(n.t, json.Unmarshal([]byte(line), &record), line)
		delete(record, "time")
		delete(record, "span_id")
		if text, _ := record["msg"].(string); strings.HasPrefix(text, prefix) {
			found = append(found, record)
		}
	}
	return found
}

func TestOutputBecomesLogLines(t *testing.T) {
	call := func(level, text string) map[string]any {
		return map[string]any{"level": level, "msg": text, "node": "model", "workflow": "wf", "correlationid": "c1",
			"trace_id": "0af7651916cd43dd8448eb211c80319c"}
	}
	for name, c := range map[string]struct {
		code string
		want map[string]any
	}{
		"print":           {"print('> a', 1)", call("INFO", "> a 1")},
		"print in pieces": {"print('> a', end=''); print('b', end='')", call("INFO", "> ab")},
		"stderr":          {"print('> a', file=sys.stderr)", call("INFO", "> a")},
		"not ASCII":       {"print('> é\\\\n\\x1e\\x1f\\ud800')", call("INFO", "> é\\n\x1e\x1f\\ud800")},
		"ctx.logger":      {"ctx.logger.info('> %s', 'a')", call("INFO", "> a")},
		"warning":         {"ctx.logger.warning('> a')", call("WARN", "> a")},
		"error":           {"ctx.logger.error('> a')", call("ERROR", "> a")},
		"debug":           {"ctx.logger.debug('> a')", call("DEBUG", "> a")},
		"several lines":   {"ctx.logger.info('> a\\nb')", call("INFO", "> a\nb")},
		"logging":         {"import logging; logging.getLogger('x').info('> a')", call("INFO", "> a")},
		"from a thread":   {"import threading; th = threading.Thread(target=print, args=('> a',)); th.start(); th.join()", call("INFO", "> a")},
		"native code":     {"os.write(1, b'> a\\n')", map[string]any{"level": "INFO", "msg": "> a", "node": "model"}},
		"bytes":           {"sys.stdout.buffer.write(b'> a\\n')", map[string]any{"level": "INFO", "msg": "> a", "node": "model"}},
		"another process": {"import subprocess; subprocess.run(['echo', '> a'])", map[string]any{"level": "INFO", "msg": "> a",
			"node": "model"}},
		"no UTF-8":         {"os.write(1, b'> \\xff\\n')", map[string]any{"level": "INFO", "msg": "> \ufffd", "node": "model"}},
		"half a record":    {"os.write(1, b'\\x1eE> a\\n')", nil},
		"measurement":      {"ctx.measurement.save('> m', {'x': 1}, {'t': 'a'})", nil},
		"closed stdout":    {"sys.stdout.close(); print('> a')", call("INFO", "> a")},
		"logged exception": {"\n    try: 1/0\n    except ZeroDivisionError: ctx.logger.exception('> a')", nil},
	} {
		t.Run(name, func(t *testing.T) {
			n := start(t, "def handler(ctx, data):\n    "+c.code+"\n    return StringValue(value='x')",
				map[string]string{"KRT_LOG": "json", "KRT_LOG_LEVEL": "debug"})
			require.Equal(t, "x", n.text("x"))
			require.NoError(t, n.end()) // all output is logged by then
			if c.want != nil {
				require.Equal(t, []map[string]any{c.want}, n.records("> "))
			}
			switch name {
			case "measurement":
				m := call("INFO", "measurement")
				m["name"], m["fields"], m["tags"], m["precision"] = "> m", map[string]any{"x": 1.0}, map[string]any{"t": "a"}, "ns"
				require.Equal(t, []map[string]any{m}, n.records("measurement"))
			case "logged exception":
				text := n.records("> ")[0]["msg"].(string)
				require.Contains(t, text, "> a\nTraceback")
				require.Contains(t, text, "ZeroDivisionError")
			}
		})
	}
}

func TestLinesOfWorkersDoNotMix(t *testing.T) {
	n := start(t, `
def handler(ctx, data):
    for _ in range(50): print("> " + text(data) * 3000)
    return StringValue(value="x")
`, map[string]string{"KRT_LOG": "json", "KRT_WORKERS": "2"})
	var callers sync.WaitGroup
	for _, s := range []string{"a", "b"} {
		callers.Go(func() { _, _ = n.postContext(t.Context(), request(s)) })
	}
	callers.Wait()
	require.NoError(t, n.end())
	lines := n.records("> ")
	require.Len(t, lines, 100)
	for _, line := range lines {
		text := strings.TrimPrefix(line["msg"].(string), "> ")
		require.Equal(t, strings.Repeat(text[:1], 3000), text)
	}
}

func TestLongLinesAreCut(t *testing.T) {
	n := start(t, "def handler(ctx, data):\n    print('> ' + 'x' * 1000000)\n    print('> next')\n    return StringValue(value='x')",
		map[string]string{"KRT_LOG": "json"})
	require.Equal(t, "x", n.text("x"))
	require.NoError(t, n.end())
	lines := n.records("> ")
	require.Len(t, lines, 2)
	require.Less(t, len(lines[0]["msg"].(string)), 300<<10)
	require.Equal(t, "> next", lines[1]["msg"])
}

func TestTracebackIsTheUsersOwn(t *testing.T) {
	for _, kind := range []string{"def", "async def"} {
		t.Run(kind, func(t *testing.T) {
			n := start(t, kind+` handler(ctx, data):
    try: ctx.db.save("c", {})
    except RuntimeError as e: raise ValueError("bad") from e
`, map[string]string{"KRT_LOG": "json"})
			_, text := n.failure("x")
			require.Equal(t, "error in 'model': bad", text)
			require.NoError(t, n.end())
			trace := n.records("Traceback")[0]
			require.Equal(t, "ERROR", trace["level"])
			require.Equal(t, "c1", trace["correlationid"])
			require.Contains(t, trace["msg"], "no store configured: ctx.db.save needs one, set KRT_STORE")
			require.Contains(t, trace["msg"], "ValueError: bad")
			require.NotContains(t, trace["msg"], "/krt/")
		})
	}
}

// Who sends requests that fail must not decide how much is logged.
func TestTracebacksAreLimited(t *testing.T) {
	n := start(t, "def handler(ctx, data): raise ValueError('> bad %s' % text(data))", map[string]string{"KRT_LOG": "json"})
	begin := time.Now()
	for i := range 200 {
		n.failure(strconv.Itoa(i))
	}
	require.NoError(t, n.end())
	seconds := int(time.Since(begin)/time.Second) + 2 // some of each of them
	require.LessOrEqual(t, strings.Count(n.log.String(), `"msg":"Traceback`), 11*seconds)
	require.Contains(t, n.log.String(), "ValueError: > bad 0")
}
