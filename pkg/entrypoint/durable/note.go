package durable

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"time"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/runner/event"
)

// Headers of an event in the queue that no node gets.
const (
	headerAsync    = "Krt-Async"    // 1: no client has waited from the first
	headerAnswered = "Krt-Answered" // 1: its result is kept already, an early reply
	headerBegin    = "Krt-Begin"    // when the request was admitted, Unix time in ns
	headerProtocol = "Krt-Protocol" // of the client
	headerCause    = "Krt-Cause"    // the id of the producer's own event, percent-encoded
	headerSeen     = "Krt-Seen"     // the steps that the record of the response has
	headerReplays  = "Krt-Replays"  // how often the event was replayed
	headerOrigin   = "Krt-Origin"   // the dead letter that was replayed
	headerLetter   = "Krt-Letter"   // the kind of a letter to be kept
	headerStatus   = "Krt-Status"   // its status, base64
	headerStep     = "Krt-Step"     // the index of its step
)

// maxNote bounds the value of such a header.
const maxNote = 16 << 10

// note is what those who carry an event pass on.
type note struct {
	async    bool
	answered bool
	begin    time.Time
	protocol record.Protocol
	cause    string
	seen     event.Steps
	replays  int
	origin   string
}

func (n note) write(h http.Header) {
	set := func(name, value string) {
		if value != "" {
			h[name] = []string{value}
		}
	}
	if n.async {
		set(headerAsync, "1")
	}
	if n.answered {
		set(headerAnswered, "1")
	}
	if !n.begin.IsZero() {
		set(headerBegin, strconv.FormatInt(n.begin.UnixNano(), 10))
	}
	set(headerProtocol, string(n.protocol))
	set(headerCause, url.QueryEscape(n.cause))
	set(headerSeen, string(n.seen))
	if n.replays > 0 {
		set(headerReplays, strconv.Itoa(n.replays))
	}
	set(headerOrigin, n.origin)
}

// readNote reads what write has written. The queue is ours: what is malformed is left out.
func readNote(h http.Header) (n note) {
	get := func(name string) string {
		if v := h[name]; len(v) == 1 && len(v[0]) <= maxNote {
			return v[0]
		}
		return ""
	}
	n.answered = get(headerAnswered) == "1"
	n.async, n.protocol, n.seen = get(headerAsync) == "1", record.Protocol(get(headerProtocol)), event.Steps(get(headerSeen))
	if ns, err := strconv.ParseInt(get(headerBegin), 10, 64); err == nil {
		n.begin = time.Unix(0, ns)
	}
	if cause, err := url.QueryUnescape(get(headerCause)); err == nil {
		n.cause = cause
	}
	if replays, err := strconv.Atoi(get(headerReplays)); err == nil {
		n.replays = min(max(replays, 0), letter.MaxReplays)
	}
	if origin := get(headerOrigin); letter.CheckID(origin) == nil {
		n.origin = origin
	}
	return n
}

// encodeStatus and decodeStatus are a status in a header.
func encodeStatus(s *spb.Status) string {
	data, err := proto.Marshal(s)
	if s == nil || err != nil {
		return ""
	}
	return base64.StdEncoding.EncodeToString(data)
}

func decodeStatus(text string) *spb.Status {
	data, err := base64.StdEncoding.DecodeString(text)
	s := &spb.Status{}
	if text == "" || err != nil || proto.Unmarshal(data, s) != nil {
		return nil
	}
	return s
}
