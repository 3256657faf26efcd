package capture

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"krt.dev/kn-krt/pkg/runner/dict"
)

// shown keeps a message and returns it as a reader gets it, in JSON without spaces.
func shown(t *testing.T, c *Contract, name string, data []byte) string {
	t.Helper()
	p := c.show(c.keep(name, data, len(data)))
	require.Empty(t, p.Note)
	require.True(t, json.Valid(p.JSON), "%s", p.JSON)
	return string(p.JSON)
}

func TestMessagesAreShownAsJSON(t *testing.T) {
	c := contract(t, Settings{})
	require.Equal(t, `{"text":"a<b","card":{"number":"4","code":"9007199254740993","owner":""},"cards":[{"number":"","code":"0","owner":""}],`+
		`"named":{"x":{"number":"","code":"0","owner":""}},"labels":{"a":"b"},"extra":{"k":[1,null,true,{"z":"y"}]},`+
		`"any":{"@type":"type.googleapis.com/t.Card","number":"1","code":"0","owner":""},"at":"2026-01-02T03:04:05Z","word":"w",`+
		`"data":"AQI=","ratio":"NaN","colour":"RED","left":"l","maybe":0,"hiddenName":"shown"}`,
		shown(t, c, "t.All", all(t, `{"text":"a<b","card":{"number":"4","code":"9007199254740993"},"cards":[{}],"named":{"x":{}},
			"labels":{"a":"b"},"extra":{"k":[1,null,true,{"z":"y"}]},
			"any":{"@type":"type.googleapis.com/t.Card","number":"1"},"at":"2026-01-02T03:04:05Z","word":"w",
			"data":"AQI=","ratio":"NaN","colour":"RED","left":"l","maybe":0,"hiddenName":"shown"}`)))
	require.Equal(t, `{"text":"","cards":[],"named":{},"labels":{},"data":"","ratio":0,"colour":"NONE","hiddenName":""}`,
		shown(t, c, "t.All", nil))
	require.Equal(t, `"2026-01-02T03:04:05Z"`, shown(t, c, "google.protobuf.Timestamp", protowire.AppendVarint([]byte{8}, 1767323045)))
}

func TestDictsAreShownAsTheyAre(t *testing.T) {
	name, data, err := dict.Encode([]byte(`{"b":2.0,"a":[1,9007199254740993]}`))
	require.NoError(t, err)
	require.Equal(t, `{"b":2.0,"a":[1,9007199254740993]}`, shown(t, contract(t, Settings{}), name, data))
	require.Equal(t, `{"a":"[redacted]","b":2}`, shown(t, contract(t, Settings{Redact: []string{"a"}}), name, data))
}

func TestRedacted(t *testing.T) {
	const in = `{"text":"plain","card":{"number":"SECRET","code":"7","owner":"o"},"cards":[{"number":"SECRET"},{"number":"SECRET"}],
		"named":{"x":{"number":"SECRET"}},"labels":{"a":"b","password":"SECRET"},
		"extra":{"card":{"number":"SECRET","k":1},"list":[{"pass_word":"SECRET"}]},
		"any":{"@type":"type.googleapis.com/t.Card","number":"SECRET"},"word":"SECRET","left":"SECRET","data":"U0VDUkVU","hiddenName":"SECRET",
		"secretCode":"SECRET"}`
	registry := files(t, true)
	c, err := NewContract(registry, Settings{Redact: []string{
		"card.number", "cards.number", "named.number", "any.number", "password", "word.value", "left", "data", "secret_code",
	}})
	require.NoError(t, err)
	ring := New()
	k := ring.Begin(c, "a", []string{"etl"})
	k.Input("t.All", all(t, in))
	k.Step(0, "t.All", all(t, in), 0)
	k.Output("t.All", all(t, in))
	ring.Observe(of("a", "etl"))
	require.NotContains(t, bytesOf(ring), "SECRET")
	require.Contains(t, bytesOf(ring), "plain", "the dump holds what is kept")

	got := string(ring.get("a").Input.JSON)
	require.NotContains(t, got, "SECRET")
	require.Contains(t, got, `"card":{"number":"[redacted]","code":"7","owner":"o"},"cards":[{"number":"[redacted]",`)
	require.Contains(t, got, `"labels":{"a":"b","password":"[redacted]"}`)
	require.Contains(t, got, `"extra":{"card":{"k":1,"number":"[redacted]"},"list":[{"pass_word":"[redacted]"}]}`)
	require.Contains(t, got, `"word":"[redacted]","data":"[redacted]"`)
	require.Contains(t, got, `"left":"[redacted]"`)
	require.Contains(t, got, `"secretCode":"[redacted]"`)
	require.Contains(t, got, `"hiddenName":"[redacted]"`)
	// Whether a value was set is not shown either, but for the members of a oneof.
	require.Contains(t, shown(t, c, "t.All", nil), `"hiddenName":"[redacted]"`)
	require.Contains(t, shown(t, c, "t.All", nil), `"secretCode":"[redacted]"`, "optional is no oneof")
	require.NotContains(t, shown(t, c, "t.All", nil), `"left"`)
}

