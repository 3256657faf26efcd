package capture

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/runner/event"
)

func TestTheLastRequestsAreKept(t *testing.T) {
	c := New()
	require.Empty(t, c.list(inspection.Filter{}))
	for i := range inspection.MaxRequests + 10 {
		r := of(fmt.Sprint(i), "etl", "model")
		if i%2 == 1 {
			failed(r, "model")
		}
		c.Observe(r)
	}
	list := c.list(inspection.Filter{})
	require.Len(t, list, inspection.MaxRequests)
	require.Equal(t, "265", list[0].ID)
	require.Equal(t, "10", list[len(list)-1].ID)
	require.Nil(t, c.get("9"))
	require.Nil(t, c.get(""))
	require.Equal(t, &inspection.Request{
		ID: "264", Workflow: "flow", Method: "t.S/Do", Protocol: "grpc", Begin: list[0].Begin, DurationMS: 12.5, Code: "OK",
		RequestBytes: 3, ResponseBytes: 4, Steps: []inspection.Step{
			{Node: "etl", RunMS: 1, Outcome: "ok", Attempts: 1}, {Node: "model", StartMS: 1, RunMS: 1, Outcome: "ok", Attempts: 1},
		},
	}, c.get("264"))

	require.Len(t, c.list(inspection.Filter{Limit: 3}), 3)
	require.Len(t, c.list(inspection.Filter{Failed: true}), inspection.MaxRequests/2)
	require.Equal(t, "error in 'model': no", c.list(inspection.Filter{Failed: true, Node: "model", Limit: 1})[0].Error)
}

func TestManySendsAreBounded(t *testing.T) {
	c, r := New(), of("busy", "etl")
	for range 1000 {
		r.Sends = append(r.Sends, r.Sends[0])
	}
	c.Observe(r)
	require.Len(t, c.slots[0].Sends, maxSends)
}

func TestWorkBehindAReply(t *testing.T) {
	c := New()
	k := c.Begin(contract(t, Settings{}), "a", []string{"etl", "model"})
	k.Input("t.All", all(t, `{"text":"in"}`))
	k.Output("t.All", all(t, `{"text":"early"}`))
	r := of("a", "etl")
	r.Early, r.Continued, r.Steps[0].Outcome = record.EarlyReply, true, event.OutcomeReply
	c.Observe(r)
	k.Step(0, "t.All", all(t, `{"text":"between"}`), 0)
	k.Step(1, "t.All", all(t, `{"text":"last"}`), 0)
	rest := failed(of("a", "etl", "model"), "model")
	rest.Background, rest.Early = true, record.EarlyReply
	c.Observe(rest)

	got := c.get("a")
	require.Equal(t, "OK", got.Code)
	require.True(t, got.Inspected)
	require.Contains(t, string(got.Input.JSON), `"text":"in"`)
	require.Contains(t, string(got.Output.JSON), `"text":"early"`)
	require.Contains(t, string(got.Steps[0].Output.JSON), `"text":"early"`)
	require.Equal(t, "INTERNAL", got.Rest.Code)
	require.Contains(t, string(got.Rest.Steps[0].Output.JSON), `"text":"between"`, "the end of the handler that has replied")
	require.Contains(t, string(got.Rest.Steps[1].Input.JSON), `"text":"between"`)
	require.Contains(t, string(got.Rest.Steps[1].Output.JSON), `"text":"last"`)
}

