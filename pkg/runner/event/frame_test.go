package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

func failed() *status.Status {
	return Failure{Code: code.Code_INTERNAL, Reason: ReasonHandlerError, Text: "error in 'output': <ü>", Node: "output"}.Status()
}

func TestFrames(t *testing.T) {
	body := AppendFrame(nil, []byte("\x0a\x05Hello"))
	body = AppendFrame(body, nil)
	body = AppendEnd(body, End{})
	if want := "\x00\x00\x00\x00\x07\x0a\x05Hello" + "\x00\x00\x00\x00\x00" + "\x02\x00\x00\x00\x02{}"; string(body) != want {
		t.Fatalf("got %q", body)
	}
	for name, r := range map[string]io.Reader{"whole": bytes.NewReader(body), "bytes": iotest.OneByteReader(bytes.NewReader(body))} {
		t.Run(name, func(t *testing.T) {
			for _, want := range []struct {
				end     bool
				payload string
			}{{false, "\x0a\x05Hello"}, {false, ""}, {true, "{}"}} {
				end, length, err := ReadFrame(r, 7)
				if err != nil || end != want.end || length != len(want.payload) {
					t.Fatalf("got %v, %d, %v", end, length, err)
				}
				if payload, err := ReadBody(r, int64(length), 7); err != nil || string(payload) != want.payload {
					t.Fatalf("got %q, %v", payload, err)
				}
			}
			if _, _, err := ReadFrame(r, 7); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestReadFrameRefuses(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		body io.Reader
		want error
		text string
	}{
		"nothing":               {strings.NewReader(""), io.ErrUnexpectedEOF, "unexpected EOF"},
		"half a header":         {strings.NewReader("\x00\x00"), io.ErrUnexpectedEOF, "unexpected EOF"},
		"broken":                {iotest.ErrReader(broken), broken, "broken"},
		"compressed":            {strings.NewReader("\x01\x00\x00\x00\x00"), ErrFrame, "not a frame of a stream: its flags are 0x01"},
		"text of a queue-proxy": {strings.NewReader("request timeout"), ErrFrame, "not a frame of a stream: its flags are 0x72"},
		"message too large":     {strings.NewReader("\x00\x00\x00\x00\x08"), ErrTooLarge, "event data too large: 8 bytes, the limit is 7"},
		"4 GiB":                 {strings.NewReader("\x00\xff\xff\xff\xff"), ErrTooLarge, "4294967295 bytes"},
		"end too large":         {strings.NewReader("\x02\x00\x01\x00\x01"), ErrTooLarge, "65537 bytes, the limit is 65536"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := ReadFrame(c.body, 7); !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestEndsRoundTrip(t *testing.T) {
	for name, e := range map[string]End{
		"least": {}, "steps": {Steps: etl}, "next": {Next: true}, "replied": {Steps: etl + "," + model, Replied: true},
		"failure": {Failure: failed(), Steps: etl},
		"bare":    {Failure: &status.Status{Code: int32(code.Code_UNAVAILABLE)}},
	} {
		t.Run(name, func(t *testing.T) {
			frame := AppendEnd(nil, e)
			end, length, err := ReadFrame(bytes.NewReader(frame), 0)
			if err != nil || !end || length != len(frame)-FrameHeader {
				t.Fatalf("got %v, %d, %v", end, length, err)
			}
			got, err := ParseEnd(frame[FrameHeader:])
			if err != nil || !sameEnd(got, e) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

// The usual end is written and read by hand, as encoding/json would.
func TestTheUsualEndIsJSON(t *testing.T) {
	for _, steps := range []string{"", string(etl), string(etl + "," + model), `a"b`, `a\b`, "<é>&", "a\nb", "a\x7f"} {
		want, err := json.Marshal(endJSON{Metadata: map[string][]string{metadataSteps: {steps}}})
		if steps == "" {
			want, err = json.Marshal(endJSON{})
		}
		got := AppendEnd(nil, End{Steps: Steps(steps)})[FrameHeader:]
		if err != nil || string(got) != string(want) {
			t.Errorf("got %s, want %s, %v", got, want, err)
		}
		if end, err := ParseEnd(want); err != nil || string(end.Steps) != steps {
			t.Errorf("%s: got %+v, %v", want, end, err)
		}
	}
	if end, err := ParseEnd([]byte(`{"metadata":{"krtsteps":["a","b"]}}`)); err != nil || end.Steps != "a" {
		t.Errorf("got %+v, %v", end, err)
	}
}

func sameEnd(a, b End) bool {
	return proto.Equal(a.Failure, b.Failure) && a.Steps == b.Steps && a.Next == b.Next && a.Replied == b.Replied
}

func TestCodesAreConnects(t *testing.T) {
	for n, name := range code.Code_name {
		want := strings.ToLower(strings.Replace(name, "CANCELLED", "CANCELED", 1))
		if n == 0 {
			want = "unknown"
		}
		if got := codeName(n); got != want {
			t.Errorf("%s: got %q", name, got)
		}
		if n > 0 && codeOf(want) != n {
			t.Errorf("%q: got %d", want, codeOf(want))
		}
	}
	unknown := int32(code.Code_UNKNOWN)
	if codeName(99) != "unknown" || codeName(-1) != "unknown" || codeOf("odd") != unknown || codeOf("") != unknown {
		t.Error("a code that there is not is not UNKNOWN")
	}
}

func TestParseEnd(t *testing.T) {
	for name, c := range map[string]struct {
		payload string
		want    End
	}{
		"unknown code":   {`{"error":{"code":"odd","message":"x"}}`, End{Failure: &status.Status{Code: 2, Message: "x"}}},
		"empty error":    {`{"error":{}}`, End{Failure: &status.Status{Code: 2}}},
		"no error":       {`{"error":null,"metadata":null,"more":[1]}`, End{}},
		"other metadata": {`{"metadata":{"x":["1"],"krtnext":[],"krtreplied":["0"]}}`, End{}},
		"steps too long": {`{"metadata":{"krtsteps":["` + strings.Repeat("x", 5121) + `"]}}`, End{}},
		"encoded steps":  {`{"metadata":{"krtsteps":["a%20b"]}}`, End{}},
		"padded detail":  {`{"error":{"code":"internal","details":[{"type":"a.B","value":"eA=="}]}}`, end(13, "a.B", "x")},
		"malformed details": {`{"error":{"code":"internal","details":[{"type":"a.B","value":"*"},{"type":"a/B","value":"eA"},` +
			`{"type":"a.C","value":"eA"}]}}`, end(13, "a.C", "x")},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := ParseEnd([]byte(c.payload)); err != nil || !sameEnd(got, c.want) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	for _, payload := range []string{"", "[]", "{", `{"error":1}`, `{} {}`, strings.Repeat(" ", MaxEnd) + "{}"} {
		if got, err := ParseEnd([]byte(payload)); !errors.Is(err, ErrFrame) {
			t.Errorf("%.10q: got %+v, %v", payload, got, err)
		}
	}
}

func end(n int32, typ, value string) End {
	detail := &anypb.Any{TypeUrl: typeURLPrefix + typ, Value: []byte(value)}
	return End{Failure: &status.Status{Code: n, Details: []*anypb.Any{detail}}}
}

// TestEndsAreBounded: whatever a handler makes of its error, a client can read the end.
func TestEndsAreBounded(t *testing.T) {
	s := end(13, "a.B", strings.Repeat("x", MaxEnd)).Failure
	s.Message = strings.Repeat("\x00", MaxEnd)
	frame := AppendEnd(nil, End{Failure: s, Steps: Steps(strings.Repeat("<", maxStepsBytes))})
	if len(frame) > FrameHeader+MaxEnd {
		t.Fatalf("got %d bytes", len(frame))
	}
	got, err := ParseEnd(frame[FrameHeader:])
	if err != nil || got.Failure.GetCode() != 13 || len(got.Failure.GetMessage()) < maxEndText-8 || len(got.Failure.GetDetails()) != 0 {
		t.Errorf("got %d bytes of text, %v", len(got.Failure.GetMessage()), err)
	}
	if frame = AppendEnd(nil, End{Steps: Steps(strings.Repeat("x", maxStepsBytes+1))}); string(frame[FrameHeader:]) != "{}" {
		t.Errorf("got %d bytes", len(frame))
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add(AppendEnd(AppendFrame(nil, []byte("abc")), End{Failure: failed(), Steps: etl}), int64(4))
	f.Add([]byte("request timeout"), int64(1<<20))
	f.Add([]byte("\x00\xff\xff\xff\xff"), int64(1<<20))
	f.Fuzz(func(t *testing.T, body []byte, limit int64) {
		if limit < 0 || limit > 1<<20 {
			return
		}
		r := bytes.NewReader(body)
		for range len(body)/FrameHeader + 1 {
			end, length, err := ReadFrame(r, limit)
			if err != nil {
				return
			}
			if end && length > MaxEnd || !end && int64(length) > limit {
				t.Fatalf("a payload of %d bytes was accepted", length)
			}
			if n, _ := io.CopyN(io.Discard, r, int64(length)); end || n < int64(length) {
				return
			}
		}
		t.Fatal("there were more frames than the body has room for")
	})
}

func FuzzParseEnd(f *testing.F) {
	f.Add([]byte(`{}`))
	f.Add(AppendEnd(nil, End{Failure: failed(), Steps: etl, Next: true, Replied: true})[FrameHeader:])
	f.Add([]byte(`{"error":{"code":"","message":"\ud800","details":[{"type":"a.B","value":"eA=="}]},"metadata":{"krtsteps":["` + etl + `"]}}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		e, err := ParseEnd(payload)
		if err != nil {
			return
		}
		if e.Failure != nil && (e.Failure.GetCode() < 1 || e.Failure.GetCode() > 16) {
			t.Fatalf("got the code %d", e.Failure.GetCode())
		}
		if _, err := proto.Marshal(e.Failure); err != nil {
			t.Fatal(err)
		}
		// What was read is written so that it is read again.
		again, err := ParseEnd(AppendEnd(nil, e)[FrameHeader:])
		if err != nil {
			t.Fatal(err)
		}
		if len(e.Failure.GetMessage()) < maxEndText && len(payload) < MaxEnd/8 && !sameEnd(again, e) {
			t.Fatalf("%+v became %+v", e, again)
		}
	})
}
