package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// user is a client that names itself in each request.
type user struct {
	name      string
	responses []response
}

// A user gets the version that the weight gives to it, by any protocol and replica, and while the
// weight grows nobody moves back.
func TestCanarySticky(t *testing.T) {
	long(t)
	n := newRuntime(t)
	for _, version := range []string{former, latter} {
		n.behaving(version, 2, nil)
	}
	n.Ready("version/" + former)
	n.Ready("version/" + latter)
	n.publish(former)
	n.published(former)
	n.at("active-entrypoint")
	users, stop := n.users(100)
	n.passes(2 * time.Second)
	type period struct {
		weight      int
		from, until time.Time
	}
	var periods []period // in which a weight was in force everywhere
	for _, weight := range []int{10, 30, 60, 90} {
		n.divide(fmt.Sprintf(`{publishedVersion: %s, canary: {version: %s, weight: %d, sticky: {metadata: x-user-id}}}`, former, latter, weight),
			fmt.Sprintf("%s %d", v1alpha1.CanaryServing, weight))
		n.settled()
		from := time.Now()
		n.passes(8 * time.Second)
		periods = append(periods, period{weight, from, time.Now()})
	}
	stop()
	for _, p := range periods {
		t.Logf("weight %d: %d of %d users got the canary", p.weight, moved(users, p.from, p.until), len(users))
	}
	total, failed, switches, back := 0, []string{}, 0, 0
	for _, u := range users {
		total += len(u.responses)
		failed = append(failed, lost(u.responses)...)
		for i, r := range u.responses[1:] {
			switch was := u.responses[i]; {
			case was.version == former && r.version == latter:
				switches++
			case was.version == latter && r.version == former:
				back++
				t.Logf("%s moved back, by %s at %s", u.name, r.protocol, r.begun.Format(time.StampMilli))
			}
		}
	}
	t.Logf("%d users, %d requests, %d failed, %d moves to the canary, %d back", len(users), total, len(failed), switches, back)
	require.Empty(t, failed)
	require.Zero(t, back)
	require.NotZero(t, switches)
}

// moved counts the users who got the canary in that time.
func moved(users []*user, from, until time.Time) (count int) {
	for _, u := range users {
		if slices.ContainsFunc(u.responses, func(r response) bool {
			return r.version == latter && r.begun.After(from) && r.begun.Before(until)
		}) {
			count++
		}
	}
	return count
}

// users send a request each second, each by one protocol after the other, until stop is called.
func (n place) users(count int) (users []*user, stop func()) {
	n.t.Helper()
	ctx, cancel := context.WithCancel(n.t.Context())
	var all sync.WaitGroup
	calls := n.calls()
	for i := range count {
		u := &user{name: fmt.Sprintf("user-%d", i)}
		users = append(users, u)
		all.Go(func() {
			tick := time.NewTicker(time.Second)
			defer tick.Stop()
			for turn := i; ; turn++ {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				limited, done := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
				u.responses = append(u.responses, calls[turn%len(calls)](limited, u.name))
				done()
			}
		})
	}
	stop = func() {
		cancel()
		all.Wait()
	}
	n.t.Cleanup(stop)
	return users, stop
}

// calls are the ways in which a user asks.
func (n place) calls() (calls []func(ctx context.Context, user string) response) {
	n.t.Helper()
	conn, err := grpc.NewClient(n.Address("active-entrypoint", 9000), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(n.t, err)
	n.t.Cleanup(func() { _ = conn.Close() })
	web := "http://" + n.Address("active-entrypoint", 80)
	lasting, fresh := &http.Client{Transport: &http.Transport{}}, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	n.t.Cleanup(lasting.CloseIdleConnections)
	add := func(protocol string, call func(ctx context.Context, user string) (string, error)) {
		calls = append(calls, func(ctx context.Context, user string) response {
			r := response{protocol: protocol, begun: time.Now()}
			r.version, r.err = call(ctx, user)
			return r
		})
	}
	add("gRPC", func(ctx context.Context, user string) (string, error) {
		return overGRPC(metadata.AppendToOutgoingContext(ctx, "x-user-id", user), conn)
	})
	for _, client := range []*http.Client{lasting, fresh} {
		add("JSON", func(ctx context.Context, user string) (string, error) {
			return post(ctx, client, web+"/conformance.Entrypoint/One", "{}", "Content-Type", "application/json", "X-User-Id", user)
		})
	}
	add("CloudEvents", func(ctx context.Context, user string) (string, error) {
		return post(ctx, lasting, web+"/workflows/one", "{}", "Content-Type", "application/json", "Ce-Specversion", "1.0", "Ce-Id", "1",
			"Ce-Source", "/test", "Ce-Type", "test", "X-User-Id", user)
	})
	return calls
}
