package dashboard

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/dashboard/sourcetest"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/letter/port"
	"krt.dev/kn-krt/pkg/queue"
	queueport "krt.dev/kn-krt/pkg/queue/port"
)

const lettersOfA = "/ns/team/versions/a-1/dead-letters"

// deadLetter is a letter of the step of a request.
func deadLetter(request string, step int) port.Letter {
	return port.Letter{
		Letter: letter.Letter{
			Kind: letter.Dead, ID: letter.DeadID(request, step), Workflow: "predict", Node: []string{"etl", "model"}[step], Step: step,
			Time: time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC), Message: "price.Row", Size: 9, Replays: 2, CausationID: "order-7",
			Status: &letter.Status{Code: "INTERNAL", Reason: "HANDLER_ERROR", Message: "no price for it\n  line 2"},
			Event:  map[string]string{"source": "/shop", "id": "7", "krtkeep": hostile},
		},
		Payload: &inspection.Payload{Type: "price.Row", Size: 9, JSON: json.RawMessage(`{"city":"NY","secret":"[redacted]"}`)},
	}
}

// withLetters is a source whose entrypoint has letters.
func withLetters(all ...port.Letter) (*sourcetest.Memory, *sourcetest.Letters) {
	m, letters := memory(), &sourcetest.Letters{}
	letters.Set(all, nil)
	m.Port = letters
	return m, letters
}

func TestDeadLettersPage(t *testing.T) {
	unlike := deadLetter(requestID, 0)
	unlike.ID, unlike.Message, unlike.Status.Message = "../actions/delete", "", hostile
	m, letters := withLetters(deadLetter(requestID, 1), unlike)
	letters.SetMore("older")
	server := serve(t, m)
	status, html := get(t, server, lettersOfA)
	require.Equal(t, http.StatusOK, status)
	for _, want := range []string{
		`href="/_krt` + lettersOfA + "/" + requestID + `/1"`, "model", "step 2", "INTERNAL", "no price for it", "2 ×", "9 B",
		"cannot be replayed", lettersOfA + "/all/replay", lettersOfA + "?before=older", `aria-current="page">Dead letters`,
	} {
		require.Contains(t, html, want)
	}
	require.NotContains(t, html, "<script>alert")
	require.NotContains(t, html, "<img src=x")
	require.NotContains(t, html, " style=")
	require.NotContains(t, html, "/dead-letters/..", "what is no id has no link")

	_, html = get(t, server, lettersOfA+"?workflow=other&before=older")
	require.Contains(t, html, "Workflow other has no dead letters.")
	require.Contains(t, html, `href="/_krt`+lettersOfA+`?workflow=other">Newest`)

	letters.Set(nil, nil)
	_, html = get(t, server, lettersOfA)
	require.Contains(t, html, "No event was given up on.")
	require.NotContains(t, html, "all/replay")
}

// That they cannot be read is said with the cause and what to do.
func TestDeadLettersThatCannotBeRead(t *testing.T) {
	m, letters := withLetters(deadLetter(requestID, 1))
	server := serve(t, m)
	letters.SetAway("the store does not respond: connection refused")
	for path, want := range map[string]int{"": http.StatusOK, "/" + requestID + "/1": http.StatusServiceUnavailable} {
		status, html := get(t, server, lettersOfA+path)
		require.Equal(t, want, status)
		require.Contains(t, html, "the store does not respond: connection refused.")
		require.Contains(t, html, "kn krt doctor")
		require.NotContains(t, html, "No event was given up on.")
	}
	m.Port = http.NotFoundHandler()
	_, html := get(t, server, lettersOfA)
	require.Contains(t, html, "older than what this page shows")
	require.Contains(t, html, "kn krt restart a-1")
	m.Port = nil
	_, html = get(t, server, lettersOfA)
	require.Contains(t, html, "no entrypoint is ready")
}

