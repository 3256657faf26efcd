package event

import (
	"context"
	"net/http"
	"strings"
	"testing"
)

const (
	parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	hop    = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"
	other  = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
)

// TestTraceParents: W3C Trace Context, 3.2.2 and 4.3.
func TestTraceParents(t *testing.T) {
	for name, c := range map[string]struct{ value, want string }{
		"sampled":                        {parent, parent},
		"not sampled":                    {parent[:53] + "00", parent[:53] + "00"},
		"a flag of level 2":              {parent[:53] + "03", parent[:53] + "03"},
		"absent":                         {"", ""},
		"short":                          {parent[:54], ""},
		"long":                           {parent + "0", ""},
		"longer, as of a later version":  {parent + "-00", ""},
		"trailing dash":                  {parent + "-", ""},
		"upper-case trace id":            {"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", ""},
		"upper-case span id":             {"00-0af7651916cd43dd8448eb211c80319c-B7AD6B7169203331-01", ""},
		"upper-case flags":               {parent[:53] + "0A", ""},
		"no hex in the trace id":         {"00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01", ""},
		"no hex in the span id":          {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333.-01", ""},
		"no hex in the flags":            {parent[:53] + "0x", ""},
		"no hex in the version":          {"0g" + parent[2:], ""},
		"zero trace id":                  {"00-00000000000000000000000000000000-b7ad6b7169203331-01", ""},
		"zero span id":                   {"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", ""},
		"other separators":               {strings.ReplaceAll(parent, "-", "_"), ""},
		"version ff":                     {"ff" + parent[2:], ""},
		"version FF":                     {"FF" + parent[2:], ""},
		"later version":                  {"01" + parent[2:], parent},
		"later version, longer":          {"cc" + parent[2:] + "-what-comes-then", parent},
		"later version, other flags":     {"cc" + parent[2:53] + "f8", parent[:53] + "00"},
		"later version, flags and more":  {"cc" + parent[2:53] + "09-x", parent},
		"later version, no dash behind":  {"cc" + parent[2:] + ".more", ""},
		"later version, zero trace id":   {"cc-00000000000000000000000000000000-b7ad6b7169203331-01-x", ""},
		"later version, short":           {"cc" + parent[2:54], ""},
		"later version, upper-case flag": {"cc" + parent[2:53] + "0F", ""},
		"a line of its own":              {parent[:52] + "\r\nX: y", ""},
		"junk":                           {strings.Repeat("a", 60<<10), ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := NewTrace(c.value, "a=b")
			want := Trace{Parent: c.want, State: "a=b"}
			if c.want == "" {
				want = Trace{}
			}
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

// TestCaller: only a span that is recorded can be the parent of others.
func TestCaller(t *testing.T) {
	unsampled := func(parent string) string { return parent[:53] + "00" }
	ofParent, ofHop := [8]byte{0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31}, step("").SpanID
	for name, c := range map[string]struct {
		attribute, header string
		want              [8]byte
	}{
		"neither":                {"", "", [8]byte{}},
		"the attribute":          {parent, "", ofParent},
		"the header":             {"", hop, ofHop},
		"both of one trace":      {parent, hop, ofHop},
		"a header of another":    {parent, other, ofParent},
		"a header not recorded":  {parent, unsampled(hop), ofParent},
		"a request not sampled":  {unsampled(parent), hop, [8]byte{}},
		"a header alone, not so": {"", unsampled(hop), [8]byte{}},
	} {
		if got := NewTrace(c.attribute, "").Caller(NewTrace(c.header, "")); got != c.want {
			t.Errorf("%s: got %x", name, got)
		}
	}
}

func TestTraceStates(t *testing.T) {
	long := strings.Repeat("a", MaxTraceState)
	for name, c := range map[string]struct{ value, want string }{
		"absent":         {"", ""},
		"a list":         {"vendor=1,other=a%41b", "vendor=1,other=a%41b"},
		"space around":   {" a=b\t", "a=b"},
		"the longest":    {long, long},
		"too long":       {long + "a", ""},
		"a line":         {"a=b\r\nX: y", ""},
		"control":        {"a=b\x00", ""},
		"no ASCII":       {"a=ü", ""},
		"delete":         {"a=\x7f", ""},
		"tabs inside it": {"a=b,\tc=d", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := NewTrace(parent, c.value); got != (Trace{parent, c.want}) {
				t.Errorf("got %+v", got)
			}
			h := http.Header{"Traceparent": {parent}, "Tracestate": {c.value}}
			if got := RequestTrace(h); got != (Trace{parent, c.want}) {
				t.Errorf("header: got %+v", got)
			}
		})
	}
}

// TestTraceAttributes: what cannot be used of a trace context fails no event.
func TestTraceAttributes(t *testing.T) {
	for name, c := range map[string]struct {
		parent, state string
		want          Trace
	}{
		"both":                 {parent, "a=b", Trace{parent, "a=b"}},
		"encoded":              {strings.ReplaceAll(parent, "-", "%2D"), "a=%20b", Trace{parent, "a= b"}},
		"encoded, the longest": {parent, strings.Repeat("%41", MaxTraceState), Trace{parent, strings.Repeat("A", MaxTraceState)}},
		"state too long":       {parent, strings.Repeat("a", 60<<10), Trace{parent, ""}},
		"state not encoded":    {parent, "a=%zz", Trace{parent, ""}},
		"state of two lines":   {parent, "a=b%0d%0aX: y", Trace{parent, ""}},
		"parent too long":      {strings.Repeat("a", 60<<10), "a=b", Trace{}},
		"parent not encoded":   {"%zz", "a=b", Trace{}},
		"state alone":          {"", "a=b", Trace{}},
	} {
		t.Run(name, func(t *testing.T) {
			h := http.Header{}
			full().WriteHeader(h)
			h["Ce-Traceparent"], h["Ce-Tracestate"] = []string{c.parent}, []string{c.state}
			e, err := ReadHeader(h)
			if err != nil {
				t.Fatal(err)
			}
			if e.Trace != c.want {
				t.Errorf("got %+v", e.Trace)
			}
		})
	}
}

func TestTraceOf(t *testing.T) {
	for name, c := range map[string]struct {
		parents, states []string
		want            Trace
	}{
		"none":          {nil, nil, Trace{}},
		"both":          {[]string{parent}, []string{"a=b"}, Trace{parent, "a=b"}},
		"states apart":  {[]string{parent}, []string{"a=b", "c=d"}, Trace{parent, "a=b,c=d"}},
		"two parents":   {[]string{parent, other}, []string{"a=b"}, Trace{}},
		"state alone":   {nil, []string{"a=b"}, Trace{}},
		"space around":  {[]string{" " + parent + " "}, nil, Trace{parent, ""}},
		"states longer": {[]string{parent}, []string{strings.Repeat("a", 300), strings.Repeat("b", 300)}, Trace{parent, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := TraceOf(c.parents, c.states); got != c.want {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestVia(t *testing.T) {
	start, near, foreign := Trace{parent, "a=b"}, Trace{hop, "c=d"}, Trace{other, ""}
	for name, c := range map[string]struct{ start, hop, want Trace }{
		"neither":       {Trace{}, Trace{}, Trace{}},
		"attribute":     {start, Trace{}, start},
		"header":        {Trace{}, near, near},
		"same trace":    {start, near, near},
		"another trace": {start, foreign, start},
	} {
		if got := c.start.Via(c.hop); got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

func TestTraceInContext(t *testing.T) {
	ctx := context.Background()
	if ContextWithTrace(ctx, Trace{}) != ctx || ContextTrace(ctx) != (Trace{}) {
		t.Error("no trace context changes the context")
	}
	want := Trace{parent, "a=b"}
	type key string
	traced := context.WithValue(ContextWithTrace(context.WithValue(ctx, key("below"), 1), want), key("above"), 2)
	for name, derived := range map[string]context.Context{"values": traced, "without cancel": context.WithoutCancel(traced)} {
		if got := ContextTrace(derived); got != want || derived.Value(key("below")) != 1 || derived.Value(key("above")) != 2 {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	if ContextWithTrace(canceled, want).Err() == nil {
		t.Error("the end of the context is lost")
	}
}

func TestTraceHeaders(t *testing.T) {
	for _, want := range []Trace{{}, {parent, ""}, {parent, "a=b"}} {
		h := http.Header{}
		want.WriteHeader(h)
		if got := RequestTrace(h); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if want.Parent == "" && len(h) > 0 {
			t.Errorf("headers of no trace context: %v", h)
		}
	}
}

// TestNoTraceCostsNothing: most requests have none.
func TestNoTraceCostsNothing(t *testing.T) {
	ctx, h := context.Background(), http.Header{}
	allocations := testing.AllocsPerRun(100, func() {
		ctx = ContextWithTrace(ctx, Trace{}.Via(RequestTrace(h)))
		ContextTrace(ctx).WriteHeader(h)
	})
	if allocations != 0 {
		t.Errorf("without a trace context: %v allocations", allocations)
	}
	h["Traceparent"] = []string{parent}
	if n := testing.AllocsPerRun(100, func() { _ = RequestTrace(h) }); n != 0 {
		t.Errorf("reading a trace context: %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { ctx = ContextWithTrace(context.Background(), RequestTrace(h)) }); n != 1 {
		t.Errorf("a context with it: %v allocations", n)
	}
}

func FuzzTrace(f *testing.F) {
	f.Add(parent, "a=b")
	f.Add("cc"+parent[2:]+"-more", " a=b ")
	f.Add("ff"+parent[2:], strings.Repeat("a", MaxTraceState+1))
	f.Add("00-00000000000000000000000000000000-0000000000000000-00", "\r\n")
	f.Fuzz(func(t *testing.T, parent, state string) {
		got := NewTrace(parent, state)
		if got.Parent == "" {
			if got != (Trace{}) {
				t.Fatalf("a state without its traceparent: %+v", got)
			}
			return
		}
		if len(got.Parent) != 55 || got.Parent[:3] != "00-" || got.Parent[2:52] != parent[2:52] || got.ID() != parent[3:35] {
			t.Fatalf("%q became %q", parent, got.Parent)
		}
		if len(got.State) > MaxTraceState || strings.ContainsFunc(got.State, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Fatalf("tracestate %q", got.State)
		}
		if again := NewTrace(got.Parent, got.State); again != got {
			t.Fatalf("%+v became %+v", got, again)
		}
	})
}

// TestChild: a span of the same trace, of the same flags and state.
func TestChild(t *testing.T) {
	span := [8]byte{0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7}
	for _, flags := range []string{"01", "00", "03"} {
		of := NewTrace(parent[:53]+flags, "a=b")
		got := of.Child(span)
		if want := (Trace{Parent: hop[:53] + flags, State: "a=b"}); got != want || NewTrace(got.Parent, got.State) != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if got.ID() != of.ID() || got.SpanID() != "00f067aa0ba902b7" || of.SpanID() != "b7ad6b7169203331" {
			t.Errorf("%q, %q and %q", got.ID(), got.SpanID(), of.SpanID())
		}
	}
	if got := (Trace{}).Child(span); got != (Trace{}) || got.SpanID() != "" {
		t.Errorf("got %+v", got)
	}
	if n := testing.AllocsPerRun(100, func() { _ = NewTrace(parent, "").Child(span) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

func TestRootTrace(t *testing.T) {
	id := [16]byte{0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd, 0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c}
	span := [8]byte{0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31}
	got := RootTrace(id, span)
	if want := (Trace{Parent: parent}); got != want || got.Span() != span {
		t.Errorf("got %+v, span %x", got, got.Span())
	}
	if got := (Trace{}).Span(); got != [8]byte{} {
		t.Errorf("got %x", got)
	}
	if one, other := NewSpan(), NewSpan(); one == other {
		t.Error("two spans have the same id")
	}
}

func TestWithSampled(t *testing.T) {
	for flags, want := range map[string][2]string{
		"00": {"00", "01"}, "01": {"00", "01"}, "02": {"02", "03"}, "03": {"02", "03"}, "0e": {"0e", "0f"},
	} {
		of := NewTrace(parent[:53]+flags, "a=b")
		for i, sampled := range []bool{false, true} {
			got := of.WithSampled(sampled)
			if wanted := (Trace{Parent: parent[:53] + want[i], State: "a=b"}); got != wanted || got.Sampled() != sampled {
				t.Errorf("%s, %v: got %+v", flags, sampled, got)
			}
		}
	}
	if got := (Trace{}).WithSampled(true); got != (Trace{}) {
		t.Errorf("got %+v", got)
	}
}
