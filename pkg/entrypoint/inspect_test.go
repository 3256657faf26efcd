package entrypoint_test

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/entrypoint/capture"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/runner/event"
)

// inspecting serves v, whose messages are kept by s, and returns a client of what is kept.
func (f *fixture) inspecting(v entrypoint.Version, s *capture.Settings, o entrypoint.Options) *inspection.Client {
	v.Inspect = s
	f.serve(v, o)
	client, err := inspection.New(f.inspect, nil)
	require.NoError(f.t, err)
	return client
}

// kept waits until the only request is kept, and returns it.
func (f *fixture) kept(c *inspection.Client) *inspection.Request {
	var id string
	enough := errors.New("enough")
	require.ErrorIs(f.t, c.Follow(f.t.Context(), inspection.Filter{Limit: 1}, func(l inspection.Line) error {
		id = l.Request.ID
		return enough
	}), enough)
	r, err := c.Get(f.t.Context(), id)
	require.NoError(f.t, err)
	return r
}

// asking returns a context whose gRPC calls ask for inspection.
func asking(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "krt-inspect", "1")
}

// textOfPayload is the field text of a payload.
func textOfPayload(t *testing.T, p *inspection.Payload) string {
	t.Helper()
	require.NotNil(t, p)
	_, text, ok := strings.Cut(string(p.JSON), `"text":"`)
	require.True(t, ok, "%s %s", p.JSON, p.Note)
	text, _, _ = strings.Cut(text, `"`)
	return text
}

func TestDirectKeepsWhatItPasses(t *testing.T) {
	f := newFixture(t)
	attributes := make(chan string, 2)
	peek := func(h handle) handle {
		return func(ctx context.Context, in *event.Event) (int, *event.Event) {
			attributes <- strings.Repeat("inspect", in.Inspect)
			status, out := h(ctx, in)
			out.Inspect = 77 // what a node sends under that name goes nowhere
			return status, out
		}
	}
	c := f.inspecting(f.version(node(t, "etl", peek(f.says("etl", false))), node(t, "model", peek(f.says("model", true)))),
		&capture.Settings{}, quick())
	var trailer metadata.MD
	in, out := f.message("test.Request"), f.message("test.Reply")
	in.Set(in.Descriptor().Fields().ByName("text"), valueOf("in"))
	require.NoError(t, f.conn.Invoke(asking(t.Context()), "/test.Entrypoint/Call", in, out, grpc.Trailer(&trailer)))
	r := f.kept(c)
	require.Equal(t, []string{r.ID}, trailer.Get("krt-correlation-id"))
	require.True(t, r.Inspected)
	require.Equal(t, "in", textOfPayload(t, r.Input))
	require.Equal(t, "in", textOfPayload(t, r.Steps[0].Input))
	require.Equal(t, "in>etl", textOfPayload(t, r.Steps[0].Output))
	require.Equal(t, "in>etl", textOfPayload(t, r.Steps[1].Input))
	require.Equal(t, "in>etl>model", textOfPayload(t, r.Steps[1].Output))
	require.Equal(t, "in>etl>model", textOfPayload(t, r.Output))
	require.Equal(t, "test.Reply", r.Output.Type)
	require.Empty(t, <-attributes, "nodes do nothing with direct delivery")
	require.Empty(t, <-attributes)
}

func TestOnlyInspectedRequestsAreKeptWithTheirMessages(t *testing.T) {
	for name, c := range map[string]struct {
		settings *capture.Settings
		ask      bool
		want     bool
	}{
		"not set up":             {nil, true, false},
		"not asked for":          {&capture.Settings{}, false, false},
		"asked for":              {&capture.Settings{}, true, true},
		"in the share":           {&capture.Settings{Share: 100}, false, true},
		"in the share and asked": {&capture.Settings{Share: 100}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			client := f.inspecting(f.version(node(t, "a", f.says("a", true))), c.settings, quick())
			ctx := t.Context()
			if c.ask {
				ctx = asking(ctx)
			}
			_, err := f.call(ctx, "in")
			require.NoError(t, err)
			r := f.kept(client)
			require.Equal(t, c.want, r.Inspected)
			require.Equal(t, c.want, r.Input != nil)
			require.Equal(t, "OK", r.Code)
		})
	}
}

