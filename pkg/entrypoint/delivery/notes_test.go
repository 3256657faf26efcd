package delivery

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/entrypoint/record"
)

// noted returns a request whose delivery has begun.
func noted(pool *sync.Pool) *Request {
	r := &Request{Pool: pool, Traced: true}
	r.Begin(time.Now().Add(time.Minute), false)
	r.reserve(2)
	return r
}

func TestSends(t *testing.T) {
	r, nodes, before := noted(&sync.Pool{}), []string{"etl", "model"}, time.Now()
	r.begin(0, nil)
	first := r.sending(1)
	r.sent(&send{status: 503}, errors.New("busy"), true)
	second := r.sending(2)
	r.sent(&send{status: 200, shortcut: true}, nil, false)
	r.begin(1, nil)
	third := r.sending(1)

	got := r.Sends(nil, nodes, 0)
	require.Len(t, got, 2)
	for i, want := range []record.Send{
		{Node: "etl", Attempt: 1, Status: 503, Result: record.ResultRetried, Error: "busy", SpanID: first.span},
		{Node: "etl", Attempt: 2, Status: 200, Result: record.ResultOK, Shortcut: true, SpanID: second.span},
	} {
		require.False(t, got[i].Begin.Before(before))
		require.False(t, got[i].End.Before(got[i].Begin))
		before, want.Begin, want.End = got[i].End, got[i].Begin, got[i].End
		require.Equal(t, want, got[i])
	}
	require.Equal(t, got[1:], r.Sends(nil, nodes, 1))
	now := time.Now()
	all := r.AllSends(nil, nodes, now, false)
	require.Equal(t, got, all[:2])
	require.Equal(t, record.Send{
		Node: "model", Attempt: 1, Result: record.ResultGaveUp, SpanID: third.span, Begin: all[2].Begin, End: now,
		Error: "the request ended before there was a response",
	}, all[2])
	require.Equal(t, record.ResultOK, r.AllSends(nil, nodes, now, true)[2].Result)
	require.Equal(t, got, r.AllSends(nil, nodes, before.Add(-time.Minute), false), "it began later")
	require.Len(t, map[[8]byte]bool{first.span: true, second.span: true, third.span: true, {}: true}, 4)
}

// TestTextsOfFailuresAreBounded: a node may respond with a header of 64 KiB that is not HTTP,
// and the error quotes it.
func TestTextsOfFailuresAreBounded(t *testing.T) {
	_, err := http.ReadResponse(bufio.NewReader(strings.NewReader(strings.Repeat("x", 60<<10)+"\r\n\r\n")), nil)
	require.Greater(t, len(err.Error()), 60<<10)
	r := noted(&sync.Pool{})
	r.begin(0, nil)
	r.sending(1)
	r.sent(&send{}, err, false)
	require.Less(t, len(r.Sends(nil, []string{"etl"}, 0)[0].Error), 1024)
	require.Less(t, len(NodeFailure("etl", err).Text), 1024)
}

// TestAttemptsAreBounded: of a node that is tried for hours, the first attempts and the last
// one are kept.
func TestAttemptsAreBounded(t *testing.T) {
	r := noted(&sync.Pool{})
	r.begin(-1, nil)
	const tried = 1 << 17
	spans := map[[8]byte]bool{}
	for i := range tried {
		spans[r.sending(i+1).span] = true
		var err error
		if i > 0 {
			err = fmt.Errorf("busy %d", i+1)
		}
		r.sent(&send{}, err, i+1 < tried)
	}
	got := r.Sends(nil, []string{"etl"}, 0)
	require.Len(t, got, maxAttempts)
	require.Equal(t, []any{maxAttempts - 1, record.ResultRetried}, []any{got[maxAttempts-2].Attempt, got[maxAttempts-2].Result})
	require.Equal(t, []any{1<<16 - 1, record.ResultGaveUp, ""}, []any{got[maxAttempts-1].Attempt, got[maxAttempts-1].Result, got[0].Node})
	require.Equal(t, []string{"", "busy 2", "busy 127", "busy 131072"},
		[]string{got[0].Error, got[1].Error, got[maxAttempts-2].Error, got[maxAttempts-1].Error})
	require.Len(t, spans, maxAttempts, "each has the span of one that is kept")
}

// TestRoomIsUsedAgain: with nothing of the request before.
func TestRoomIsUsedAgain(t *testing.T) {
	pool := &sync.Pool{}
	for range 3 {
		r := noted(pool)
		require.Empty(t, r.AllSends(nil, nil, time.Now(), false))
		r.sending(1)
		r.sent(&send{}, nil, false)
		require.Len(t, r.Sends(nil, nil, 0), 1)
		r.Forget()
		require.Empty(t, r.Sends(nil, nil, 0))
	}
}

// TestAnAttemptIsSmall: it is what each step costs a request on its way.
func TestAnAttemptIsSmall(t *testing.T) {
	require.LessOrEqual(t, reflect.TypeFor[attempt]().Size(), uintptr(24))
}
