package mail

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"krt.dev/kn-krt/pkg/entrypoint/seal"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/runner/clip"
	"krt.dev/kn-krt/pkg/runner/event"
)

// storeTime bounds a request to the store for which a client waits.
const storeTime = 10 * time.Second

// Replayed is the dead letter that a request replays. Its methods do nothing if it is nil.
type Replayed struct {
	// ID is the request's, Letter the dead letter, and Event that of the letter.
	ID     seal.ID
	Letter *letter.Letter
	Event  *event.Event

	box     *Box
	version string
	// unsettled counts what is left until the letter is of no use any more: the request's end, and
	// its result being kept. again says that the replay has failed.
	unsettled atomic.Int32
	again     atomic.Bool
}

// Refusal is why a dead letter is not replayed, with an HTTP status.
type Refusal struct {
	Status int
	Text   string
}

// RefusalOf returns the refusal that err is or, if it is another error, one because of the letter; nil without one.
func RefusalOf(err error) *Refusal {
	var r *Refusal
	if err != nil && !errors.As(err, &r) {
		r = &Refusal{http.StatusConflict, err.Error()}
	}
	return r
}

// Error implements error.
func (r *Refusal) Error() string { return r.Text }

// Write responds with r to who wants the dead letter of that id to be replayed.
func (r *Refusal) Write(w http.ResponseWriter, id string) {
	if r.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	http.Error(w, fmt.Sprintf("cannot replay the dead letter %s: %s", clip.Text(id, 64), r.Text), r.Status)
}

// Letter reads the dead letter of an id.
func (b *Box) Letter(ctx context.Context, version, id string) (*letter.Letter, *Refusal) {
	if b == nil {
		return nil, &Refusal{http.StatusNotFound, "the version keeps none: it was started without a store, or by an older kn-krt"}
	}
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	l, err := b.Get(ctx, letter.Dead, version, id)
	switch {
	case errors.Is(err, letter.ErrNotFound):
		return nil, &Refusal{http.StatusNotFound, "there is none"}
	case err != nil:
		return nil, &Refusal{http.StatusServiceUnavailable, err.Error()}
	}
	return l, nil
}

// Replayed begins the replay of a letter of the workflow.
func (b *Box) Replayed(o Origin, l *letter.Letter) (*Replayed, *Refusal) {
	ev, err := o.Replay(l)
	if err != nil {
		return nil, &Refusal{http.StatusConflict, err.Error()}
	}
	id, ok := seal.ParseID(ev.CorrelationID)
	if !ok {
		return nil, &Refusal{http.StatusConflict, "its event has no correlation id of a request"}
	}
	x := &Replayed{ID: id, Letter: l, Event: ev, box: b, version: o.Version}
	x.unsettled.Store(2)
	return x, nil
}

// Prepare has first, the event with which a request begins, go on where the letter's was given up on.
func (x *Replayed) Prepare(first *event.Event) {
	e := x.Event
	first.ID, first.Source, first.Message = e.ID, e.Source, e.Message
	first.CausationID, first.Keep = e.CausationID, e.Keep
	if first.Keep == event.KeepNothing {
		first.Keep = event.KeepDead
	}
}

// Failed makes l, which is kept because the replay has failed, one that follows the letter, and returns
// what is to be done once it is kept.
func (x *Replayed) Failed(l *letter.Letter) (then func()) {
	if x == nil {
		return nil
	}
	x.Stay()
	if l.Message == "" { // the letter that there is has an event
		status, at := l.Status, l.Time
		*l = *x.Letter
		l.Status, l.Time = status, at
	}
	l.Replays = min(x.Letter.Replays+1, letter.MaxReplays)
	if l.ID == x.Letter.ID {
		return nil
	}
	return x.delete // it has failed at another step
}

// Ended reports whether the replay has ended where its nodes end without a response and these steps: what is left of a
// workflow behind an early reply has none to give.
func (x *Replayed) Ended(steps event.Steps) bool {
	last, _ := steps.Last()
	return x != nil && last.Outcome != event.OutcomeError
}

// Stay notes that the replay has failed.
func (x *Replayed) Stay() {
	if x != nil {
		x.again.Store(true)
	}
}

// Settle notes that one of two has been done: the request has ended, and its result is kept if it is to be.
// After both the letter is deleted, unless the replay has failed: a crash before that leaves it.
func (x *Replayed) Settle() {
	if x != nil && x.unsettled.Add(-1) == 0 && !x.again.Load() {
		x.delete()
	}
}

func (x *Replayed) delete() {
	ctx, cancel := context.WithTimeout(context.Background(), storeTime)
	defer cancel()
	if err := x.box.Delete(ctx, letter.Dead, x.version, x.Letter.ID); err != nil && !errors.Is(err, letter.ErrNotFound) {
		x.box.log.Warn("a dead letter has been replayed, and could not be deleted", "id", x.Letter.ID, "error", err)
	}
}
