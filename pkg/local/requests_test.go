package local

import (
	"database/sql"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"

	"krt.dev/kn-krt/pkg/entrypoint/measure"
	"krt.dev/kn-krt/pkg/entrypoint/record"
)

func TestRequestsAreReportedAndMeasured(t *testing.T) {
	r := startRun(t, newBundle(t), Options{Requests: true, Measurements: measure.Each})
	r.requireAnswer(t, "Both", "x", "world hello x")
	_, err := r.call("Hello", "fail no such room")
	require.Error(t, err)

	seen := r.await(t, EventRequest, 2)
	both, failed := seen[0].Request, seen[1].Request
	require.Equal(t, []any{"test-v1", "two", "test.Entrypoint/Both", record.GRPC, code.Code_OK},
		[]any{both.Version, both.Workflow, both.Method, both.Protocol, both.Code})
	times := both.NodeTimes()
	require.Len(t, times, 2)
	for i, node := range []string{"hello", "world"} {
		require.Equal(t, node, times[i].Node)
		require.True(t, times[i].Reported)
		require.True(t, times[i].Cold)
		require.Equal(t, 1, times[i].Attempts)
		require.LessOrEqual(t, times[i].Run, both.Elapsed())
	}
	require.Equal(t, []any{"one", code.Code_INTERNAL, "HANDLER_ERROR", "hello"},
		[]any{failed.Workflow, failed.Code, failed.Reason, failed.Node})
	require.Contains(t, failed.Error, "no such room")

	require.NoError(t, r.stop())
	require.Equal(t, []string{
		`node_elapsed_time {"node":"hello","version":"test-v1","workflow":"two"}`,
		`node_elapsed_time {"node":"world","version":"test-v1","workflow":"two"}`,
		`workflow_elapsed_time {"node":"entrypoint","version":"test-v1","workflow":"two"}`,
	}, measured(t, r.state))
}

// The work behind an early reply has a record of its own, and its node is measured once.
func TestWorkBehindAnEarlyReplyIsReported(t *testing.T) {
	r := startRun(t, newBundle(t), Options{Requests: true, Measurements: measure.Each})
	r.requireAnswer(t, "Hello", "reply soon", "soon")
	seen := r.await(t, EventRequest, 2)
	first, rest := seen[0].Request, seen[1].Request
	require.Equal(t, first.ID, rest.ID)
	require.Equal(t, []any{record.EarlyReply, false, code.Code_OK}, []any{first.Early, first.Background, first.Code})
	require.Equal(t, []any{record.EarlyReply, true, code.Code_OK}, []any{rest.Early, rest.Background, rest.Code})
	require.NoError(t, r.stop())
	require.Equal(t, []string{
		`node_elapsed_time {"node":"hello","version":"test-v1","workflow":"one"}`,
		`workflow_elapsed_time {"node":"entrypoint","version":"test-v1","workflow":"one"}`,
	}, measured(t, r.state))
}

func TestRequestsAreNotReportedUnlessAskedFor(t *testing.T) {
	r := startRun(t, newBundle(t), Options{Measurements: measure.Off})
	r.requireAnswer(t, "Both", "x", "world hello x")
	require.NoError(t, r.stop())
	require.Empty(t, r.of(EventRequest))
	require.Empty(t, measured(t, r.state))
}

func TestWhatIsMeasuredIsSavedAtTheEnd(t *testing.T) {
	r := startRun(t, newBundle(t), Options{})
	r.requireAnswer(t, "Hello", "x", "hello x")
	r.requireAnswer(t, "Hello", "x", "hello x")
	require.NoError(t, r.stop())
	require.NotEmpty(t, measured(t, r.state))
}

// measured returns names and tags of the measurements in a state folder.
func measured(t *testing.T, state string) (found []string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(state, "store.db"))
	require.NoError(t, err)
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), "SELECT name || ' ' || tags FROM measurements ORDER BY name, tags")
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var one string
		require.NoError(t, rows.Scan(&one))
		found = append(found, one)
	}
	require.NoError(t, rows.Err())
	return found
}

// stuck is a Reporter that blocks at each request until it is released.
type stuck struct {
	*recorder
	entered, release chan struct{}
}

func (s *stuck) Event(e Event) {
	if e.Type == EventRequest {
		s.entered <- struct{}{}
		<-s.release
	}
	s.recorder.Event(e)
}

func TestNoRequestWaitsForTheReporter(t *testing.T) {
	to := &stuck{newRecorder(), make(chan struct{}), make(chan struct{})}
	r := newRequests(to)
	seen := &record.Record{ID: "0"}
	r.Observe(seen)
	<-to.entered // it blocks
	for i := 1; i <= maxUnreported+3; i++ {
		seen.ID = strconv.Itoa(i) // the entrypoint uses its records again
		r.Observe(seen)
	}
	go func() {
		for range maxUnreported {
			to.release <- struct{}{}
			<-to.entered
		}
		to.release <- struct{}{}
	}()
	r.close()
	listed := to.of(EventRequest)
	require.Len(t, listed, maxUnreported+1)
	for i, e := range listed {
		require.Equal(t, strconv.Itoa(i), e.Request.ID)
	}
	warnings := to.of(EventWarning)
	require.Len(t, warnings, 1)
	require.Equal(t, "3 more requests are not listed: they came faster than lines are printed", warnings[0].Text)
}