func TestInspectionIsAskedForOverHTTP(t *testing.T) {
	for name, call := range map[string]func(f *fixture) reply{
		"JSON": func(f *fixture) reply {
			return f.request(http.MethodPost, f.web+"/test.Entrypoint/Call", `{"text":"in"}`, "Content-Type", "application/json", "Krt-Inspect", "1")
		},
		"a CloudEvent": func(f *fixture) reply {
			return f.request(http.MethodPost, f.web+"/workflows/flow", `{"text":"in"}`,
				append(binaryEvent("x", "application/json"), "Krt-Inspect", "1", "Ce-Krtinspect", "4096")...)
		},
		"a CloudEvent that waits for nothing": func(f *fixture) reply {
			return f.request(http.MethodPost, f.web+"/workflows/flow", `{"text":"in"}`,
				append(binaryEvent("x", "application/json"), "Krt-Inspect", "1", "Prefer", "respond-async")...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			c := f.inspecting(f.version(node(t, "a", f.says("a", true))), &capture.Settings{}, quick())
			response := call(f)
			r := f.kept(c)
			require.Equal(t, r.ID, response.header.Get("Krt-Correlation-Id"))
			require.Empty(t, response.header.Get("Ce-Krtinspect"))
			require.Equal(t, "in>a", textOfPayload(t, r.Steps[0].Output))
		})
	}
}

// The attribute is the entrypoint's: what a client sends under that name has no effect.
func TestTheAttributeIsNotTheClients(t *testing.T) {
	f := newFixture(t)
	got := make(chan int, 1)
	v := f.version(entrypoint.Step{Node: "a"})
	v.Workflows[0].Address = node(t, "sequence", func(_ context.Context, in *event.Event) (int, *event.Event) {
		got <- in.Inspect
		f.post("/reply", in.Next("/krt/test/v1/a", event.TypeMessage, "test.Reply", f.text("test.Reply", "done")))
		return http.StatusAccepted, nil
	}).URL
	f.inspecting(v, &capture.Settings{}, quick())
	f.request(http.MethodPost, f.web+"/workflows/flow", `{"text":"in"}`,
		append(binaryEvent("x", "application/json"), "Ce-Krtinspect", "4096")...)
	require.Zero(t, <-got)
	f.request(http.MethodPost, f.web+"/workflows/flow", `{"text":"in"}`, append(binaryEvent("x", "application/json"), "Krt-Inspect", "1")...)
	require.Equal(t, capture.DefaultPayloadBytes, <-got)
}

func TestEarlyRepliesExitsAndErrorsAreKept(t *testing.T) {
	for name, c := range map[string]struct {
		outcome     event.Outcome
		code, early string
		output      string
	}{
		"reply": {event.OutcomeReply, "OK", "reply", "early"},
		"exit":  {event.OutcomeExit, "OK", "exit", "early"},
		"error": {event.OutcomeError, "INVALID_ARGUMENT", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			first := f.ending("etl", c.outcome, func(in *event.Event) *event.Event {
				if c.outcome == event.OutcomeError {
					return in.Fail("/krt/test/v1/etl", event.Failure{Code: 3, Text: "no such text", Node: "etl"})
				}
				return in.Next("/krt/test/v1/etl", event.TypeReply, "test.Reply", f.text("test.Reply", "early"))
			})
			client := f.inspecting(f.version(node(t, "etl", first), node(t, "model", f.says("model", true))), &capture.Settings{}, quick())
			_, _ = f.call(asking(t.Context()), "in")
			r := f.kept(client)
			require.Equal(t, c.code, r.Code)
			require.Equal(t, c.early, r.Early)
			if c.output == "" {
				require.Nil(t, r.Output)
				require.Equal(t, "no such text", r.Error)
				return
			}
			require.Equal(t, c.output, textOfPayload(t, r.Output))
		})
	}
}

// copied returns the copy that the runner of a node posts of what it responds with.
func (f *fixture) copied(in *event.Event, source, text string, steps ...string) *event.Event {
	out := in.Next("/krt/test/v1/"+source, event.TypeMessage, "test.Request", f.text("test.Request", text))
	for _, name := range steps {
		out.Steps = out.Steps.Append(ran(name, event.OutcomeOK))
	}
	return out
}

