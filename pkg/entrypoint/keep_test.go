package entrypoint_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"google.golang.org/genproto/googleapis/rpc/code"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/entrypoint/mail"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/runner/event"
)

// letters is a store of letters in memory, which may be away. That of package store, behind its server, is
// tested with the entrypoint in package program.
type letters struct {
	mu   sync.Mutex
	all  map[string]letter.Letter
	away atomic.Bool
	// refuses says that dead letters are refused for good.
	refuses atomic.Bool
	// read is called when a dead letter has been read.
	read func()
}

func (s *letters) Put(_ context.Context, l letter.Letter) error {
	if s.away.Load() {
		return errors.New("the store does not respond")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l = l.Legal()
	if err := l.Check(); err != nil || l.Kind == letter.Dead && s.refuses.Load() {
		return &letter.Error{Status: http.StatusBadRequest, Text: fmt.Sprint("refused: ", err)}
	}
	claim, claimed := s.all[string(l.Kind)+" "+l.ID]
	if l.Kind == letter.Claim && claimed && claim.Expires.IsZero() && claim.CausationID != l.CausationID {
		return &letter.Error{Status: http.StatusConflict, Text: "claimed"}
	}
	l.Data = append([]byte(nil), l.Data...)
	s.all[string(l.Kind)+" "+l.ID] = l
	return nil
}

func (s *letters) Get(_ context.Context, kind letter.Kind, _, id string) (*letter.Letter, error) {
	s.mu.Lock()
	l, ok := s.all[string(kind)+" "+id]
	s.mu.Unlock()
	if kind == letter.Dead && s.read != nil {
		s.read()
	}
	if !ok {
		return nil, letter.ErrNotFound
	}
	return &l, nil
}

func (s *letters) Delete(_ context.Context, kind letter.Kind, _, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, string(kind)+" "+id)
	return nil
}

func (s *letters) List(context.Context, letter.Kind, letter.Selection) (letter.Page, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var page letter.Page
	for _, l := range s.all {
		page.Letters = append(page.Letters, l)
	}
	return page, nil
}

func (s *letters) count(kind letter.Kind) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.all {
		if l.Kind == kind {
			n++
		}
	}
	return n
}

// awaitLetter waits until a letter is kept.
func (s *letters) await(t *testing.T, kind letter.Kind, id string) (l *letter.Letter) {
	t.Helper()
	require.Eventually(t, func() (ok bool) {
		var err error
		l, err = s.Get(t.Context(), kind, "v1", id)
		return err == nil
	}, time.Minute, time.Millisecond, "%s %s", kind, id)
	return l
}

// gone waits until a letter is not kept any more.
func (s *letters) gone(t *testing.T, kind letter.Kind, id string) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, err := s.Get(t.Context(), kind, "v1", id)
		return errors.Is(err, letter.ErrNotFound)
	}, time.Minute, time.Millisecond)
}

// keeping are options of an entrypoint that keeps letters.
func keeping(t *testing.T) (entrypoint.Options, *letters) {
	t.Helper()
	o, s := quick(), &letters{all: map[string]letter.Letter{}}
	o.Mail = mail.New(s, o.Logger)
	t.Cleanup(func() { o.Mail.Close(time.Minute) })
	return o, s
}

// accepted sends an event for whose response nobody waits, and returns the id of the request.
func (f *fixture) accepted() string {
	f.t.Helper()
	res := f.send(http.MethodPost, "/workflows/flow", `{"text":"x"}`, append(producer(), "Prefer", "respond-async")...)
	require.Equal(f.t, http.StatusAccepted, res.StatusCode)
	return res.Header.Get("Krt-Correlation-Id")
}

// result fetches the result of a request.
func (f *fixture) result(id string, header ...string) (int, string) {
	res := f.request(http.MethodGet, f.web+"/workflows/flow/results/"+id, "", header...)
	return res.status, res.body
}

