package runner_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"krt.dev/kn-krt/pkg/runner"
	"krt.dev/kn-krt/pkg/runner/event"
)

// buried is an event posted to /dead-letter, and its failure.
type buried struct {
	*event.Event
	failure *status.Status
}

func (r *running) takeDead(w http.ResponseWriter, req *http.Request) {
	e, err := event.ReadHeader(req.Header)
	if err == nil {
		e.Data, err = event.ReadBody(req.Body, req.ContentLength, 1<<20)
	}
	if err != nil || r.noDead {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	r.dead <- buried{e, event.ReadDead(req.Header)}
	w.WriteHeader(http.StatusAccepted)
}

func (r *running) buried(t *testing.T) buried {
	t.Helper()
	select {
	case e := <-r.dead:
		return e
	default:
		t.Fatal("nothing was posted to /dead-letter")
		return buried{}
	}
}

// kept is an event of work that nobody waits for and whose dead letters are kept.
func kept() *event.Event {
	in := message("hi")
	in.Replied, in.Keep = true, event.KeepDead
	return in
}

func fails(*runner.HandlerContext, *anypb.Any) (proto.Message, error) {
	return nil, errors.New("no model")
}

func TestAFailedEventIsBuriedWhereNobodyWaits(t *testing.T) {
	r := start(t, nil, nil, fails)
	in := kept()
	equal(t, "status", r.post(t, in).status, http.StatusAccepted)
	dead := r.buried(t)
	equal(t, "error", dead.failure.GetMessage(), "error in 'model': no model")
	equal(t, "data", string(dead.Data), string(in.Data))
	equal(t, "id", dead.ID, in.ID)
	equal(t, "source", dead.Source, in.Source)
	equal(t, "message", dead.Message, in.Message)
	equal(t, "krtkeep", dead.Keep, event.KeepDead)
	last, _ := dead.Steps.Last()
	equal(t, "outcome", last.Outcome, event.OutcomeError)
	equal(t, "replies", len(r.replies), 0)
}

func TestAFailureAfterAnEarlyReplyIsBuried(t *testing.T) {
	r := start(t, nil, nil, func(ctx *runner.HandlerContext, in *anypb.Any) (proto.Message, error) {
		if err := ctx.EarlyReply(value("accepted")); err != nil {
			return nil, err
		}
		return fails(ctx, in)
	})
	in := kept()
	in.Replied = false
	r.post(t, in)
	equal(t, "the reply", r.reply(t).Type, event.TypeReply)
	equal(t, "krtreplied", r.buried(t).Replied, true)
	equal(t, "replies", len(r.replies), 0)
}

// TestOthersGetTheirError: a client waits, or the entrypoint keeps nothing.
func TestOthersGetTheirError(t *testing.T) {
	for name, change := range map[string]func(*event.Event){
		"a client waits":  func(e *event.Event) { e.Replied = false },
		"nothing is kept": func(e *event.Event) { e.Keep = event.KeepNothing },
	} {
		t.Run(name, func(t *testing.T) {
			r, in := start(t, nil, nil, fails), kept()
			change(in)
			r.post(t, in)
			equal(t, "type", r.reply(t).Type, event.TypeError)
			equal(t, "dead letters", len(r.dead), 0)
		})
	}
}

// TestADeadLetterThatIsRefusedIsAnError: an older entrypoint would not know what it is.
func TestADeadLetterThatIsRefusedIsAnError(t *testing.T) {
	r := start(t, nil, nil, fails)
	r.noDead = true
	r.post(t, kept())
	equal(t, "type", r.reply(t).Type, event.TypeError)
}

func TestAnEventPastItsDeadlineIsBuried(t *testing.T) {
	r := start(t, nil, nil, func(*runner.HandlerContext, *anypb.Any) (proto.Message, error) {
		t.Error("the handler was called")
		return value("x"), nil
	})
	in := kept()
	in.Deadline = time.Now().Add(-time.Second)
	equal(t, "status", r.post(t, in).status, http.StatusAccepted)
	contains(t, "error", r.buried(t).failure.GetMessage(), "its deadline had passed before it arrived")
}

func TestWorkThatTakesTooLongIsBuried(t *testing.T) {
	inTime(t, time.Second, func(patience time.Duration) bool {
		var begun bool
		r := start(t, nil, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
			begun = true
			<-ctx.Context().Done()
			return nil, context.Cause(ctx.Context())
		})
		in := kept()
		in.Deadline = time.Now().Add(patience)
		r.post(t, in)
		if !begun {
			return false
		}
		contains(t, "error", r.buried(t).failure.GetMessage(), "has not ended before the deadline")
		return true
	})
}
