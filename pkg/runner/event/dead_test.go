package event_test

import (
	"net/http"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/protobuf/proto"

	"krt.dev/kn-krt/pkg/runner/event"
)

func TestADeadLettersFailureTravels(t *testing.T) {
	e := &event.Event{ID: "1", Source: "/a", Type: event.TypeMessage, Keep: event.KeepResult}
	want := event.Failure{Code: code.Code_INTERNAL, Reason: event.ReasonHandlerError, Text: "no", Node: "a"}.Status()
	h := http.Header{}
	e.WriteDead(h, want)
	got := event.ReadDead(h)
	if !proto.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	read, err := event.ReadHeader(h)
	if err != nil || read.Keep != event.KeepResult {
		t.Errorf("read %v with %v", read, err)
	}
}

func TestAFailureThatIsTooLongIsCut(t *testing.T) {
	h := http.Header{}
	(&event.Event{}).WriteDead(h, event.Failure{Code: code.Code_INTERNAL, Text: strings.Repeat("ä", 10_000)}.Status())
	got := event.ReadDead(h)
	if got.GetCode() != int32(code.Code_INTERNAL) || !strings.HasPrefix(got.GetMessage(), "ää") || len(got.GetMessage()) > 4<<10 {
		t.Errorf("got %v", got)
	}
}

func FuzzReadDead(f *testing.F) {
	f.Add("CA0SAm5v", "1")
	f.Add("!", "3")
	f.Fuzz(func(t *testing.T, failure, keep string) {
		h := http.Header{"Ce-Krterror": {failure}, "Ce-Krtkeep": {keep}}
		if s := event.ReadDead(h); s != nil && s.GetCode() == 0 {
			t.Error("a failure without a code")
		}
		e := &event.Event{Keep: event.Keep(keep)}
		e.WriteDead(h, event.ReadDead(h))
	})
}