// Work behind a reply may last for an hour: its messages are there once it has ended, though
// the record of the response is not any more.
func TestWorkThatEndsLongBehindItsReply(t *testing.T) {
	c := New()
	others := func() {
		for i := range inspection.MaxRequests {
			c.Observe(of(fmt.Sprint(i), "etl"))
		}
	}
	k := c.Begin(contract(t, Settings{}), "a", []string{"etl", "model"})
	k.Input("t.All", all(t, `{"text":"in"}`))
	r := of("a", "etl")
	r.Early, r.Continued = record.EarlyReply, true
	c.Observe(r)
	others()
	require.Nil(t, c.get("a"))
	k.Step(1, "t.All", all(t, `{"text":"last"}`), 0)
	rest := of("a", "model")
	rest.Background, rest.Early = true, record.EarlyReply
	c.Observe(rest)
	got := c.get("a")
	require.True(t, got.Background)
	require.True(t, got.Inspected)
	require.Contains(t, string(got.Input.JSON), `"text":"in"`)
	require.Contains(t, string(got.Steps[0].Output.JSON), `"text":"last"`)
	others()
	require.Empty(t, c.requests)
	require.Zero(t, c.used)
}

// The record of the work behind a reply may be another replica's: then the messages do not stay for ever.
func TestWorkThatEndsElsewhereIsForgotten(t *testing.T) {
	c := New()
	data, contract := all(t, `{"text":"in"}`), contract(t, Settings{})
	const n = maxAwaited + 2*inspection.MaxRequests
	for i := range n {
		id := fmt.Sprint(i)
		c.Begin(contract, id, []string{"etl"}).Input("t.All", data)
		r := of(id, "etl")
		r.Async, r.Continued = true, true
		c.Observe(r)
		if i == n-2 { // of the oldest that is still awaited
			rest := of(fmt.Sprint(inspection.MaxRequests), "etl")
			rest.Background = true
			c.Observe(rest)
		}
	}
	require.Len(t, c.requests, maxAwaited+inspection.MaxRequests)
	require.Len(t, c.awaited, maxAwaited)
	require.True(t, c.get(fmt.Sprint(inspection.MaxRequests)).Inspected)
}

func TestTheOutputOfAnExitIsTheResponse(t *testing.T) {
	c := New()
	k := c.Begin(contract(t, Settings{}), "a", []string{"etl"})
	k.Output("t.All", all(t, `{"text":"enough"}`))
	r := of("a", "etl")
	r.Early, r.Steps[0].Outcome = record.EarlyExit, event.OutcomeExit
	c.Observe(r)
	require.Contains(t, string(c.get("a").Steps[0].Output.JSON), `"text":"enough"`)
}

// What the last node sends is not seen as its own: the last message of the stream is.
func TestTheOutputOfAStreamIsItsLastMessage(t *testing.T) {
	c := New()
	k := c.Begin(contract(t, Settings{}), "a", []string{"etl", "model"})
	k.Step(0, "t.All", all(t, `{"text":"between"}`), 0)
	for _, text := range []string{"one", "two", "three"} {
		k.Output("t.All", all(t, `{"text":"`+text+`"}`))
	}
	require.Less(t, c.used, 3*overhead, "only the last one is kept")
	r := of("a", "etl", "model")
	r.Streamed, r.Messages, r.FirstMessage = true, 3, r.Begin.Add(1500*time.Microsecond)
	c.Observe(r)
	got := c.get("a")
	require.Equal(t, &inspection.Stream{Messages: 3, FirstMS: 1.5}, got.Stream)
	require.Contains(t, string(got.Output.JSON), `"text":"three"`)
	require.Contains(t, string(got.Steps[0].Output.JSON), `"text":"between"`)
	require.Contains(t, string(got.Steps[1].Output.JSON), `"text":"three"`)
}

func TestTheOldestMessagesAreDropped(t *testing.T) {
	c, from := New(), contract(t, Settings{})
	c.most = 10_000
	long := all(t, `{"text":"`+strings.Repeat("x", 2000)+`"}`)
	for i := range 5 {
		id := fmt.Sprint(i)
		c.Begin(from, id, []string{"etl"}).Input("t.All", long)
		c.Observe(of(id, "etl"))
	}
	require.LessOrEqual(t, c.used, c.most)
	require.Equal(t, &inspection.Payload{Type: "t.All", Size: len(long), Note: "dropped to make room for newer ones"}, c.get("0").Input)
	require.Empty(t, c.get("4").Input.Note)
	require.NotEmpty(t, c.get("4").Input.JSON)

	// With the records, all goes.
	k := c.Find("4")
	for i := range inspection.MaxRequests {
		c.Observe(of(fmt.Sprint("new", i), "etl"))
	}
	k.Step(0, "t.All", long, 0)
	require.Zero(t, c.used)
	require.Empty(t, c.requests)
	require.Zero(t, c.oldest.Len())
}