func TestASequencesNodesSendCopies(t *testing.T) {
	f := newFixture(t)
	v := f.version(entrypoint.Step{Node: "etl"}, entrypoint.Step{Node: "model"})
	var first *event.Event
	v.Workflows[0].Address = node(t, "sequence", func(_ context.Context, in *event.Event) (int, *event.Event) {
		first = in
		for _, e := range []*event.Event{
			f.copied(in, "etl", "in>etl", "etl"),
			f.copied(in, "stranger", "lie", "stranger"), // not a node of the workflow
			f.copied(in, "etl", "lie"),                  // of no step
		} {
			require.Equal(t, http.StatusAccepted, f.post("/inspect", e))
		}
		last := in.Next("/krt/test/v1/model", event.TypeMessage, "test.Reply", f.text("test.Reply", "done"))
		last.Steps = f.copied(in, "model", "", "etl", "model").Steps
		require.Equal(t, http.StatusAccepted, f.post("/reply", last))
		return http.StatusAccepted, nil
	}).URL
	c := f.inspecting(v, &capture.Settings{PayloadBytes: 1024}, quick())
	got, err := f.call(asking(t.Context()), "in")
	require.NoError(t, err)
	require.Equal(t, "done", got, "a copy is not a reply")
	require.Equal(t, 1024, first.Inspect)

	// Copies may come late, and cut.
	long := f.copied(first, "model", strings.Repeat("x", 5000), "etl", "model")
	header := http.Header{}
	cut := long.WriteCopy(header)
	require.Equal(t, http.StatusAccepted, f.postWith("/inspect", header, cut))
	r := f.kept(c)
	require.Equal(t, "in", textOfPayload(t, r.Steps[0].Input))
	require.Equal(t, "in>etl", textOfPayload(t, r.Steps[0].Output))
	require.Equal(t, "in>etl", textOfPayload(t, r.Steps[1].Input))
	require.Equal(t, len(long.Data), r.Steps[1].Output.Size)
	require.True(t, r.Steps[1].Output.Cut)
	require.Equal(t, "done", textOfPayload(t, r.Output))
	require.NotContains(t, f.metrics(), `krt_replies_dropped_total{reason="late"} 1`)
}

func TestHostileCopiesAreDropped(t *testing.T) {
	f := newFixture(t)
	var first *event.Event
	v := f.version(entrypoint.Step{Node: "etl"})
	v.Workflows[0].Address = node(t, "sequence", func(_ context.Context, in *event.Event) (int, *event.Event) {
		first = in
		last := in.Next("/krt/test/v1/etl", event.TypeMessage, "test.Reply", f.text("test.Reply", "done"))
		last.Steps = last.Steps.Append(ran("etl", event.OutcomeOK)) // the step that would show a copy
		f.post("/reply", last)
		return http.StatusAccepted, nil
	}).URL
	c := f.inspecting(v, &capture.Settings{PayloadBytes: 1024}, quick())
	_, err := f.call(asking(t.Context()), "in")
	require.NoError(t, err)
	for name, change := range map[string]func(e *event.Event){
		"no token":             func(e *event.Event) { e.ReplyToken = "" },
		"a forged token":       func(e *event.Event) { e.ReplyToken = strings.Repeat("A", 100) },
		"another request":      func(e *event.Event) { e.CorrelationID = hex.EncodeToString(make([]byte, 16)) },
		"a step that is not":   func(e *event.Event) { e.Steps = event.Steps("").Append(ran("model", event.OutcomeOK)) },
		"steps that are not":   func(e *event.Event) { e.Steps = "nonsense" },
		"an error":             func(e *event.Event) { e.Type = event.TypeError },
		"more than is kept":    func(e *event.Event) { e.Data = make([]byte, 1025) },
		"much more":            func(e *event.Event) { e.Data = make([]byte, 2<<20) },
		"without an event":     func(e *event.Event) { *e = event.Event{} },
		"a reply of the chain": func(e *event.Event) { e.Type = event.TypeReply },
	} {
		t.Run(name, func(t *testing.T) {
			e := f.copied(first, "etl", "lie", "etl")
			change(e)
			require.Equal(t, http.StatusAccepted, f.post("/inspect", e))
			got := f.kept(c)
			require.Len(t, got.Steps, 1)
			require.Nil(t, got.Steps[0].Output)
		})
	}
	require.Equal(t, http.StatusAccepted, f.post("/inspect", f.copied(first, "etl", "true", "etl")))
	require.Equal(t, "true", textOfPayload(t, f.kept(c).Steps[0].Output), "what is not changed is kept")
}

