package cluster

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cluster/logline"
)

// readAll returns the lines of the logs, each as "node text", and what failed.
func readAll(t *testing.T, m *machine, q LogQuery) (found LogSources, lines, failed []string, err error) {
	t.Helper()
	found, err = m.client(t).Logs(t.Context(), "one", q, LogHandler{
		Line:   func(l logline.Line) { lines = append(lines, l.Node+" "+l.Text) },
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

func TestTheErrorOfALogHasAReason(t *testing.T) {
	for status, want := range map[int]Reason{-1: ReasonUnreachable, http.StatusTeapot: ReasonOther} {
		m := newMachine(t)
		m.add("etl", "etl-1")
		m.do(func() { m.pods["etl-1"].fails = status })
		var failed []*LogError
		_, err := m.client(t).Logs(t.Context(), "one", LogQuery{}, LogHandler{Failed: func(e *LogError) { failed = append(failed, e) }})
		require.NoError(t, err)
		require.Len(t, failed, 1)
		var request *Error
		require.ErrorAs(t, failed[0], &request)
		require.Equal(t, want, request.Reason)
		if want == ReasonUnreachable {
			require.EqualError(t, failed[0], "cannot read the log of etl (pod etl-1): cannot reach the cluster at "+m.url+": EOF")
		}
	}
}

// A machine's 404 about a log reads like that of an API server without the kind.
func TestAMachineThatLacksALogIsNoClusterWithoutTheKinds(t *testing.T) {
	c := newMachine(t).client(t)
	about := schema.GroupResource{Resource: "pods/log"}
	err := c.explain(apierrors.NewGenericServerResponse(http.StatusNotFound, "GET", about, "etl-1", "gone", 0, true), "cannot read")
	var request *Error
	require.ErrorAs(t, err, &request)
	require.Equal(t, ReasonOther, request.Reason)
}

func TestFewLogsAreOpenedAtATime(t *testing.T) {
	m := newMachine(t)
	for i := range 5 * maxOpening {
		m.add("etl", fmt.Sprintf("etl-%d", i))
		m.write(fmt.Sprintf("etl-%d", i), i, "here")
	}
	m.burst = maxOpening
	found, lines, failed, err := readAll(t, m, LogQuery{})
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
	_, err := m.client(t).Logs(t.Context(), "one", LogQuery{}, LogHandler{})
	require.NoError(t, err)
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
	_, err := m.client(t).Logs(ctx, "one", LogQuery{}, LogHandler{Line: func(logline.Line) { lines++; cancel() }})
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
