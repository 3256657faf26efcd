package event

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func full() *Event {
	return &Event{
		ID: "1", Source: Source("ns", "v1", "model"), Type: TypeMessage, Message: "pkg.Request",
		CorrelationID: "c", CausationID: "b", Workflow: "flow",
		Deadline: time.Date(2024, 5, 6, 7, 8, 9, 123456789, time.UTC),
		Replied:  true, ReplyToken: strings.Repeat("t", 300), Trace: Trace{Parent: parent, State: "a=b"},
		Steps: etl, Inspect: 65536, Mirror: true, Stream: Stream{Last: "output", Message: "pkg.Token"},
	}
}

func TestHeadersRoundTrip(t *testing.T) {
	for name, change := range map[string]func(*Event){
		"full":           func(*Event) {},
		"least":          func(e *Event) { *e = Event{ID: "1", Source: "/x", Type: TypeReply} },
		"odd characters": func(e *Event) { e.ID, e.Workflow, e.Trace.State = "a b\"c%d\r\nX: y", "€\x00\x7fü", "a=b \"%,c=d" },
		"all bytes": func(e *Event) {
			e.ID = ""
			for i := range 256 {
				e.ID += string([]byte{byte(i)})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			e, h := full(), http.Header{}
			change(e)
			e.WriteHeader(h)
			// As they come over the wire: nothing in a value may end it.
			var wire bytes.Buffer
			if err := h.Write(&wire); err != nil {
				t.Fatal(err)
			}
			for _, line := range strings.Split(strings.TrimSuffix(wire.String(), "\r\n"), "\r\n") {
				if strings.ContainsAny(line, "\r\n\x00") || !strings.Contains(line, ": ") {
					t.Errorf("line %q", line)
				}
			}
			got, err := ReadHeader(h)
			if err != nil {
				t.Fatal(err)
			}
			if !got.Deadline.Equal(e.Deadline) {
				t.Errorf("deadline %v", got.Deadline)
			}
			got.Deadline = e.Deadline
			if !reflect.DeepEqual(got, e) {
				t.Errorf("got %+v, want %+v", got, e)
			}
		})
	}
}

func TestHeadersAreTheBindings(t *testing.T) {
	e, h := full(), http.Header{}
	e.ReplyToken, e.Trace.State, e.Steps = "", "", etl+","+model
	e.Workflow = "größe \"x\" 5%"
	e.WriteHeader(h)
	want := http.Header{
		"Ce-Specversion": {"1.0"}, "Ce-Id": {"1"}, "Ce-Source": {"/krt/ns/v1/model"}, "Ce-Type": {"dev.krt.message"},
		"Content-Type": {"application/protobuf"}, "Ce-Dataschema": {"https://type.googleapis.com/pkg.Request"},
		"Ce-Correlationid": {"c"}, "Ce-Causationid": {"b"},
		"Ce-Krtworkflow": {"gr%C3%B6%C3%9Fe%20%22x%22%205%25"},
		"Ce-Krtdeadline": {"2024-05-06T07:08:09.123456789Z"}, "Ce-Krtreplied": {"1"}, "Ce-Traceparent": {parent},
		"Ce-Krtsteps": {etl + "," + model}, "Ce-Krtinspect": {"65536"}, "Ce-Krtmirror": {"1"},
		"Ce-Krtstream": {"output;pkg.Token"},
	}
	if !reflect.DeepEqual(h, want) {
		t.Errorf("got %v, want %v", h, want)
	}
	for name := range h {
		if name != http.CanonicalHeaderKey(name) {
			t.Errorf("%s is not in canonical form", name)
		}
	}
}

// The values share an array: one must not be appended into the next.
func TestHeaderValuesStandAlone(t *testing.T) {
	h := http.Header{}
	full().WriteHeader(h)
	h.Add("Ce-Id", "2")
	if h.Get("Ce-Source") != full().Source {
		t.Errorf("got %v", h)
	}
}

