package trial

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"krt.dev/kn-krt/pkg/invocation"
	"krt.dev/kn-krt/pkg/runner/clip"
)

const (
	// streamTimeout bounds a call whose messages are shown as they come.
	streamTimeout = 10 * time.Minute
	// maxKept is how many of the last messages of a stream are kept, which have maxShown bytes in all.
	maxKept = 1000
)

// Messages are the last messages of a stream.
type Messages struct {
	// Count is how many have come, First the number of the first one of Texts, from 1 on.
	Count, First int
	// Texts are the messages in JSON, each on one line.
	Texts []string
}

// Tail keeps the last messages of a stream while they come. Its zero value is ready to use.
type Tail struct {
	mu    sync.Mutex
	count int
	bytes int
	texts []string
}

// add adds a message.
func (t *Tail) add(text string) {
	text = clip.Text(text, maxShown)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count++
	t.bytes += len(text)
	t.texts = append(t.texts, text)
	for len(t.texts) > maxKept || t.bytes > maxShown && len(t.texts) > 1 {
		t.bytes -= len(t.texts[0])
		t.texts = t.texts[1:]
	}
}

// Last returns at most the last most messages.
func (t *Tail) Last(most int) Messages {
	t.mu.Lock()
	defer t.mu.Unlock()
	texts := t.texts[max(0, len(t.texts)-most):]
	return Messages{Count: t.count, First: t.count - len(texts) + 1, Texts: slices.Clone(texts)}
}

// Streams reports whether the rpc returns a stream.
func (c *Caller) Streams() bool { return c.method.Desc.IsStreamingServer() }

// Stream sends a message to an rpc that returns a stream, and calls came when a message is in tail.
func (c *Caller) Stream(ctx context.Context, m proto.Message, tail *Tail, came func()) *Result {
	ctx, cancel := context.WithTimeout(ctx, streamTimeout)
	defer cancel()
	got, err := c.conn.Stream(ctx, c.method, invocation.Wish{Trace: true, Inspect: true}, m, func(message *dynamicpb.Message) error {
		tail.add(c.line(message))
		came()
		return nil
	})
	r := newResult(got, err)
	r.Streamed, r.Messages = true, tail.Last(maxKept)
	return r
}

// line is a message as JSON on one line.
func (c *Caller) line(m proto.Message) string {
	text, err := protojson.MarshalOptions{Resolver: c.method.Types, EmitDefaultValues: true}.Marshal(m)
	if err != nil {
		return err.Error()
	}
	var b bytes.Buffer
	if json.Compact(&b, text) != nil {
		return string(text)
	}
	return b.String()
}
