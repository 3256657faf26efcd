package cluster

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/cluster/logs"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/logline"
)

func TestWhyRequestsCannotBeRead(t *testing.T) {
	s := &Source{options: Options{Hint: func(namespace string, _ error) string { return "next in " + namespace }}}
	ref := source.Ref{Namespace: "homes", Name: "prices"}
	for _, err := range []error{
		&cluster.UnavailableError{Version: "prices", Stopped: true},
		&cluster.ReplicaError{Version: "prices", Pod: "p", Older: true},
	} {
		require.Equal(t, &source.RefusedError{Refusal: source.Unavailable, Text: err.Error(), Next: "next in homes"}, s.ofRequests(ref, err))
	}
	broken := &cluster.ReplicaError{Version: "prices", Pod: "p", Err: errors.New("timeout")}
	require.Equal(t, broken, s.ofRequests(ref, broken))
	require.IsType(t, &source.NotFoundError{}, s.ofRequests(ref, &cluster.NotFoundError{Version: "prices"}))
	require.NoError(t, s.ofRequests(ref, nil))
}

func TestLogQueries(t *testing.T) {
	require.Equal(t, logs.Query{Nodes: []string{"etl"}, Tail: new(int64(5))}, queryOf(source.LogQuery{Nodes: []string{"etl"}, Tail: 5}))
	require.Equal(t, logs.Query{Workflow: "w"}, queryOf(source.LogQuery{Workflow: "w", Tail: 5}), "its last lines may be far from the end")
	require.InDelta(t, time.Hour, queryOf(source.LogQuery{From: time.Now().Add(-time.Hour)}).Since, float64(time.Minute))
	require.Equal(t, time.Second, queryOf(source.LogQuery{From: time.Now().Add(time.Hour)}).Since)
}

func TestLogsArePassedOnAsSelected(t *testing.T) {
	var lines, failed []string
	h := handlerOf(source.LogQuery{Level: logline.Warn}, source.LogHandler{
		Line:   func(l *logline.Line) { lines = append(lines, l.Text) },
		Failed: func(text string) { failed = append(failed, text) },
	})
	h.Line(logline.Parse("plain"))
	h.Line(logline.Parse(`{"level":"ERROR"}`))
	h.Failed(&logs.Error{Err: errors.New("broken"), Retrying: true})
	h.Failed(&logs.Error{Err: errors.New("gone")})
	require.Equal(t, []string{`{"level":"ERROR"}`}, lines)
	require.Equal(t, []string{"broken; trying again", "gone"}, failed)
}