func TestReadHeaderRefuses(t *testing.T) {
	for name, c := range map[string]struct{ header, value, want string }{
		"no event":     {"Ce-Specversion", "", ErrNoEvent.Error()},
		"old event":    {"Ce-Specversion", "0.3", `ce-specversion: "0.3" is not supported`},
		"no id":        {"Ce-Id", "", "ce-id: missing"},
		"no source":    {"Ce-Source", "", "ce-source: missing"},
		"no type":      {"Ce-Type", "", "ce-type: missing"},
		"long":         {"Ce-Krtreply", strings.Repeat("x", 2049), "ce-krtreply: longer than 2048 bytes"},
		"bad encoding": {"Ce-Krtworkflow", "100%", `ce-krtworkflow: invalid URL escape "%"`},
		"year 10000":   {"Ce-Krtdeadline", "9999-12-31T23:59:59-23:59", "is not a time of RFC 3339"},
		"bad deadline": {"Ce-Krtdeadline", strings.Repeat("soon", 30), "…\" is not a time of RFC 3339"},
	} {
		t.Run(name, func(t *testing.T) {
			h := http.Header{}
			full().WriteHeader(h)
			h[c.header] = []string{c.value}
			e, err := ReadHeader(h)
			if err == nil {
				t.Fatalf("got %+v", e)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q", err)
			}
		})
	}
}

func TestReadBody(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		body   io.Reader
		length int64
		want   string
		err    error
	}{
		"empty":                 {strings.NewReader(""), 0, "", nil},
		"known length":          {strings.NewReader("abcd"), 4, "abcd", nil},
		"in pieces":             {iotest.OneByteReader(strings.NewReader("abcd")), 4, "abcd", nil},
		"unknown length":        {strings.NewReader("abcd"), -1, "abcd", nil},
		"more than said":        {strings.NewReader("abcd"), 3, "abc", nil},
		"less than said":        {strings.NewReader("ab"), 3, "", io.ErrUnexpectedEOF},
		"known and too long":    {strings.NewReader("abcde"), 5, "", ErrTooLarge},
		"unknown and too long":  {strings.NewReader("abcde"), -1, "", ErrTooLarge},
		"broken":                {iotest.ErrReader(broken), 3, "", broken},
		"broken unknown length": {iotest.ErrReader(broken), -1, "", broken},
	} {
		t.Run(name, func(t *testing.T) {
			data, err := ReadBody(c.body, c.length, 4)
			if !errors.Is(err, c.err) {
				t.Fatalf("got error %v", err)
			}
			if err == nil && string(data) != c.want {
				t.Errorf("got %q", data)
			}
		})
	}
}

func TestNext(t *testing.T) {
	e := full()
	for typ, id := range map[string]string{TypeMessage: "1", TypeReply: "1-reply", TypeError: "1-error"} {
		next := e.Next("/s", typ, "pkg.Other", []byte("x"))
		want := *e
		want.ID, want.CausationID, want.Source, want.Type, want.Message, want.Data = id, "1", "/s", typ, "pkg.Other", []byte("x")
		if !reflect.DeepEqual(*next, want) {
			t.Errorf("%s: got %+v, want %+v", typ, next, want)
		}
	}
	if !reflect.DeepEqual(e, full()) {
		t.Error("the event was changed")
	}
}

func TestAny(t *testing.T) {
	message, data, err := Encode(wrapperspb.String("x"))
	if err != nil {
		t.Fatal(err)
	}
	out := &wrapperspb.StringValue{}
	if err := (&Event{Message: message, Data: data}).Any().UnmarshalTo(out); err != nil || out.GetValue() != "x" {
		t.Errorf("got %v, %v", out, err)
	}
	if _, _, err := Encode(wrapperspb.String("\xff")); err == nil {
		t.Error("text that is no UTF-8 was encoded")
	}
}

