package cold

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"krt.dev/kn-krt/pkg/runner/event"
)

func TestTheFile(t *testing.T) {
	require.Empty(t, Text(nil))
	nodes := []Node{
		{Node: "model", Resource: "nvidia.com/gpu", Since: time.Unix(1_000_000, 0).UTC()},
		{Node: "etl", Since: time.Unix(1_000_060, 0).UTC(), Scheduled: true},
	}
	read, err := Parse([]byte(Text(nodes)))
	require.NoError(t, err)
	require.Equal(t, nodes, read)
	for _, nothing := range []string{"", "\n"} {
		read, err = Parse([]byte(nothing))
		require.NoError(t, err)
		require.Empty(t, read)
	}
	_, err = Parse([]byte("{"))
	require.ErrorContains(t, err, "cannot read nodes.json: ")
	many := make([]Node, MaxNodes+1)
	read, err = Parse([]byte(Text(many)))
	require.NoError(t, err)
	require.Len(t, read, MaxNodes)
	_, err = Parse(fmt.Appendf(nil, "[%s{}]", bytes.Repeat([]byte("{},"), MaxNodes)))
	require.ErrorContains(t, err, "it has 65 nodes, and may have 64")
}

func TestFind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := t.TempDir()
		write := func(text string) { require.NoError(t, os.WriteFile(filepath.Join(folder, File), []byte(text), 0o600)) }
		var log bytes.Buffer
		n := New(folder, slog.New(slog.NewTextHandler(&log, nil)))
		_, found := n.Find("model")
		require.False(t, found, "there is no file")
		write(Text([]Node{{Node: "etl"}, {Node: "model"}}))
		_, found = n.Find("model")
		require.False(t, found, "it has just been read")
		time.Sleep(fresh)
		one, found := n.Find("none", "model", "etl")
		require.True(t, found)
		require.Equal(t, "model", one.Node)

		write("[")
		for range 3 {
			time.Sleep(fresh)
			_, found = n.Find("model")
			require.False(t, found, "nothing is known")
		}
		require.Equal(t, 1, bytes.Count(log.Bytes(), []byte("cannot tell which nodes are cold")))
		write("")
		time.Sleep(fresh)
		_, found = n.Find("model")
		require.False(t, found)
	})
	_, found := New("", nil).Find("model")
	require.False(t, found, "nothing is ever known")
}

func TestBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(t.TempDir(), slog.New(slog.DiscardHandler))
		for left, want := range map[time.Duration]time.Duration{
			500 * time.Millisecond: 450 * time.Millisecond,
			30 * time.Second:       29 * time.Second,
		} {
			begin, after := time.Now(), make(chan time.Duration, 1)
			n.Before(begin.Add(left), func() { after <- time.Since(begin) })
			require.Equal(t, want, <-after)
		}
		called := false
		n.Before(time.Now().Add(time.Second), func() { called = true })()
		New("", nil).Before(time.Now(), func() { called = true })()
		time.Sleep(time.Minute)
		require.False(t, called)
	})
}

func TestFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct {
			node  Node
			age   time.Duration
			text  string
			retry time.Duration
		}{
			{Node{Node: "model", Resource: "nvidia.com/gpu"}, 3*time.Minute + time.Second,
				`node "model": waiting for a machine with nvidia.com/gpu, since 3m`, 30 * time.Second},
			{Node{Node: "model"}, 65 * time.Minute, `node "model": waiting for a machine that can run it, since 1h5m`, 30 * time.Second},
			{Node{Node: "model", Resource: "nvidia.com/gpu", Scheduled: true}, 40 * time.Second,
				`node "model": its pod is starting, since 40s`, 5 * time.Second},
			{Node{Node: "model", Scheduled: true}, -time.Second, `node "model": its pod is starting, since 0s`, 5 * time.Second},
		} {
			test.node.Since = time.Now().Add(-test.age)
			s := test.node.Failure().Status()
			require.Equal(t, int32(code.Code_UNAVAILABLE), s.GetCode())
			require.Equal(t, test.text, s.GetMessage())
			info, retry := &errdetails.ErrorInfo{}, &errdetails.RetryInfo{}
			require.NoError(t, s.GetDetails()[0].UnmarshalTo(info))
			require.Equal(t, event.ReasonColdStart, info.GetReason())
			require.NoError(t, s.GetDetails()[1].UnmarshalTo(retry))
			require.Equal(t, test.retry, retry.GetRetryDelay().AsDuration())
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(Text([]Node{{Node: "model", Resource: "nvidia.com/gpu", Since: time.Unix(1_000_000, 0).UTC()}})))
	f.Add([]byte("[{}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		nodes, err := Parse(data)
		if err != nil {
			return
		}
		require.LessOrEqual(t, len(nodes), MaxNodes)
		for _, n := range nodes {
			_ = n.Failure().Status()
		}
	})
}