func TestNothingIsKeptOfWhatCannotBeDecoded(t *testing.T) {
	c := contract(t, Settings{Redact: []string{"number"}})
	secret := all(t, `{"card":{"number":"SECRET"}}`)
	const because = "not kept, because it cannot be decoded to find the values that must not be kept: "
	for name, c2 := range map[string]struct {
		name, note string
		data       []byte
	}{
		"unknown type": {"t.Other", "its type is not in the version's protos", secret},
		"no type":      {"", "its type was not declared (dataschema is missing)", secret},
		"broken":       {"t.All", "proto:", append(secret, 0xff)},
		"not UTF-8":    {"t.All", "proto:", append(secret, 10, 1, 0xff)},
		"an enum":      {"t.Colour", "its type is not in the version's protos", secret},
	} {
		t.Run(name, func(t *testing.T) {
			m := c.keep(c2.name, c2.data, len(c2.data))
			require.NotContains(t, bytesOf(m), "SECRET")
			p := c.show(m)
			require.Contains(t, p.Note, because+c2.note)
			require.Empty(t, p.Base64)
			require.Equal(t, len(c2.data), p.Size)
		})
	}
	// An Any of an unknown type hides in a message that can be decoded.
	hidden := protowire.AppendBytes([]byte{7<<3 | 2},
		append(protowire.AppendString([]byte{10}, "x/t.Other"), protowire.AppendString([]byte{18}, "SECRET")...))
	require.Contains(t, shown(t, c, "t.All", hidden), `"any":{"@type":"x/t.Other","value":"[redacted]"}`)
}

func TestWhatCannotBeDecodedIsShownAsBase64(t *testing.T) {
	c := contract(t, Settings{})
	p := c.show(c.keep("t.Other", []byte{1, 2}, 2))
	require.Equal(t, "AQI=", p.Base64)
	require.Equal(t, "cannot be decoded: its type is not in the version's protos", p.Note)
	require.Contains(t, c.show(c.keep("t.All", []byte{0xff}, 1)).Note, "cannot be decoded: proto:")
	many := strings.Repeat("\x1a\x00", maxMessages+1) // empty cards
	require.Contains(t, c.show(c.keep("t.All", []byte(many), len(many))).Note, "it has more than 20000 messages in it")
}

func TestLongMessagesAreCut(t *testing.T) {
	long := all(t, `{"text":"begin","cards":[{"number":"1"},{"number":"`+strings.Repeat("x", 5000)+`SECRET"}],"ratio":2}`)
	for name, redact := range map[string][]string{"as they are": nil, "redacted": {"number"}} {
		t.Run(name, func(t *testing.T) {
			c := contract(t, Settings{PayloadBytes: LeastPayloadBytes, Redact: redact})
			m := c.keep("t.All", long, len(long))
			require.LessOrEqual(t, len(m.data), LeastPayloadBytes+64)
			require.NotContains(t, bytesOf(m), "SECRET")
			p := c.show(m)
			require.True(t, p.Cut)
			require.Equal(t, len(long), p.Size)
			require.Equal(t, "only the fields that fit into 1024 bytes are kept", p.Note)
			require.True(t, json.Valid(p.JSON), "%s", p.JSON)
			require.Contains(t, string(p.JSON), `{"text":"begin","cards":[{"number":`)
		})
	}
	// What fits is kept wherever it is, and what is not there is not shown as empty.
	long = all(t, `{"text":"`+strings.Repeat("SECRET", 500)+`","card":{"owner":"o"},"ratio":2}`)
	for text, redact := range map[string][]string{
		`{"card":{"owner":"o"},"ratio":2}`:                       nil,
		`{"card":{"number":"[redacted]","owner":"o"},"ratio":2}`: {"number"},
		`{"text":"[redacted]","card":{"code":"0","number":"","owner":"o"},"cards":[],"named":{},"labels":{},"data":"","ratio":2,` +
			`"colour":"NONE","hiddenName":""}`: {"text"},
	} {
		p := contract(t, Settings{PayloadBytes: LeastPayloadBytes, Redact: redact})
		got := p.show(p.keep("t.All", long, len(long)))
		require.JSONEq(t, text, string(got.JSON))
		require.Equal(t, !strings.Contains(text, "cards"), got.Cut, "nothing is missing but a value that is never shown")
	}
	// What a node has cut already.
	c := contract(t, Settings{})
	p := c.show(c.keep("t.All", long[len(long)-14:], len(long)))
	require.JSONEq(t, `{"card":{"owner":"o"},"ratio":2}`, string(p.JSON))
	require.True(t, p.Cut)
	require.Equal(t, len(long), p.Size)
}