func TestExpired(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		deadline time.Time
		want     bool
	}{{time.Time{}, false}, {now, false}, {now.Add(-1), true}, {now.Add(1), false}} {
		if got := (&Event{Deadline: c.deadline}).Expired(now); got != c.want {
			t.Errorf("%v: got %v", c.deadline, got)
		}
	}
}

func TestMessageName(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "a.B": "a.B", "type.googleapis.com/a.B": "a.B", "https://type.googleapis.com/a.B": "a.B", "x/": "",
	} {
		if got := MessageName(in); got != want {
			t.Errorf("%q: got %q", in, got)
		}
	}
}

func TestFail(t *testing.T) {
	for _, text := range []string{"error in 'model': x", "no UTF-8 \xff"} {
		e := full().Fail("/s", Failure{Code: code.Code_INTERNAL, Reason: ReasonHandlerError, Text: text, Node: "model"})
		s, err := e.Status()
		if err != nil {
			t.Fatal(err)
		}
		if e.Type != TypeError || e.Message != "google.rpc.Status" || s.GetCode() != int32(code.Code_INTERNAL) || len(s.GetDetails()) != 1 ||
			utf8.ValidString(text) && s.GetMessage() != text {
			t.Errorf("got %v, %v", e, s)
		}
	}
	if _, err := (&Event{Data: []byte{0xff}}).Status(); err == nil {
		t.Error("a broken status was read")
	}
}

func FuzzHeader(f *testing.F) {
	f.Add("1", "/s", "dev.krt.message", "https://type.googleapis.com/a.B", "2024-05-06T07:08:09.5Z", "t", "a%20b")
	f.Add("%", "%zz", "\"", "/", "9999-12-31T23:59:59+23:59", "", "\r\n")
	f.Add("1", "/s", "t", "", "9999-12-31T23:59:59-23:59", "", "")
	f.Add("%00%ff", "%25", "%0d%0a", "a", "0000-01-01T00:00:00-23:59", "%", "ü")
	f.Fuzz(func(t *testing.T, id, source, typ, schema, deadline, token, workflow string) {
		h := http.Header{
			"Ce-Specversion": {"1.0"}, "Ce-Id": {id}, "Ce-Source": {source}, "Ce-Type": {typ}, "Ce-Dataschema": {schema},
			"Ce-Krtdeadline": {deadline}, "Ce-Krtreply": {token}, "Ce-Krtworkflow": {workflow},
		}
		e, err := ReadHeader(h)
		if err != nil {
			return
		}
		// What was read is written so that it is read again, and is one line each.
		out := http.Header{}
		e.WriteHeader(out)
		for name, values := range out {
			for _, c := range []byte(values[0]) {
				if c <= ' ' || c > '~' {
					t.Fatalf("%s: byte %#x", name, c)
				}
			}
		}
		again, err := ReadHeader(out)
		if err != nil {
			// Encoding may make a value longer than may be read.
			if strings.Contains(err.Error(), "longer than") {
				return
			}
			t.Fatal(err)
		}
		if !again.Deadline.Equal(e.Deadline) {
			t.Fatalf("deadline %v became %v", e.Deadline, again.Deadline)
		}
		again.Deadline = e.Deadline
		if !reflect.DeepEqual(again, e) {
			t.Fatalf("%+v became %+v", e, again)
		}
	})
}

func FuzzBody(f *testing.F) {
	f.Add([]byte("abc"), int64(3), int64(4))
	f.Add([]byte("abc"), int64(-1), int64(2))
	f.Add([]byte(""), int64(5), int64(5))
	f.Fuzz(func(t *testing.T, body []byte, length, limit int64) {
		if limit < 0 || limit > 1<<20 {
			return
		}
		data, err := ReadBody(bytes.NewReader(body), length, limit)
		if err == nil && (int64(len(data)) > limit || !bytes.HasPrefix(body, data)) {
			t.Fatalf("got %q", data)
		}
		if err == nil && length < 0 && len(data) != len(body) {
			t.Fatalf("got %d of %d bytes", len(data), len(body))
		}
	})
}
