package cluster

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// readAll returns the lines of the logs, each as "node text", and what failed.
func readAll(t *testing.T, m *machine, q LogQuery) (found LogSources, lines, failed []string, err error) {
	t.Helper()
	found, err = m.client(t).Logs(t.Context(), "one", q, LogHandler{
		Line:   func(l LogLine) { lines = append(lines, l.Node+" "+l.Text) },
		Failed: func(e *LogError) { failed = append(failed, e.Error()) },
	})
	return found, lines, failed, err
}

func TestLogsAreInTheOrderOfTime(t *testing.T) {
	m := newMachine(t)
	m.add("etl", "etl-1")
	m.add("model", "model-1")
	m.add(Entrypoint, "one-entrypoint-1")
	m.write("etl-1", 10, "a")
	m.write("model-1", 20, `{"msg":"b","workflow":"price"}`)
	m.write("one-entrypoint-1", 30, "c")
	m.write("etl-1", 40, "d")
	m.writeRaw("model-1", 40, "e, without an end")
	m.do(func() { m.pods["etl-1"].end() })

	found, lines, failed, err := readAll(t, m, LogQuery{})
	require.NoError(t, err)
	require.Empty(t, failed)
	require.Equal(t, LogSources{Ready: 3}, found)
	require.Equal(t, []string{
		"etl a", `model {"msg":"b","workflow":"price"}`, "entrypoint c", "etl d", "model e, without an end",
	}, lines)

	_, lines, _, err = readAll(t, m, LogQuery{Nodes: []string{"model", Entrypoint}, Tail: new(int64(1))})
	require.NoError(t, err)
	require.Equal(t, []string{"entrypoint c", "model e, without an end"}, lines)
	_, lines, _, err = readAll(t, m, LogQuery{Workflow: "price"})
	require.NoError(t, err)
	require.Equal(t, []string{`model {"msg":"b","workflow":"price"}`}, lines)
	_, lines, _, err = readAll(t, m, LogQuery{Since: time.Minute})
	require.NoError(t, err)
	require.Empty(t, lines)
}

func TestAPodWithoutALogIsWaitedFor(t *testing.T) {
	m := newMachine(t)
	m.add("etl", "etl-1")
	m.do(func() { m.pods["etl-1"].Status.ContainerStatuses = nil })
	found, lines, failed, err := readAll(t, m, LogQuery{})
	require.NoError(t, err)
	require.Empty(t, append(lines, failed...))
	require.Equal(t, LogSources{Waiting: 1}, found)
}

func TestALogThatCannotBeReadEndsNoOther(t *testing.T) {
	m := newMachine(t)
	m.add("etl", "etl-1")
	m.add("etl", "etl-2")
	m.add("etl", "etl-3")
	m.do(func() {
		m.pods["etl-1"].fails, m.pods["etl-3"].fails = http.StatusInternalServerError, http.StatusNotFound
	})
	m.write("etl-2", 0, "here")
	_, lines, failed, err := readAll(t, m, LogQuery{})
	require.NoError(t, err)
	require.Equal(t, []string{"etl here"}, lines)
	require.Equal(t, []string{"cannot read the log of etl (pod etl-1): its machine is lost"}, failed)
}

func TestALogThatBreaksOffIsReadSoFar(t *testing.T) {
	m := newMachine(t)
	m.add("etl", "etl-1")
	m.write("etl-1", 0, "first")
	m.do(func() { m.pods["etl-1"].torn = true })
	_, lines, failed, err := readAll(t, m, LogQuery{})
	require.NoError(t, err)
	require.Equal(t, []string{"etl firs"}, lines)
	require.Equal(t, []string{"cannot read the log of etl (pod etl-1): unexpected EOF"}, failed)
}

func TestWithoutTheRightThereAreNoLogs(t *testing.T) {
	m := newMachine(t)
	m.add("etl", "etl-1")
	m.add("etl", "etl-2")
	m.do(func() { m.pods["etl-1"].fails, m.pods["etl-2"].fails = http.StatusForbidden, http.StatusForbidden })
	_, lines, failed, err := readAll(t, m, LogQuery{})
	require.EqualError(t, err, "cannot read logs: its machine is lost")
	require.True(t, apierrors.IsForbidden(err))
	require.Empty(t, append(lines, failed...))
}

func TestLogsEndWithTheirContext(t *testing.T) {
	m := newMachine(t)
	m.add("etl", "etl-1")
	m.write("etl-1", 0, "first")
	m.write("etl-1", 0, "second")
	ctx, cancel := context.WithCancel(t.Context())
	lines := 0
	_, err := m.client(t).Logs(ctx, "one", LogQuery{}, LogHandler{Line: func(LogLine) { lines++; cancel() }})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1, lines)
}

func TestALogQueryNamesWhatTheVersionHas(t *testing.T) {
	v := &v1alpha1.Version{}
	v.Name = "one"
	v.Spec.Nodes = []v1alpha1.Node{{Name: "etl"}, {Name: "model"}}
	v.Spec.Workflows = []v1alpha1.Workflow{{Name: "price"}}
	for want, q := range map[string]LogQuery{
		"": {Nodes: []string{"etl", Entrypoint}, Workflow: "price"},
		`version "one" has no node "modl"; did you mean "model"?`:       {Nodes: []string{"modl"}},
		`version "one" has no workflow "prices"; did you mean "price"?`: {Workflow: "prices"},
	} {
		err := q.Check(v)
		if want == "" {
			require.NoError(t, err)
			continue
		}
		require.EqualError(t, err, want)
	}
}

func TestLogLine(t *testing.T) {
	l := parseLogLine(`2026-11-22T22:50:56.000000001Z {"msg":"slow","n":3,"b":true}`)
	require.Equal(t, time.Date(2026, 11, 22, 22, 50, 56, 1, time.UTC), l.Time)
	require.Equal(t, []string{"slow", "3", "true", ""}, []string{l.Field("msg"), l.Field("n"), l.Field("b"), l.Field("none")})
	l = parseLogLine("unable to retrieve container logs for containerd://1")
	require.True(t, l.Time.IsZero())
	require.Equal(t, "unable to retrieve container logs for containerd://1", l.Text)
	require.Nil(t, l.Fields)
	require.Equal(t, `{"msg":`, parseLogLine(`2026-11-22T22:50:56Z {"msg":`).Text)
}

func TestLongLinesAreCut(t *testing.T) {
	long := strings.Repeat("é", MaxLogLine) // of two bytes each
	lines := newLineReader(strings.NewReader("a" + long + "\r\nnext\r\n\nlast"))
	for _, want := range []struct {
		text  string
		whole bool
	}{{"a" + long[:MaxLogLine-2], true}, {"next", true}, {"", true}, {"last", false}} {
		text, whole, _ := lines.next()
		require.Equal(t, want.whole, whole)
		require.True(t, text == want.text, "%.20s", text)
	}
}

// A line that has no end is returned as soon as it is too long.
func TestALineWithoutAnEndIsCut(t *testing.T) {
	from := &endless{}
	text, whole, err := newLineReader(from).next()
	require.NoError(t, err)
	require.True(t, whole)
	require.Len(t, text, MaxLogLine)
	require.Less(t, from.read, 2*MaxLogLine)
}

type endless struct{ read int }

func (e *endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	e.read += len(b)
	return len(b), nil
}
