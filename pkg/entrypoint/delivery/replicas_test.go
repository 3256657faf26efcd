package delivery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A replica that accepts no connection holds up only those who try first, and then one a second.
func TestAbsentReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, tries := newReplicas(), 0
		refused := &net.OpError{Op: "dial", Err: errors.New("no route to host")}
		forward := func(host string, result error) error {
			return r.reach(t.Context(), host, func() error {
				tries++
				time.Sleep(time.Second) // as a dial that nobody responds to
				return result
			})
		}
		for range absentAfter {
			require.ErrorIs(t, forward("dead", refused), ErrNotSent)
		}
		begin := time.Now()
		for range 1000 {
			require.ErrorIs(t, forward("dead", refused), ErrNotSent)
		}
		require.Equal(t, absentAfter, tries)
		require.Zero(t, time.Since(begin), "they do not wait")
		require.NoError(t, forward("alive", nil), "another one is not affected")

		time.Sleep(absentPause)
		tries = 0
		done := make(chan error)
		go func() { done <- forward("dead", nil) }() // it is there again
		synctest.Wait()
		require.ErrorIs(t, forward("dead", nil), ErrNotSent, "while one tries, the others do not wait for it")
		require.NoError(t, <-done)
		require.NoError(t, forward("dead", nil))
		require.Equal(t, 2, tries)

		for range absentAfter - 1 {
			require.ErrorIs(t, forward("dead", refused), ErrNotSent)
		}
		require.Error(t, forward("dead", &responseError{status: http.StatusServiceUnavailable}), "it is there")
		require.ErrorIs(t, forward("dead", refused), ErrNotSent)
		require.NoError(t, forward("dead", nil), "what failed before it was there does not count")

		for range absentAfter {
			require.ErrorIs(t, forward("lost", io.ErrUnexpectedEOF), io.ErrUnexpectedEOF, "a connection that there was breaks")
			require.ErrorIs(t, forward("lost", refused), ErrNotSent)
		}
		require.EqualError(t, forward("lost", nil), ErrNotSent.Error()+": nor did it before")
	})
}

// Connections are refused until a replica that starts listens: then its first replies come at once.
func TestReplicaThatStartsIsNotAbsent(t *testing.T) {
	r, tries := newReplicas(), 0
	forward := func(result error) error {
		return r.reach(t.Context(), "starts", func() error { tries++; return result })
	}
	refused := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	for range 2 * absentAfter {
		require.ErrorIs(t, forward(refused), ErrNotSent)
	}
	require.NoError(t, forward(nil))
	require.Equal(t, 2*absentAfter+1, tries)
}

// Who has no time left says nothing about the replica, and what is known of replicas is bounded.
func TestAbsentReplicaIsNotTakenForOne(t *testing.T) {
	r := newReplicas()
	refused := &net.OpError{Op: "dial", Err: context.Canceled}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 * absentAfter {
		require.NotErrorIs(t, r.reach(over, "slow", func() error { return refused }), ErrNotSent)
	}
	require.NoError(t, r.reach(t.Context(), "slow", func() error { return nil }))
	for i := range 10 * maxAbsent {
		require.ErrorIs(t, r.reach(t.Context(), fmt.Sprint(i), func() error { return refused }), ErrNotSent)
	}
	require.LessOrEqual(t, len(r.absent), maxAbsent)
}
