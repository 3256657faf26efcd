package mail

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
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

	box *Box
	// claim excludes other replays of the letter until release is called.
	claim   letter.Letter
	release context.CancelFunc
	// unsettled counts what is left until it is known what becomes of the letter: the request's end, its result being
	// kept, and letters that are kept because the replay has failed, which again says.
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

// Claim claims the dead letter of an id and then reads it: at whatever replica, there is no other replay of it before
// Release, or until this one is settled.
func (b *Box) Claim(ctx context.Context, version, id string) (*Replayed, *Refusal) {
	if b == nil {
		return nil, &Refusal{http.StatusNotFound, "the version keeps none: it was started without a store, or by an older kn-krt"}
	}
	x := &Replayed{box: b, claim: letter.Letter{Kind: letter.Claim, ID: id, Version: version, CausationID: rand.Text()}}
	if err := b.begin(); err != nil {
		return nil, refusalOfStore(err)
	}
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	err := b.Put(ctx, x.claim)
	if isClaimed(err) {
		b.work.Done()
		return nil, refusalOfStore(err)
	}
	held, release := context.WithCancel(b.life)
	x.release = release
	go x.hold(held) // after another error too: the claim may have been saved
	if err == nil {
		x.Letter, err = b.Get(ctx, letter.Dead, version, id)
	}
	if err != nil {
		x.Release()
		return nil, refusalOfStore(err)
	}
	return x, nil
}

// refusalOfStore is the refusal because of an error of the store.
func refusalOfStore(err error) *Refusal {
	var refused *letter.Error
	_ = errors.As(err, &refused)
	switch {
	case errors.Is(err, letter.ErrNotFound):
		return &Refusal{http.StatusNotFound, "there is none"}
	case isClaimed(err):
		return &Refusal{http.StatusConflict, fmt.Sprintf("it is being replayed. If the replica that does so was killed, try again after %s",
			letter.ClaimKept)}
	case refused != nil && refused.Status == http.StatusBadRequest && strings.HasPrefix(refused.Text, "kind: "):
		return &Refusal{http.StatusConflict, "the store does not know claims of dead letters: it is older than this version's entrypoint; " +
			"upgrade the store (config/600-store.yaml)"}
	case refused != nil && refused.Status == http.StatusInsufficientStorage, !letter.Temporary(err): // until somebody does something
		return &Refusal{http.StatusConflict, err.Error()}
	}
	return &Refusal{http.StatusServiceUnavailable, err.Error()}
}

// isClaimed reports whether a claim was refused because another one holds the letter.
func isClaimed(err error) bool {
	var refused *letter.Error
	return errors.As(err, &refused) && refused.Status == http.StatusConflict
}

// hold renews the claim until ctx is done, and gives it back then. What fails is tried again, or the claim expires.
func (x *Replayed) hold(ctx context.Context) {
	defer x.box.work.Done()
	renew := time.NewTicker(letter.ClaimKept / 3)
	defer renew.Stop()
	for {
		select {
		case <-renew.C:
			_ = x.putClaim()
		case <-ctx.Done():
			x.claim.Expires = time.Unix(1, 0).UTC()
			_ = x.putClaim()
			return
		}
	}
}

func (x *Replayed) putClaim() error {
	ctx, cancel := context.WithTimeout(x.box.life, storeTime)
	defer cancel()
	return x.box.Put(ctx, x.claim)
}

// Release gives the letter back: it may be replayed again.
func (x *Replayed) Release() { x.release() }

// Begin begins the replay of the letter, which is one of the workflow: [Replayed.Settle] has to be called twice.
func (x *Replayed) Begin(o Origin) *Refusal {
	ev, err := o.Replay(x.Letter)
	if err != nil {
		return &Refusal{http.StatusConflict, err.Error()}
	}
	id, ok := seal.ParseID(ev.CorrelationID)
	if !ok {
		return &Refusal{http.StatusConflict, "its event has no correlation id of a request"}
	}
	x.ID, x.Event = id, ev
	x.unsettled.Store(2)
	return nil
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
// what is to be done once it is known whether it is kept.
func (x *Replayed) Failed(l *letter.Letter) (then func(kept bool)) {
	if x == nil {
		return nil
	}
	x.Stay()
	x.unsettled.Add(1)
	if l.Message == "" { // the letter that there is has an event
		status, at := l.Status, l.Time
		*l = *x.Letter
		l.Status, l.Time = status, at
	}
	l.Replays = min(x.Letter.Replays+1, letter.MaxReplays)
	elsewhere := l.ID != x.Letter.ID // it has failed at another step
	return func(kept bool) {
		if kept && elsewhere {
			x.delete()
		}
		x.Settle()
	}
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

// Kept is Settle once it is known whether the result is kept. If it is not, the replay has failed.
func (x *Replayed) Kept(kept bool) {
	if !kept {
		x.Stay()
	}
	x.Settle()
}

// Settle notes that one of two has been done: the request has ended, and its result is kept if it is to be.
// After both the letter is deleted, unless the replay has failed: a crash before that leaves it. Then it is released.
func (x *Replayed) Settle() {
	if x == nil || x.unsettled.Add(-1) != 0 {
		return
	}
	if !x.again.Load() {
		x.delete()
	}
	x.Release()
}

func (x *Replayed) delete() {
	ctx, cancel := context.WithTimeout(context.Background(), storeTime)
	defer cancel()
	if err := x.box.Delete(ctx, letter.Dead, x.claim.Version, x.Letter.ID); err != nil && !errors.Is(err, letter.ErrNotFound) {
		x.box.log.Warn("a dead letter has been replayed, and could not be deleted", "id", x.Letter.ID, "error", err)
	}
}
