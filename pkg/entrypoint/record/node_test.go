package record_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"

	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/runner/event"
)

func TestNodeTimes(t *testing.T) {
	begin := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	after := func(ms int) time.Time { return begin.Add(time.Duration(ms) * time.Millisecond) }
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		record record.Record
		want   []record.NodeTime
	}{
		"nothing is known": {record.Record{}, []record.NodeTime{}},
		"reported": {record.Record{
			Sends: []record.Send{{Begin: begin, End: after(1), Result: record.ResultOK}}, // a Sequence
			Steps: []record.Step{{Node: "etl", Start: after(2), Wait: ms, Run: 3 * ms, Cold: true}},
		}, []record.NodeTime{{Node: "etl", Start: after(2), Wait: ms, Run: 3 * ms, Cold: true, Reported: true}}},
		"seen and reported": {record.Record{
			Sends: []record.Send{
				{Node: "etl", Begin: after(1), End: after(4), Result: record.ResultRetried},
				{Node: "etl", Begin: after(5), End: after(9), Result: record.ResultOK},
				{Node: "model", Begin: after(10), End: after(12), Result: record.ResultRetried},
				{Node: "model", Begin: after(13), End: after(20), Result: record.ResultGaveUp},
			},
			Steps: []record.Step{{Node: "etl", Start: after(6), Run: 2 * ms, Outcome: event.OutcomeOK}},
		}, []record.NodeTime{
			{Node: "etl", Start: after(6), Run: 2 * ms, Reported: true, Attempts: 2},
			{Node: "model", Start: after(10), Run: 10 * ms, Outcome: event.OutcomeError, Attempts: 2},
		}},
		"accepted, and failed": {record.Record{
			Code: code.Code_INTERNAL, Node: "etl",
			Sends: []record.Send{{Node: "etl", Begin: begin, End: after(4), Result: record.ResultOK}},
		}, []record.NodeTime{{Node: "etl", Start: begin, Run: 4 * ms, Outcome: event.OutcomeError, Attempts: 1}}},
		"open when it was too late": {record.Record{
			Code:  code.Code_DEADLINE_EXCEEDED,
			Sends: []record.Send{{Node: "etl", Begin: begin, End: after(4), Result: record.ResultGaveUp}},
		}, []record.NodeTime{{Node: "etl", Start: begin, Run: 4 * ms, Outcome: event.OutcomeError, Attempts: 1}}},
		"replied, then ended": {record.Record{
			Steps: []record.Step{
				{Node: "etl", Start: after(1), Run: ms, Outcome: event.OutcomeReply},
				{Node: "etl", Start: after(1), Run: 5 * ms, Outcome: event.OutcomeOK},
			},
		}, []record.NodeTime{{Node: "etl", Start: after(1), Run: 5 * ms, Reported: true}}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, c.record.NodeTimes()) })
	}
}