func TestOneDeadLetter(t *testing.T) {
	changed := deadLetter(strings.Repeat("b", 32), 1)
	changed.Node = "former"
	lost := deadLetter(strings.Repeat("c", 32), 1)
	lost.Message, lost.Payload, lost.Event = "", nil, nil
	m, _ := withLetters(deadLetter(requestID, 1), changed, lost)
	server := serve(t, m)
	status, html := get(t, server, lettersOfA+"/"+requestID+"/1")
	require.Equal(t, http.StatusOK, status)
	for _, want := range []string{
		"HANDLER_ERROR", "no price for it", "line 2", "&#34;city&#34;: &#34;NY&#34;", "[redacted]", "order-7", "/shop", "krtkeep",
		"Input of model",
		"/requests/" + requestID, "/logs?id=" + requestID, lettersOfA + "/" + requestID + "/1/replay", lettersOfA + "/" + requestID + "/1/delete",
	} {
		require.Contains(t, html, want)
	}
	require.NotContains(t, html, "<script>alert")
	require.NotContains(t, html, "<img src=x")

	_, html = get(t, server, lettersOfA+"/"+changed.ID)
	require.Contains(t, html, "The workflow has other nodes now: etl, model.")
	require.NotContains(t, html, changed.ID+"/replay")
	_, html = get(t, server, lettersOfA+"/"+lost.ID)
	require.Contains(t, html, "Its message was not kept. Send the request again.")
	require.Contains(t, html, lost.ID+"/delete")

	for _, path := range []string{"/" + strings.Repeat("d", 32) + "/1", "/x/1", "/" + requestID + "/x",
		"/" + requestID + "/1/burn", "/all/burn"} {
		status, html = get(t, server, lettersOfA+path)
		require.Equal(t, http.StatusNotFound, status, path)
	}
	require.Contains(t, html, "no such page")
}

func TestDeadLettersAreReplayedAndDeleted(t *testing.T) {
	one, lost := deadLetter(requestID, 1), deadLetter(strings.Repeat("c", 32), 0)
	lost.Message = ""
	m, letters := withLetters(one, lost)
	server := serve(t, m)
	give := func(path string) (at, html string) {
		_, html = get(t, server, lettersOfA+path)
		require.Contains(t, html, `<form method="post">`)
		response, _ := post(t, server, lettersOfA+path, url.Values{})
		require.Equal(t, http.StatusSeeOther, response.StatusCode)
		at = strings.TrimPrefix(response.Header.Get("Location"), "/_krt")
		_, html = get(t, server, at)
		return at, html
	}
	at, html := give("/" + one.ID + "/replay")
	require.Contains(t, html, "The replay has begun.")
	_, html = get(t, server, at)
	require.NotContains(t, html, "The replay has begun.", "it is said once")
	require.Equal(t, []string{one.ID}, letters.Replayed())

	at, html = give("/" + lost.ID + "/replay")
	require.Contains(t, at, lost.ID)
	require.Contains(t, html, "the letter has no event")

	_, html = give("/all/replay?workflow=predict")
	require.Contains(t, html, "The replays of 1 dead letter have begun.")
	require.Contains(t, html, "1 of 2 remain. The first: cannot replay the dead letter "+lost.ID)
	require.Len(t, letters.Replayed(), 2)
	_, html = give("/" + lost.ID + "/delete")
	require.Contains(t, html, "The dead letter was deleted.")
	require.Equal(t, 1, letters.Left())
	response, page := post(t, server, lettersOfA+"/"+lost.ID+"/delete", url.Values{})
	require.Equal(t, http.StatusNotFound, response.StatusCode)
	require.Contains(t, page, "There is no such dead letter")
	_, html = give("/all/delete")
	require.Contains(t, html, "1 dead letter deleted.")
	require.Zero(t, letters.Left())
	_, html = give("/all/replay")
	require.Contains(t, html, "There are no dead letters any more.")
}