// A copy may reach any replica.
func TestACopyIsForwarded(t *testing.T) {
	key := []byte(strings.Repeat("k", 32))
	holder, taker := newFixture(t), newFixture(t)
	var first *event.Event
	v := holder.version(entrypoint.Step{Node: "etl"})
	v.Workflows[0].Address = node(t, "sequence", func(_ context.Context, in *event.Event) (int, *event.Event) {
		first = in
		last := in.Next("/krt/test/v1/etl", event.TypeMessage, "test.Reply", holder.text("test.Reply", "done"))
		last.Steps = last.Steps.Append(ran("etl", event.OutcomeOK))
		holder.post("/reply", last)
		return http.StatusAccepted, nil
	}).URL
	o := quick()
	o.Key = key
	c := holder.inspecting(v, &capture.Settings{}, o)
	taker.inspecting(v, &capture.Settings{}, o)
	_, err := holder.call(asking(t.Context()), "in")
	require.NoError(t, err)
	require.Equal(t, http.StatusAccepted, taker.post("/inspect", taker.copied(first, "etl", "lost", "etl"), "Krt-Forwarded", "1"))
	require.Equal(t, http.StatusAccepted, taker.post("/inspect", taker.copied(first, "etl", "in>etl", "etl")))
	require.Equal(t, "in>etl", textOfPayload(t, holder.kept(c).Steps[0].Output))
}

func TestDictsAreKeptAsTheyAre(t *testing.T) {
	f := newFixture(t)
	reply := handle(func(_ context.Context, in *event.Event) (int, *event.Event) {
		return http.StatusOK, in.Next("/krt/test/v1/b", event.TypeMessage, "test.Reply", nil)
	})
	c := f.inspecting(f.version(dictNode(t, "a", `{"text": "x", "count": 2.0}`), node(t, "b", reply)), &capture.Settings{}, quick())
	_, _ = f.call(asking(t.Context()), "in")
	require.JSONEq(t, `{"text":"x","count":2.0}`, string(f.kept(c).Steps[0].Output.JSON))
}

// What is kept is for this machine, under its own name.
func TestTheInspectionPortIsGuarded(t *testing.T) {
	f := newFixture(t)
	f.inspecting(f.version(node(t, "a", f.says("a", true))), nil, quick())
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.inspect+"/requests", http.NoBody)
	require.NoError(t, err)
	for host, want := range map[string]int{
		"":                  http.StatusOK,
		"localhost:9999":    http.StatusOK,
		"evil.example:8082": http.StatusMisdirectedRequest,
	} {
		request.Host = host
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, want, response.StatusCode, host)
	}
}

// Another version of a local run keeps other messages, from the next request on.
func TestSettingsChangeWithTheTable(t *testing.T) {
	f := newFixture(t)
	v := f.version(node(t, "a", f.says("a", true)))
	c := f.inspecting(v, &capture.Settings{Share: 100}, quick())
	_, err := f.call(t.Context(), "SECRET")
	require.NoError(t, err)
	require.Equal(t, "SECRET", textOfPayload(t, f.kept(c).Input))
	v.Inspect = &capture.Settings{Share: 100, Redact: []string{"text"}}
	_, err = f.entry.Update(v)
	require.NoError(t, err)
	_, err = f.call(t.Context(), "SECRET")
	require.NoError(t, err)
	require.Equal(t, "[redacted]", textOfPayload(t, f.kept(c).Input))
	v.Inspect = &capture.Settings{Share: 101}
	_, err = f.entry.Update(v)
	require.EqualError(t, err, `cannot serve version "v1": inspect: the share is 101; it must be from 0 to 100`)
}

// A follower does not keep an entrypoint from stopping.
func TestAFollowerLeavesWhenTheEntrypointStops(t *testing.T) {
	f := newFixture(t)
	c := f.inspecting(f.version(node(t, "a", f.says("a", true))), nil, quick())
	_, err := f.call(t.Context(), "in")
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, c.Follow(ctx, inspection.Filter{Limit: 1}, func(inspection.Line) error {
		f.stop()
		return nil
	}))
}