// ended fetches the result of a request as soon as that is not in work any more.
func (f *fixture) ended(id string) (status int, body string) {
	f.t.Helper()
	require.Eventually(f.t, func() bool {
		status, body = f.result(id)
		return status != http.StatusAccepted
	}, time.Minute, time.Millisecond, "%s", id)
	return status, body
}

func TestTheResultOfAnAsynchronousRequestIsKept(t *testing.T) {
	f := newFixture(t)
	goOn := make(chan struct{})
	v := f.version(node(t, "a", func(ctx context.Context, in *event.Event) (int, *event.Event) {
		<-goOn
		return f.says("a", true)(ctx, in)
	}))
	v.Results = time.Hour
	o, s := keeping(t)
	f.serve(v, o)
	id := f.accepted()
	status, _ := f.result(id)
	require.Equal(t, http.StatusAccepted, status, "it is in work")
	close(goOn)
	l := s.await(t, letter.Result, id)
	require.WithinDuration(t, time.Now().Add(time.Hour), l.Expires, time.Minute)
	require.Equal(t, "flow", l.Workflow)
	status, body := f.ended(id)
	require.Equal(t, http.StatusOK, status)
	require.JSONEq(t, `{"text": "x>a", "payload": ""}`, body)
	status, body = f.result(id, "Accept", "application/protobuf")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "x>a", f.textOf([]byte(body)))
	status, body = f.result(id, "Accept", "application/cloudevents+json")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, `"type":"test.Reply"`)
	for _, other := range []string{strings.Repeat("0", 32), "x", strings.ToUpper(id)} {
		status, body = f.result(other)
		require.Equal(t, http.StatusNotFound, status, body)
	}
	require.Zero(t, s.count(letter.Dead))
}

func TestAResultThatIsAFailureIsThatFailure(t *testing.T) {
	f := newFixture(t)
	v := f.version(node(t, "a", func(context.Context, *event.Event) (int, *event.Event) { return http.StatusInternalServerError, nil }))
	v.Results = time.Hour
	o, s := keeping(t)
	f.serve(v, o)
	id := f.accepted()
	l := s.await(t, letter.Result, id)
	require.Equal(t, "UNAVAILABLE", l.Status.Code)
	status, body := f.ended(id)
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, body, `node \"a\"`)
}

func TestOnlyResultsThatNobodyWaitsForAreKept(t *testing.T) {
	f := newFixture(t)
	v := f.version(node(t, "a", f.says("a", true)))
	v.Results = time.Hour
	o, s := keeping(t)
	f.serve(v, o)
	_, err := f.call(t.Context(), "x")
	require.NoError(t, err)
	s.await(t, letter.Result, f.accepted())
	require.Equal(t, 1, s.count(letter.Result))
}

func TestWithoutResultsTheTextSaysSo(t *testing.T) {
	f := newFixture(t)
	o, s := keeping(t)
	f.serve(f.version(node(t, "a", f.says("a", true))), o)
	id := f.accepted()
	f.awaitIdle()
	status, body := f.result(id)
	require.Equal(t, http.StatusNotFound, status)
	require.Contains(t, body, "keeps no results")
	require.Zero(t, s.count(letter.Result))
}

