package mail_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"

	"krt.dev/kn-krt/pkg/entrypoint/mail"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/runner/event"
)

// store responds to each Put as put says.
type store struct {
	letter.Client // nothing else is called

	put func(n int, l letter.Letter) error
	mu  sync.Mutex
	n   int
}

func (s *store) Put(_ context.Context, l letter.Letter) error {
	s.mu.Lock()
	s.n++
	n := s.n
	s.mu.Unlock()
	return s.put(n, l)
}

func (s *store) Get(_ context.Context, kind letter.Kind, version, id string) (*letter.Letter, error) {
	return &letter.Letter{Kind: kind, Version: version, ID: id}, nil
}

func (s *store) List(context.Context, letter.Kind, letter.Selection) (letter.Page, error) {
	return letter.Page{}, nil
}

func newBox(put func(int, letter.Letter) error) *mail.Box {
	return mail.New(&store{put: put}, slog.New(slog.DiscardHandler))
}

// counts requires how many dead letters a box has kept, and dropped.
func counts(t *testing.T, b *mail.Box, kept, dropped float64) {
	t.Helper()
	r := prometheus.NewRegistry()
	require.NoError(t, r.Register(b))
	families, err := r.Gather()
	require.NoError(t, err)
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			values[f.GetName()+" "+m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
		}
	}
	require.Equal(t, map[string]float64{
		"krt_letters_dropped_total dead": dropped, "krt_letters_dropped_total result": 0,
		"krt_letters_kept_total dead": kept, "krt_letters_kept_total result": 0,
	}, values)
}

func TestALetterIsSavedOnceTheStoreIsBack(t *testing.T) {
	b := newBox(func(n int, _ letter.Letter) error {
		switch n {
		case 1:
			return errors.New("the store does not respond")
		case 2:
			return &letter.Error{Status: http.StatusForbidden, Text: "the credential is not valid"}
		}
		return nil
	})
	freed, known := make(chan struct{}), make(chan bool, 1)
	b.Keep(letter.Letter{Kind: letter.Dead, ID: "a/0"}, func() { close(freed) }, func(kept bool) { known <- kept })
	require.True(t, b.Saving(letter.Dead, "a/0"))
	require.True(t, <-known)
	<-freed
	b.Close(time.Minute)
	require.False(t, b.Saving(letter.Dead, "a/0"))
	counts(t, b, 1, 0)
}

func TestALetterThatIsRefusedIsDropped(t *testing.T) {
	b := newBox(func(int, letter.Letter) error { return &letter.Error{Status: http.StatusBadRequest, Text: "no"} })
	freed, known := make(chan struct{}), make(chan bool, 1)
	b.Keep(letter.Letter{Kind: letter.Dead, ID: "a/0"}, func() { close(freed) }, func(kept bool) { known <- kept })
	<-freed
	require.False(t, <-known)
	b.Close(time.Minute)
	counts(t, b, 0, 1)
	require.Error(t, b.Save(t.Context(), letter.Letter{Kind: letter.Dead, ID: "a/0"}))
}

func TestWhatWaitsIsBounded(t *testing.T) {
	goOn := make(chan struct{})
	b := newBox(func(int, letter.Letter) error { <-goOn; return nil })
	large := letter.Letter{Kind: letter.Dead, ID: "a/0", Data: make([]byte, letter.MaxData)}
	for range 8 {
		b.Keep(large, nil, nil)
	}
	freed, kept := false, true
	b.Keep(large, func() { freed = true }, func(now bool) { kept = now }) // the ninth does not fit into 64 MiB
	require.True(t, freed)
	require.False(t, kept)
	close(goOn)
	b.Close(time.Minute)
	counts(t, b, 8, 1)
}

// Replays take hours where nodes do, and results and dead letters of others must have room meanwhile.
func TestClaimsTakeNoRoom(t *testing.T) {
	b := newBox(func(int, letter.Letter) error { return nil })
	var claimed []*mail.Replayed
	for i := range 5000 {
		x, refusal := b.Claim(t.Context(), "v1", letter.DeadID(strconv.Itoa(i), 0))
		require.Nil(t, refusal)
		claimed = append(claimed, x)
	}
	kept := make(chan bool, 1)
	b.Keep(letter.Letter{Kind: letter.Dead, ID: "a/0"}, nil, func(now bool) { kept <- now })
	require.True(t, <-kept)
	for _, x := range claimed {
		x.Release()
	}
	b.Close(time.Minute)
	_, refusal := b.Claim(t.Context(), "v1", "a/0")
	require.Equal(t, http.StatusServiceUnavailable, refusal.Status)
}

// Who replays a letter is not told to try again what only an upgrade, or more room, can change.
func TestRefusalsOfAClaim(t *testing.T) {
	for text, c := range map[string]struct {
		err    error
		status int
		again  string
	}{
		"does not know claims of dead letters: it is older": {
			&letter.Error{Status: http.StatusBadRequest, Text: `kind: "claim" is not result or dead`}, http.StatusConflict, ""},
		"no room left": {
			&letter.Error{Status: http.StatusInsufficientStorage, Text: "no room left"}, http.StatusConflict, ""},
		"as many dead letters at a time as it may": {
			&letter.Error{Status: http.StatusTooManyRequests, Text: "as many dead letters at a time as it may"}, http.StatusServiceUnavailable, "1"},
		"does not know letters": {letter.ErrOld, http.StatusConflict, ""},
		"does not respond":      {errors.New("the store does not respond"), http.StatusServiceUnavailable, "1"},
	} {
		b := newBox(func(int, letter.Letter) error { return c.err })
		_, refusal := b.Claim(t.Context(), "v1", "a/0")
		w := httptest.NewRecorder()
		refusal.Write(w, "a/0")
		require.Equal(t, c.status, w.Code, text)
		require.Equal(t, c.again, w.Header().Get("Retry-After"), text)
		require.Contains(t, w.Body.String(), text)
		b.Close(time.Minute)
	}
}

