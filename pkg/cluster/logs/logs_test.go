package logs

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"krt.dev/kn-krt/pkg/logline"
)

// readAll returns the lines of the logs, each as "node text", and what failed.
func readAll(t *testing.T, m *machine, q Query) (found Sources, lines, failed []string, err error) {
	t.Helper()
	found, err = Read(t.Context(), m.cluster(t), "one", q, Handler{
		Line:   func(l logline.Line) { lines = append(lines, l.Node+" "+l.Text) },
		Failed: func(e *Error) { failed = append(failed, e.Error()) },
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

	found, lines, failed, err := readAll(t, m, Query{})
	require.NoError(t, err)
	require.Empty(t, failed)
	require.Equal(t, Sources{Ready: 3}, found)
	require.Equal(t, []string{
		"etl a", `model {"msg":"b","workflow":"price"}`, "entrypoint c", "etl d", "model e, without an end",
	}, lines)

	_, lines, _, err = readAll(t, m, Query{Nodes: []string{"model", Entrypoint}, Tail: new(int64(1))})
	require.NoError(t, err)
	require.Equal(t, []string{"entrypoint c", "model e, without an end"}, lines)
	_, lines, _, err = readAll(t, m, Query{Workflow: "price"})
	require.NoError(t, err)
	require.Equal(t, []string{`model {"msg":"b","workflow":"price"}`}, lines)
	_, lines, _, err = readAll(t, m, Query{Since: time.Minute})
	require.NoError(t, err)
	require.Empty(t, lines)
}

func TestAPodWithoutALogIsWaitedFor(t *testing.T) {
	m := newMachine(t)
	m.add("etl", "etl-1")
	m.do(func() { m.pods["etl-1"].Status.ContainerStatuses = nil })
	found, lines, failed, err := readAll(t, m, Query{})
	require.NoError(t, err)
	require.Empty(t, append(lines, failed...))
	require.Equal(t, Sources{Waiting: 1}, found)
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
	_, lines, failed, err := readAll(t, m, Query{})
	require.NoError(t, err)
	require.Equal(t, []string{"etl here"}, lines)
	require.Equal(t, []string{"cannot read the log of etl (pod etl-1): its machine is lost"}, failed)
}

func TestFewLogsAreOpenedAtATime(t *testing.T) {
	m := newMachine(t)
	for i := range 5 * maxOpening {
		m.add("etl", fmt.Sprintf("etl-%d", i))
		m.write(fmt.Sprintf("etl-%d", i), i, "here")
	}
	m.burst = maxOpening
	found, lines, failed, err := readAll(t, m, Query{})
	require.NoError(t, err)
	require.Empty(t, failed)
	require.Len(t, lines, found.Ready)
	require.Equal(t, maxOpening, m.most)
}

func TestAHandlerWithoutFunctionsIsSilent(t *testing.T) {
	m := newMachine(t)
	m.add("etl", "etl-1")
	m.add("etl", "etl-2")
	m.write("etl-1", 0, "here")
	m.do(func() { m.pods["etl-2"].fails = http.StatusInternalServerError })
	_, err := Read(t.Context(), m.cluster(t), "one", Query{}, Handler{})
	require.NoError(t, err)
}

func TestALogThatBreaksOffIsReadSoFar(t *testing.T) {
	m := newMachine(t)
	m.add("etl", "etl-1")
	m.write("etl-1", 0, "first")
	m.do(func() { m.pods["etl-1"].torn = true })
	_, lines, failed, err := readAll(t, m, Query{})
	require.NoError(t, err)
	require.Equal(t, []string{"etl firs"}, lines)
	require.Equal(t, []string{"cannot read the log of etl (pod etl-1): unexpected EOF"}, failed)
}

func TestWithoutTheRightThereAreNoLogs(t *testing.T) {
	m := newMachine(t)
	m.add("etl", "etl-1")
	m.add("etl", "etl-2")
	m.do(func() { m.pods["etl-1"].fails, m.pods["etl-2"].fails = http.StatusForbidden, http.StatusForbidden })
	_, lines, failed, err := readAll(t, m, Query{})
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
	_, err := Read(ctx, m.cluster(t), "one", Query{}, Handler{Line: func(logline.Line) { lines++; cancel() }})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1, lines)
}