// A letter has what the failing step has got, and its replay goes on there.
func TestADeadLetterIsReplayedAtItsStep(t *testing.T) {
	f := newFixture(t)
	var first, second atomic.Int32
	var works atomic.Bool
	v := f.version(
		node(t, "a", func(ctx context.Context, in *event.Event) (int, *event.Event) {
			first.Add(1)
			return f.says("a", false)(ctx, in)
		}),
		node(t, "b", func(ctx context.Context, in *event.Event) (int, *event.Event) {
			second.Add(1)
			if !works.Load() {
				return http.StatusInternalServerError, nil
			}
			return f.says("b", true)(ctx, in)
		}))
	v.Results = time.Hour
	o, s := keeping(t)
	f.serve(v, o)
	id := f.accepted()
	l := s.await(t, letter.Dead, id+"/1")
	require.Equal(t, "b", l.Node)
	require.Equal(t, "x>a", f.textOf(l.Data))
	require.Equal(t, "test.Request", l.Message)
	require.NotContains(t, l.Event, "krtreply")
	require.Contains(t, l.Status.Message, `node "b" responded with HTTP 500`)
	require.Contains(t, f.metrics(), `krt_dead_letters_total{node="b",workflow="flow"} 1`)
	f.awaitIdle()

	status, text := f.replay(id + "/1") // it fails again
	require.Equal(t, http.StatusAccepted, status, text)
	require.Eventually(t, func() bool { return s.await(t, letter.Dead, id+"/1").Replays == 1 }, time.Minute, time.Millisecond)
	f.awaitIdle()

	works.Store(true)
	require.Eventually(t, func() bool { // the one before has ended
		status, text = f.replay(id + "/1")
		return status != http.StatusConflict
	}, time.Minute, time.Millisecond)
	require.Equal(t, http.StatusAccepted, status, text)
	s.gone(t, letter.Dead, id+"/1")
	require.EqualValues(t, 1, first.Load(), "the step before ran once")
	require.EqualValues(t, 9, second.Load(), "two deliveries with their retries, and one")
	status, body := f.ended(id)
	require.Equal(t, http.StatusOK, status)
	require.JSONEq(t, `{"text": "x>a>b", "payload": ""}`, body)
	status, text = f.replay(id + "/1")
	require.Equal(t, http.StatusNotFound, status, text)
}

func TestAReplayIsRefusedOnceTheNodesHaveChanged(t *testing.T) {
	f := newFixture(t)
	o, s := keeping(t)
	f.serve(f.version(node(t, "a", func(context.Context, *event.Event) (int, *event.Event) { return http.StatusInternalServerError, nil })), o)
	id := f.accepted()
	s.await(t, letter.Dead, id+"/0")
	f.awaitIdle()
	_, err := f.entry.Update(f.version(node(t, "other", f.says("other", true))))
	require.NoError(t, err)
	status, text := f.replay(id + "/0")
	require.Equal(t, http.StatusConflict, status)
	require.Contains(t, text, `step 1 of workflow "flow" was node "a", and its nodes are now other`)
	require.Equal(t, 1, s.count(letter.Dead))
}

// The runner of a node sends what its handler has failed with, and the event that it got.
func TestANodesDeadLetterIsKept(t *testing.T) {
	for _, delivery := range []string{"Direct", "Sequence"} {
		t.Run(delivery, func(t *testing.T) {
			f := newFixture(t)
			o, s := keeping(t)
			fails := handle(func(_ context.Context, in *event.Event) (int, *event.Event) {
				header := http.Header{}
				failed := event.Failure{Code: code.Code_INTERNAL, Reason: event.ReasonHandlerError, Text: "error in 'a': no", Node: "a"}
				dead := *in
				dead.Steps = dead.Steps.Append(event.Step{Node: "a", Start: time.Now(), SpanID: [8]byte{1}, Outcome: event.OutcomeError})
				dead.WriteDead(header, failed.Status())
				if in.Keep != event.KeepDead || !in.Replied || f.postWith("/dead-letter", header, in.Data) != http.StatusAccepted {
					return http.StatusInternalServerError, nil
				}
				return http.StatusAccepted, &event.Event{}
			})
			v := f.version(node(t, "a", fails))
			if delivery == "Sequence" {
				v.Workflows[0].Address = node(t, "sequence", fails).URL
			}
			f.serve(v, o)
			id := f.accepted()
			l := s.await(t, letter.Dead, id+"/0")
			require.Equal(t, "error in 'a': no", l.Status.Message)
			require.Equal(t, "HANDLER_ERROR", l.Status.Reason)
			require.Equal(t, "x", f.textOf(l.Data))
			f.awaitIdle()
			require.Equal(t, 1, s.count(letter.Dead))
		})
	}
}

