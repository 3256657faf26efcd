package source

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/logline"
)

func TestLogQuery(t *testing.T) {
	l := logline.Parse(`2026-11-22T22:50:56Z {"level":"WARN","msg":"Zu lang\n","workflow":"w","correlationid":"c","n":3}`)
	l.Node = "etl"
	for name, test := range map[string]struct {
		q    LogQuery
		want bool
	}{
		"all":              {LogQuery{}, true},
		"tail":             {LogQuery{Tail: 1}, true},
		"node":             {LogQuery{Nodes: []string{"model", "etl"}}, true},
		"another node":     {LogQuery{Nodes: []string{EntrypointNode}}, false},
		"level":            {LogQuery{Level: logline.Warn}, true},
		"a higher level":   {LogQuery{Level: logline.Error}, false},
		"workflow":         {LogQuery{Workflow: "w", ID: "c"}, true},
		"another workflow": {LogQuery{Workflow: "v"}, false},
		"another request":  {LogQuery{ID: "d"}, false},
		"text":             {LogQuery{Text: "zu LANG"}, true},
		"text of a field":  {LogQuery{Text: "n=3"}, true},
		"text of the JSON": {LogQuery{Text: `"n":3`}, true},
		"another text":     {LogQuery{Text: "kurz"}, false},
		"time":             {LogQuery{From: l.Time, To: l.Time}, true},
		"later":            {LogQuery{From: l.Time.Add(time.Second)}, false},
		"earlier":          {LogQuery{To: l.Time.Add(-time.Second)}, false},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.want, test.q.Match(&l)) })
	}
	plain := logline.Line{Text: "plain"}
	require.True(t, (&LogQuery{Level: logline.Info}).Match(&plain))
	require.False(t, (&LogQuery{Workflow: "w"}).Match(&plain))
}