// JSON that is much longer than the message ends at a bound.
func TestLongJSONIsCut(t *testing.T) {
	c := contract(t, Settings{PayloadBytes: LeastPayloadBytes})
	cards := strings.Repeat("\x1a\x00", LeastPayloadBytes/2)
	p := c.show(c.keep("t.All", []byte(cards), len(cards)))
	require.True(t, p.Cut)
	require.True(t, json.Valid(p.JSON), "%s", p.JSON)
	require.Less(t, len(p.JSON), growth*LeastPayloadBytes+64)
	deep := []byte{}
	for range maxDepth + 5 {
		deep = protowire.AppendBytes([]byte{14<<3 | 2}, deep)
	}
	require.Contains(t, c.show(c.keep("t.All", deep, len(deep))).Note, "nested deeper than 100")
}

// FuzzKeep keeps any bytes: what is kept is JSON without the values, or nothing.
func FuzzKeep(f *testing.F) {
	f.Add("t.All", all(f, `{"card":{"number":"SECRET"},"extra":{"number":"SECRET"}}`), 0)
	f.Add("t.All", []byte("2\x14\n\x12\n\x06000000\b02\x06000000"), 24) // proto.Unmarshal panics
	f.Add("google.protobuf.Struct", []byte("\n\x01a\x12"), 7)
	f.Add("google.protobuf.Any", []byte("\n\x05t.All\x12\x01"), 7)
	open := contract(f, Settings{PayloadBytes: LeastPayloadBytes})
	closed := contract(f, Settings{PayloadBytes: LeastPayloadBytes, Redact: []string{"number", "labels.a", "text"}})
	f.Fuzz(func(t *testing.T, name string, data []byte, size int) {
		for _, c := range []*Contract{open, closed} {
			m := c.keep(name, data, size)
			require.LessOrEqual(t, len(m.data), 2*LeastPayloadBytes)
			require.True(t, !c.redacts || m.json || m.data == nil)
			if p := c.show(m); len(p.JSON) > 0 {
				require.True(t, json.Valid(p.JSON), "%s", p.JSON)
			}
		}
	})
}

// FuzzRedact puts any text into fields that must not be kept.
func FuzzRedact(f *testing.F) {
	f.Add("SECRET", "key")
	f.Add("\x00\xff", "")
	c := contract(f, Settings{Redact: []string{"card.number", "labels", "extra"}})
	f.Fuzz(func(t *testing.T, secret, other string) {
		secret = "<<" + secret + ">>"
		card := protowire.AppendString([]byte{10}, secret)
		data := protowire.AppendBytes([]byte{2<<3 | 2}, append(card, protowire.AppendString([]byte{3<<3 | 2}, other)...))
		data = protowire.AppendBytes(append(data, 5<<3|2),
			append(protowire.AppendString([]byte{10}, other), protowire.AppendString([]byte{18}, secret)...))
		kept := bytesOf(c.keep("t.All", data, len(data)))
		if !strings.Contains(other, secret) {
			require.NotContains(t, kept, secret)
		}
	})
}

// BenchmarkKeepRedacted is what a large message costs the requests that run at the same time.
func BenchmarkKeepRedacted(b *testing.B) {
	c := contract(b, Settings{PayloadBytes: MostPayloadBytes, Redact: []string{"number"}})
	data := all(b, `{"cards":[`+strings.TrimSuffix(strings.Repeat(`{"number":"`+strings.Repeat("x", 40)+`"},`, 15_000), ",")+`]}`)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if c.keep("t.All", data, len(data)).note != "" {
				b.Error("not kept")
			}
		}
	})
}
