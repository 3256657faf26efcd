package browser

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard"
	"krt.dev/kn-krt/pkg/dashboard/sourcetest"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/letter"
	letterport "krt.dev/kn-krt/pkg/letter/port"
	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/pkg/queue/port"
)

// sendAsync sends a request of a workflow for whose response nobody waits, and returns its id.
func (e event) sendAsync(t *testing.T, workflow, data string) (id string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+e.Web+"/workflows/"+workflow, strings.NewReader(data))
	require.NoError(t, err)
	for name, value := range map[string]string{
		"Content-Type": "application/json", "Ce-Specversion": "1.0", "Ce-Id": "<b>7</b>", "Ce-Source": "/shop", "Ce-Type": "order",
		"Prefer": "respond-async",
	} {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	require.Equal(t, http.StatusAccepted, response.StatusCode)
	return response.Header.Get("Krt-Correlation-Id")
}

// What failed while nobody waited is seen as it comes, shown with its message, replayed and deleted.
func TestDeadLettersOfARun(t *testing.T) {
	v := run(t, scene(t))
	ready := v.await("ready")
	p := newPage(t, desktop)
	p.open(v.of("scene-v1", ""))
	p.press("link", "Dead letters")
	p.awaitText("main", "No event was given up on.")
	require.False(t, p.has("link", "Queue"), "a run has none")

	id := ready.sendAsync(t, "predict", quote(askFailure))
	p.awaitText("#letters tbody", "<b>no</b> price for it")
	eval[bool](p, "document.querySelector('#letters tbody a').click(), true")
	p.awaitText("main", id+"/0")
	p.awaitText("main", "Input of etl")
	p.awaitText("main", "HANDLER_ERROR")
	p.awaitText("main", "<b>7</b>")
	require.True(t, eval[bool](p, "!document.querySelector('main b')"))

	p.press("link", "Replay")
	p.awaitRole("heading", "Replay a dead letter")
	p.press("button", "Replay")
	p.awaitText("main", "The replay has begun.")
	p.awaitText("#letters tbody", "1 ×") // it has failed again
	eval[bool](p, "document.querySelector('#letters tbody a').click(), true")
	p.press("link", "Delete")
	p.awaitText("main", "This cannot be undone.")
	p.press("button", "Delete")
	p.awaitText("main", "The dead letter was deleted.")
	p.awaitText("main", "No event was given up on.")
}

// someLetters are n dead letters.
func someLetters(workflow string, n int) (all []letterport.Letter) {
	for i := range n {
		request := strings.Repeat("0123456789abcdef"[i%16:i%16+1], 32)
		all = append(all, letterport.Letter{
			Letter: letter.Letter{
				Kind: letter.Dead, ID: letter.DeadID(request, 1), Workflow: workflow, Node: "model", Step: 1, Replays: i,
				Time: time.Now().Add(-time.Duration(i) * time.Minute), Message: "price.House", Size: 120, CausationID: "order-4711",
				Status: &letter.Status{Code: "UNAVAILABLE", Reason: "NODE_UNREACHABLE",
					Message: `node "model" could not be reached: connection refused, after 4 attempts`},
				Event: map[string]string{"id": "4711", "source": "/shops/berlin", "type": "order", "time": "2026-11-28T12:00:00Z"},
			},
			Payload: &inspection.Payload{Type: "price.House", Size: 120, JSON: json.RawMessage(`{"rooms":4,"city":"Berlin","owner":"[redacted]"}`)},
		})
	}
	return all
}

// someQueue is a queue whose second step is behind.
func someQueue(workflow string) *port.Report {
	return &port.Report{Status: queue.Status{
		Stream: "KRT_team_price-estimator-v1", Events: 1236, Bytes: 3 << 20, MaxBytes: 256 << 20, Replicas: 3, Steps: []queue.StepStatus{
			{Workflow: workflow, Index: 0, Node: "etl"},
			{Workflow: workflow, Index: 1, Node: "model", Waiting: 1200, Work: 32, Redelivered: 4, Dead: 3, Oldest: time.Now().Add(-time.Hour)},
			{Workflow: workflow, Index: 2, Node: "former-output", Waiting: 4, Former: true, Oldest: time.Now().Add(-26 * time.Hour)},
		}}}
}

// serveDurable serves a version with a queue and dead letters, and returns its URL.
func serveDurable(t *testing.T, readOnly bool) (at string, letters *sourcetest.Letters) {
	t.Helper()
	v := published()
	v.Name, v.Delivery = "price-estimator-v1", "Durable"
	m := sourcetest.New(v)
	letters = &sourcetest.Letters{}
	letters.Set(someLetters(v.Workflows[0].Name, 3), someQueue(v.Workflows[0].Name))
	m.Port = letters
	home := site(t, dashboard.New(dashboard.Options{Sources: dashboard.One(m), Title: "test", ReadOnly: readOnly}))
	return home + "/ns/" + v.Namespace + "/versions/" + v.Name, letters
}

// On the smallest phone, in both themes, nothing is wider than the screen, and the queue is followed.
func TestTheQueueOnAPhone(t *testing.T) {
	at, letters := serveDurable(t, false)
	p := newPage(t, look{width: 320, height: 640, dark: true})
	p.open(at + "/queue")
	p.awaitText("#queue", "Reachable")
	p.awaitText("#queue", "former step 3")
	require.Empty(t, eval[string](p, tooWide))
	letters.SetAway("the queue at nats://krt-queue: no responders")
	p.awaitText("#queue", "The queue is not known")
	p.awaitText("#queue", "no responders")
	letters.SetAway("")
	letters.Set(nil, &port.Report{Status: queue.Status{Stream: "s", Replicas: 1}})
	p.awaitText("#queue", "0 events")
	letters.Set(someLetters("predict", 3), nil)
	for _, page := range []string{"/dead-letters", "/dead-letters/" + strings.Repeat("0", 32) + "/1", "/dead-letters/all/delete"} {
		p.open(at + page)
		p.awaitRole("main", "")
		require.Empty(t, eval[string](p, tooWide), page)
	}
	p.press("button", "Delete")
	p.awaitText("main", "3 dead letters deleted.")
	require.Zero(t, letters.Left())
}

// Who may only read sees everything, and no way to change it.
func TestDeadLettersReadOnly(t *testing.T) {
	at, letters := serveDurable(t, true)
	p := newPage(t, desktop)
	p.open(at + "/dead-letters")
	p.awaitText("#letters", "This dashboard is read-only.")
	require.False(t, p.has("link", "Replay all"))
	eval[bool](p, "document.querySelector('#letters tbody a').click(), true")
	p.awaitText("main", "order-4711")
	require.True(t, eval[bool](p, `[...document.querySelectorAll(".card.request button")].every((b) => b.disabled)`))
	p.allow("403")
	require.Equal(t, http.StatusForbidden, eval[int](p, `(() => { const x = new XMLHttpRequest();
		x.open("POST", location.pathname + "/delete", false); x.send(); return x.status })()`))
	require.Equal(t, 3, letters.Left())
}