func TestAStepThatIsKeptAgain(t *testing.T) {
	c := New()
	k := c.Begin(contract(t, Settings{}), "a", []string{"etl"})
	for _, text := range []string{"first", "second"} {
		k.Step(0, "t.All", all(t, `{"text":"`+text+`"}`), 0)
	}
	k.Step(1, "t.All", nil, 0)
	k.Step(-1, "t.All", nil, 0)
	require.Equal(t, 1, c.oldest.Len())
	c.Observe(of("a", "etl", "stranger"))
	got := c.get("a")
	require.Contains(t, string(got.Steps[0].Output.JSON), `"text":"second"`)
	require.Nil(t, got.Steps[1].Output)
	require.Equal(t, -1, k.Node("stranger"))
}

func TestWants(t *testing.T) {
	require.False(t, (*Contract)(nil).Wants(true))
	never, always, half := contract(t, Settings{}), contract(t, Settings{Share: 100}), contract(t, Settings{Share: 50})
	count := 0
	for range 1000 {
		require.False(t, never.Wants(false))
		require.True(t, never.Wants(true))
		require.True(t, always.Wants(false))
		if half.Wants(false) {
			count++
		}
	}
	require.InDelta(t, 500, count, 200)
}

func TestSettingsAreRefused(t *testing.T) {
	for want, s := range map[string]Settings{
		"inspect: the share is 101; it must be from 0 to 100":                       {Share: 101},
		"inspect: the share is -1; it must be from 0 to 100":                        {Share: -1},
		"inspect: 1023 bytes of a payload; they must be from 1024 to 1048576":       {PayloadBytes: 1023},
		"inspect: 1048577 bytes of a payload; they must be from 1024 to 1048576":    {PayloadBytes: 1<<20 + 1},
		"inspect: redact: path 1 is \"a b\"; it must be the path of a field, such ": {Redact: []string{"a b"}},
	} {
		_, err := NewContract(nil, s)
		require.ErrorContains(t, err, want)
	}
}

// BenchmarkObserve is what the list of requests costs each request.
func BenchmarkObserve(b *testing.B) {
	c, r := New(), of("0123456789abcdef0123456789abcdef", "etl", "model", "output")
	for range inspection.MaxRequests {
		c.Observe(r)
	}
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			c.Observe(r)
		}
	})
}

// The response is what the last node has responded with, unless a reply came first: then it is kept itself.
func TestAResponseIsKeptOnceWithItsStep(t *testing.T) {
	c := New()
	k := c.Begin(contract(t, Settings{}), "a", []string{"etl", "model"})
	last, other := all(t, `{"text":"last"}`), all(t, `{"text":"other"}`)
	k.Step(0, "t.All", other, 0)
	k.Step(1, "t.All", last, 0)
	k.Output("t.All", last)
	require.Same(t, k.steps[1].message, k.output.message)
	for name, data := range map[string][]byte{"t.All": other, "t.Card": last} {
		k.Output(name, data)
		require.Equal(t, data, k.output.data)
		require.Equal(t, name, k.output.name)
		require.Equal(t, last, k.steps[1].data)
	}
	k.Output("t.All", last)
	c.most = k.output.size()
	k.put(&k.steps[0], &message{}) // there is no room for it and the others
	require.Empty(t, k.steps[1].data)
	require.Empty(t, k.output.data)
	k.Output("t.All", last)
	require.Equal(t, last, k.output.data, "not what says that there was no room")
}
