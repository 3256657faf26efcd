package mail_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/entrypoint/mail"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/runner/event"
)

// first is a store that has kept a letter, unless that is nil.
type first struct {
	store

	kept *letter.Letter
	gets []error // that come before
}

func (s *first) Get(context.Context, letter.Kind, string, string) (*letter.Letter, error) {
	if len(s.gets) > 0 {
		err := s.gets[0]
		s.gets = s.gets[1:]
		return nil, err
	}
	if s.kept == nil {
		return nil, letter.ErrNotFound
	}
	return s.kept, nil
}

// What comes when no replica holds the request any more is the result only if it is the first response.
func TestALateResponseReplacesNone(t *testing.T) {
	failed := &letter.Status{Code: "UNAVAILABLE"}
	for name, c := range map[string]struct {
		kept *letter.Letter
		late letter.Letter
		puts int
	}{
		"the first":             {nil, letter.Letter{Kind: letter.Result}, 1},
		"behind an early reply": {&letter.Letter{}, letter.Letter{Kind: letter.Result}, 0},
		"behind a failure":      {&letter.Letter{Status: failed}, letter.Letter{Kind: letter.Result}, 1},
		"a failure":             {&letter.Letter{}, letter.Letter{Kind: letter.Result, Status: failed}, 1}, // the store knows
		"a dead letter":         {&letter.Letter{}, letter.Letter{Kind: letter.Dead}, 1},
	} {
		s := &first{kept: c.kept, gets: []error{errors.New("the store does not respond")}}
		s.put = func(int, letter.Letter) error { return nil }
		b := mail.New(s, slog.New(slog.DiscardHandler))
		freed := make(chan struct{})
		b.KeepLate(c.late, func() { close(freed) })
		<-freed
		b.Close(time.Minute)
		require.Equal(t, c.puts, s.n, name)
	}
}

// A response that no letter may have is kept as a failure that says so.
func TestAResponseThatIsTooLarge(t *testing.T) {
	large := letter.Letter{ID: "c", Message: "pkg.M", Data: make([]byte, letter.MaxData+1)}
	l := mail.Origin{Version: "v1", Workflow: "flow"}.Result(large, nil, time.Hour)
	require.NoError(t, l.Check())
	require.Empty(t, l.Data)
	require.Empty(t, l.Message)
	require.Equal(t, []string{"RESOURCE_EXHAUSTED", event.ReasonTooLarge}, []string{l.Status.Code, l.Status.Reason})
	require.Equal(t, "the response of 8388609 bytes was not kept: it is larger than the 8388608 that a result may have", l.Status.Message)
	large.Data = large.Data[1:]
	l = mail.Origin{Version: "v1", Workflow: "flow"}.Result(large, nil, time.Hour)
	require.NoError(t, l.Check())
	require.Nil(t, l.Status)
}