// Nothing is given back by who was refused.
func TestAClaimThatIsRefusedIsNotGivenBack(t *testing.T) {
	var puts atomic.Int32
	b := newBox(func(int, letter.Letter) error {
		puts.Add(1)
		return &letter.Error{Status: http.StatusConflict}
	})
	_, refusal := b.Claim(t.Context(), "v1", "a/0")
	require.Equal(t, http.StatusConflict, refusal.Status)
	b.Close(time.Minute)
	require.EqualValues(t, 1, puts.Load())
}

func TestCloseEndsWhatTakesTooLong(t *testing.T) {
	b := newBox(func(int, letter.Letter) error { return errors.New("the store does not respond") })
	b.Keep(letter.Letter{Kind: letter.Dead, ID: "a/0"}, nil, nil)
	b.Close(time.Millisecond)
	counts(t, b, 0, 1)
	b.Keep(letter.Letter{Kind: letter.Dead, ID: "b/0"}, nil, nil)
	counts(t, b, 0, 2)
}

func TestABoxThatIsNoneKeepsNothing(t *testing.T) {
	var b *mail.Box
	freed, kept := false, true
	b.Keep(letter.Letter{}, func() { freed = true }, func(now bool) { kept = now })
	b.Close(0)
	require.True(t, freed)
	require.False(t, kept)
}

// given is an event that node b of a workflow has got.
func given() (mail.Origin, *event.Event) {
	steps := event.Steps("").Append(event.Step{Node: "a", Start: time.Now(), SpanID: [8]byte{1}})
	return mail.Origin{Version: "v1", Workflow: "flow", Nodes: []string{"a", "b", "a"}}, &event.Event{
		ID: "1", Source: "/krt/ns/v1/ä", Type: event.TypeMessage, Message: "pkg.M", CorrelationID: "c", CausationID: "x%20y",
		Workflow: "flow", Deadline: time.Now(), Replied: true, ReplyToken: "secret", Keep: event.KeepResult, Steps: steps,
	}
}

func TestADeadLetterIsReplayedAsItWas(t *testing.T) {
	o, e := given()
	failed := event.Failure{Code: code.Code_INTERNAL, Reason: "R", Text: "no"}.Status()
	l := o.Dead(e, -1, "b", failed, []byte("data"))
	require.NoError(t, l.Check())
	require.Equal(t, "c/1", l.ID)
	require.Equal(t, "b", l.Node)
	for _, value := range l.Event {
		require.NotContains(t, value, "secret")
	}
	again, err := o.Replay(&l)
	require.NoError(t, err)
	require.Equal(t, e.ID, again.ID)
	require.Equal(t, e.Source, again.Source)
	require.Equal(t, e.CausationID, again.CausationID)
	require.Equal(t, event.KeepResult, again.Keep)
	require.Equal(t, "pkg.M", again.Message)
}

func TestTheStepIsThatAfterThosePassed(t *testing.T) {
	o, e := given()
	require.Equal(t, 1, o.Step(e, "b"))
	require.Equal(t, 1, o.Step(e, ""))
	require.Equal(t, 0, o.Step(e, "a"), "it is not at the step after")
	e.Steps = e.Steps.Append(event.Step{Node: "b", Start: time.Now(), SpanID: [8]byte{2}})
	require.Equal(t, 2, o.Step(e, "a"), "the second of two of a node")
	require.Equal(t, 2, o.Step(e, "unknown"))
}

func TestWhatCannotBeReplayedSaysWhy(t *testing.T) {
	o, e := given()
	failed := event.Failure{Code: code.Code_INTERNAL}.Status()
	whole := o.Dead(e, 1, "b", failed, nil)
	for name, c := range map[string]struct {
		change func(*mail.Origin, *letter.Letter)
		want   string
	}{
		"another node":  {func(o *mail.Origin, _ *letter.Letter) { o.Nodes = []string{"a", "c"} }, `was node "b", and its nodes are now a, c`},
		"fewer nodes":   {func(o *mail.Origin, _ *letter.Letter) { o.Nodes = []string{"a"} }, "the version has changed since"},
		"no event":      {func(_ *mail.Origin, l *letter.Letter) { l.Message = "" }, "the letter has no event"},
		"not an event":  {func(_ *mail.Origin, l *letter.Letter) { l.Event = nil }, "cannot be read"},
		"another event": {func(_ *mail.Origin, l *letter.Letter) { l.Event = map[string]string{"specversion": "1.0"} }, "ce-id: missing"},
	} {
		t.Run(name, func(t *testing.T) {
			o, l := o, whole
			c.change(&o, &l)
			_, err := o.Replay(&l)
			require.ErrorContains(t, err, c.want)
		})
	}
	large := o.Dead(e, 1, "b", failed, make([]byte, letter.MaxData+1))
	require.NoError(t, large.Check())
	_, err := o.Replay(&large)
	require.ErrorContains(t, err, "its message of 8388609 bytes was larger")
}

func FuzzReplay(f *testing.F) {
	f.Add("id", "1", "krtdeadline", "x")
	f.Add("specversion", "1.0", "source", "%zz")
	f.Fuzz(func(t *testing.T, name, value, other, more string) {
		o, e := given()
		l := o.Dead(e, 1, "b", nil, nil)
		l.Event[name], l.Event[other] = value, more
		if e, err := o.Replay(&l); err == nil && (e.Type != event.TypeMessage || e.Message != l.Message) {
			t.Errorf("%+v", e)
		}
	})
}
