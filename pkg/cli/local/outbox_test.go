package local

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/local"
)

func TestOutboxWithoutAReader(t *testing.T) {
	r, w := io.Pipe()
	o := runOptions{streams: term.Streams{Out: w}}
	box := newOutbox(w, o.dropped, nil)
	const lines = mostWaiting + 100
	for i := range lines {
		fmt.Fprintf(box, "line %d\n", i)
	}
	box.end(0) // returns although nobody reads
	select {
	case <-box.done:
		t.Fatal("all was written without a reader")
	default:
	}

	go func() { <-box.done; _ = w.Close() }()
	scanner := bufio.NewScanner(r)
	n := 0
	for ; scanner.Scan() && scanner.Text()[0] == 'l'; n++ {
		require.Equal(t, fmt.Sprintf("line %d", n), scanner.Text())
	}
	// The goroutine may have taken the first line before the others came.
	require.Contains(t, []int{mostWaiting, mostWaiting + 1}, n)
	require.Equal(t, fmt.Sprintf("! lines dropped here because the output was not read in time: %d", lines-n), scanner.Text())
	require.False(t, scanner.Scan())
}

func TestOutboxBoundsBytes(t *testing.T) {
	r, w := io.Pipe()
	o := runOptions{streams: term.Streams{Out: w}, output: term.OutputJSON}
	box := newOutbox(w, o.dropped, nil)
	_, err := box.Write(append(make([]byte, mostWaitingBytes), '\n'))
	require.NoError(t, err)
	go func() { box.end(time.Hour); _ = w.Close() }()
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	var event runEvent
	require.NoError(t, json.Unmarshal(text, &event))
	require.Equal(t, string(local.EventWarning), event.Event)
	require.Equal(t, "lines dropped here because the output was not read in time: 1", event.Text)
}

func TestOutboxGoesOnAfterDropping(t *testing.T) {
	r, w := io.Pipe()
	box := newOutbox(w, func(n int) string { return fmt.Sprintf("dropped %d\n", n) }, nil)
	_, _ = box.Write(append(make([]byte, mostWaitingBytes), '\n'))
	scanner := bufio.NewScanner(r)
	require.True(t, scanner.Scan())
	require.Equal(t, "dropped 1", scanner.Text())
	_, _ = io.WriteString(box, "next\n")
	require.True(t, scanner.Scan())
	require.Equal(t, "next", scanner.Text())
	box.end(time.Hour)
}