func TestDeadLettersWithoutTheRight(t *testing.T) {
	for name, change := range map[string]func(*sourcetest.Memory, *Options){
		readOnlyReason: func(_ *sourcetest.Memory, o *Options) { o.ReadOnly = true },
		"You do not have the right to create pods/portforward.": func(m *sourcetest.Memory, _ *Options) {
			m.Reasons = map[source.Action]string{source.Letters: "You do not have the right to create pods/portforward."}
		},
		"What you may do is not known: connection refused": func(m *sourcetest.Memory, _ *Options) {
			m.Unasked = errors.New("connection refused")
		},
	} {
		m, letters := withLetters(deadLetter(requestID, 1))
		server := serve(t, m, func(o *Options) { change(m, o) })
		for _, path := range []string{"", "/" + requestID + "/1", "/" + requestID + "/1/replay", "/all/delete"} {
			status, html := get(t, server, lettersOfA+path)
			require.Equal(t, http.StatusOK, status)
			require.Contains(t, html, name, path)
			require.NotContains(t, html, `method="post"`)
			require.NotContains(t, html, `/replay"`)
		}
		for _, path := range []string{"/" + requestID + "/1/replay", "/" + requestID + "/1/delete", "/all/replay", "/all/delete"} {
			response, html := post(t, server, lettersOfA+path, url.Values{})
			require.Equal(t, http.StatusForbidden, response.StatusCode)
			require.Contains(t, html, name)
		}
		require.Equal(t, 1, letters.Left())
		require.Empty(t, letters.Replayed())
	}
}

// An open page follows what happens, also after the store was away.
func TestDeadLettersAreLive(t *testing.T) {
	m, letters := withLetters(deadLetter(requestID, 1))
	next := events(t, serve(t, m), lettersOfA+"/events")
	await := func(text string) {
		t.Helper()
		for end := time.Now().Add(time.Minute); time.Now().Before(end); {
			if _, all := until(next); strings.Contains(all, text) {
				return
			}
		}
		t.Fatalf("%q never came", text)
	}
	await("no price for it")
	letters.SetAway("the store is away")
	await("the store is away")
	letters.SetAway("")
	letters.Set(nil, nil)
	await("No event was given up on.")
}

func TestQueuePage(t *testing.T) {
	v := example("a-1", source.Ready)
	m := sourcetest.New(v)
	letters := &sourcetest.Letters{}
	m.Port = letters
	server := serve(t, m)
	const at = "/ns/team/versions/a-1/queue"
	status, html := get(t, server, at)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, html, "a-1 has no queue: its delivery is Direct.")
	require.NotContains(t, html, ">Queue</a>")

	v.Delivery = "Durable"
	m.Set(v)
	letters.Set(nil, &queueport.Report{Problem: "dead letters cannot be counted: " + hostile, Status: queue.Status{
		Stream: "KRT_team_a-1", Events: 1236, Bytes: 3 << 20, MaxBytes: 256 << 20, Replicas: 3, Steps: []queue.StepStatus{
			{Workflow: "predict", Index: 0, Node: "etl"},
			{Workflow: "predict", Index: 1, Node: "model", Waiting: 1200, Work: 31, Redelivered: 4, Dead: 5, Oldest: time.Now().Add(-time.Hour)},
			{Workflow: "predict", Index: 2, Node: hostile, Waiting: 4, Former: true},
			{Workflow: "predict", Index: 3, Node: "done", Former: true},
			{Workflow: "predict", Index: 2, Node: queue.Postbox, Waiting: 1},
		}}})
	_, html = get(t, server, at)
	for _, want := range []string{
		"Reachable", "1236 events, 3.0 MiB of 256.0 MiB", "KRT_team_a-1 on 3 servers", ">1200<", ">31<", "former step 3",
		"kn krt queue drop a-1 -n team --node NODE", "to the store", "Results and dead letters wait",
		"dead letters cannot be counted", `dead-letters?workflow=predict">5<`,
		`aria-current="page">Queue`,
	} {
		require.Contains(t, html, want)
	}
	require.NotContains(t, html, "former step 4", "nothing is left of it")
	require.NotContains(t, html, "<script>alert")
	require.NotContains(t, html, "<img src=x")

	letters.SetAway("the queue at nats://krt-queue: no responders")
	_, html = get(t, server, at)
	require.Contains(t, html, "The queue is not known")
	require.Contains(t, html, "the queue at nats://krt-queue: no responders.")
	next := events(t, server, at+"/events")
	letters.SetAway("")
	for seen := ""; !strings.Contains(seen, "Reachable"); {
		_, seen = until(next)
	}
}