// What Knative gives up on comes with the event, and is replayed without the Sequence.
func TestASequencesDeadLetterIsKeptAndReplayed(t *testing.T) {
	f := newFixture(t)
	o, s := keeping(t)
	v := f.version(node(t, "a", f.says("a", false)), node(t, "b", f.says("b", true)))
	v.Results = time.Hour
	v.Workflows[0].Address = node(t, "sequence", func(ctx context.Context, in *event.Event) (int, *event.Event) {
		_, next := f.says("a", false)(ctx, in)
		next.Steps = next.Steps.Append(event.Step{Node: "a", Start: time.Now(), SpanID: [8]byte{1}})
		next.ReplyToken, next.CorrelationID, next.Workflow, next.Keep, next.Replied = in.ReplyToken, in.CorrelationID, in.Workflow, in.Keep, true
		f.post("/dead-letter", next, "Ce-Knativeerrorcode", "503", "Ce-Knativeerrordest", "http://v1-b.test.svc")
		return http.StatusAccepted, &event.Event{}
	}).URL
	f.serve(v, o)
	id := f.accepted()
	l := s.await(t, letter.Dead, id+"/1")
	require.Equal(t, "b", l.Node)
	require.Equal(t, "x>a", f.textOf(l.Data))
	f.awaitIdle()
	status, text := f.replay(id + "/1")
	require.Equal(t, http.StatusAccepted, status, text)
	s.gone(t, letter.Dead, id+"/1")
	require.Equal(t, "x>a>b", f.textOf(s.await(t, letter.Result, id).Data))
}

// A client that waits gets the failure, and nothing is kept.
func TestAWaitingClientsFailureIsNoLetter(t *testing.T) {
	f := newFixture(t)
	o, s := keeping(t)
	f.serve(f.version(node(t, "a", func(context.Context, *event.Event) (int, *event.Event) { return http.StatusInternalServerError, nil })), o)
	_, err := f.call(t.Context(), "x")
	require.Error(t, err)
	f.awaitIdle()
	require.Zero(t, s.count(letter.Dead))
}

// Another replica that is gone has accepted the work: whatever of it comes is kept by any, also if an entrypoint of
// another version has got its address.
func TestWhatComesOfALostReplicasWorkIsKept(t *testing.T) {
	t.Run("nothing is there", func(t *testing.T) { keepsOfLost(t, "127.0.0.1:1") })
	t.Run("another version is", func(t *testing.T) {
		stranger := newFixture(t)
		stranger.serve(stranger.version(node(t, "a", stranger.says("a", true))), quick())
		keepsOfLost(t, strings.TrimPrefix(stranger.reply, "http://"))
		require.Contains(t, stranger.metrics(), `krt_replies_dropped_total{reason="bad_token"} 2`)
	})
}

// keepsOfLost loses a replica that has told the nodes that it is at an address.
func keepsOfLost(t *testing.T, address string) {
	t.Helper()
	f := newFixture(t)
	o, s := keeping(t)
	o.Key = make([]byte, 32)
	sent := make(chan *event.Event, 8)
	goOn := make(chan struct{})
	v := f.version(node(t, "a", func(_ context.Context, in *event.Event) (int, *event.Event) {
		sent <- in
		<-goOn
		return http.StatusInternalServerError, nil
	}))
	v.Results = time.Hour
	lost := o
	lost.Mail, lost.Advertise = mail.New(&letters{all: map[string]letter.Letter{}}, o.Logger), address
	other := newFixture(t)
	other.serve(v, lost)
	id := other.accepted()
	in := <-sent
	f.serve(v, o)
	t.Cleanup(func() { close(goOn) })

	last := in.Next("/krt/test/v1/a", event.TypeMessage, "test.Reply", f.text("test.Reply", "done"))
	require.Equal(t, http.StatusAccepted, f.post("/reply", last))
	require.Equal(t, "done", f.textOf(s.await(t, letter.Result, id).Data))
	dead := []string{"Ce-Knativeerrorcode", "503", "Ce-Knativeerrordest", "http://v1-a.test.svc"}
	require.Equal(t, http.StatusAccepted, f.post("/dead-letter", in, dead...))
	require.Equal(t, "x", f.textOf(s.await(t, letter.Dead, id+"/0").Data))
}
