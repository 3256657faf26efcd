package jetstream

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// wholeTime is how long servers may take to agree, and to get what they lack, on a busy machine.
const wholeTime = 3 * time.Minute

// Cluster is several servers that make one.
type Cluster struct {
	// All are the servers.
	All []*Child
	js  jetstream.JetStream
}

// NewCluster starts n servers that make one cluster. The test's package must call [Main].
func NewCluster(t testing.TB, n int) *Cluster {
	t.Helper()
	c := &Cluster{}
	var ports []string
	for range n {
		one, other := NewChild(t), NewChild(t)
		c.All, ports = append(c.All, one), append(ports, strconv.Itoa(other.port))
	}
	for i, one := range c.All {
		one.cluster = strings.Join(append([]string{ports[i]}, ports...), ",")
		one.Start(t)
	}
	conn, err := nats.Connect(c.URL(), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond))
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	c.js, err = jetstream.New(conn)
	require.NoError(t, err)
	return c
}

// URL has the addresses of all servers, separated by commas.
func (c *Cluster) URL() string {
	var all []string
	for _, one := range c.All {
		all = append(all, one.URL())
	}
	return strings.Join(all, ",")
}

// Find returns the server with a name; nil: there is none.
func (c *Cluster) Find(name string) *Child {
	for _, one := range c.All {
		if one.Name() == name {
			return one
		}
	}
	return nil
}

// Whole waits until all servers have all of a stream and of its consumers, of which there are so many. Whoever takes a
// server away must wait for that: one that has come back with nothing of a consumer counts as one that has lost its
// disk, and its vote is worth nothing until all others are there, too. It returns which server leads what, by the name
// of the consumer, and for the stream by no name.
func (c *Cluster) Whole(t testing.TB, stream string, consumers int) (leaders map[string]*Child) {
	t.Helper()
	for end := time.Now().Add(wholeTime); ; {
		leaders, lacks := c.Members(stream, consumers)
		if lacks == "" {
			return leaders
		}
		require.True(t, time.Now().Before(end), lacks)
		time.Sleep(50 * time.Millisecond) // it is asked again
	}
}

// Members returns which server leads the stream and each consumer, and what of them does not have all its members with
// all that it has; empty: nothing.
func (c *Cluster) Members(stream string, consumers int) (leaders map[string]*Child, lacks string) {
	all, err := c.groups(stream)
	if err != nil || len(all)-1 != consumers {
		return nil, fmt.Sprintf("there are %d consumers: %v", len(all)-1, err)
	}
	leaders = map[string]*Child{}
	for name, has := range all {
		if has == nil || c.Find(has.Leader) == nil || len(has.Replicas) != len(c.All)-1 {
			return nil, fmt.Sprintf("%q has not all its members: %+v", name, has)
		}
		for _, r := range has.Replicas {
			if !r.Current || r.Offline {
				return nil, fmt.Sprintf("%q has a member that lacks something: %+v", name, r)
			}
		}
		leaders[name] = c.Find(has.Leader)
	}
	return leaders, ""
}

// groups returns what the servers say of who has the stream, by no name, and each consumer, by its name.
func (c *Cluster) groups(stream string) (map[string]*jetstream.ClusterInfo, error) {
	ctx, cancel := context.WithTimeout(context.Background(), wholeTime/10)
	defer cancel()
	s, err := c.js.Stream(ctx, stream)
	if err != nil {
		return nil, err
	}
	all := map[string]*jetstream.ClusterInfo{"": s.CachedInfo().Cluster}
	names := s.ConsumerNames(ctx)
	for name := range names.Name() {
		one, err := s.Consumer(ctx, name)
		if err != nil {
			return all, fmt.Errorf("consumer %s: %w", name, err)
		}
		all[name] = one.CachedInfo().Cluster
	}
	return all, names.Err()
}
