package web

import (
	"encoding/binary"
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"
)

const (
	// connectJSON is Connect's streaming protocol with messages in JSON.
	connectJSON = "application/connect+json"
	eventStream = "text/event-stream"
	// pingInterval is how often a client of server-sent events gets a comment while nothing else
	// comes. Usual proxies close connections on which nothing comes for 60 s.
	pingInterval = 15 * time.Second
)

// streamed is the response to a streaming rpc as server-sent events (HTML Standard, 9.2) or as
// lines of JSON. It is written in Connect's streaming protocol, whose messages become events or
// lines as they come. The header waits for the first of them: an error before has a status.
type streamed struct {
	http.ResponseWriter

	events bool // else lines
	every  time.Duration
	header http.Header // of the handler, which may go on to use it while a ping sends the other one
	ping   *time.Timer // nil before the header

	mu       sync.Mutex // of all below: a ping comes from another goroutine
	envelope [envelopeBytes]byte
	filled   int    // of the envelope
	left     int    // bytes of the message, or of the end, that are still to come
	end      []byte // the end as far as it has come
	messages int
	pinged   bool // since the last message
	state    streamState
}

// streamState is how far a response has come.
type streamState int

const (
	unwritten streamState = iota
	held                  // it is a stream, of which nothing has been sent
	begun                 // its header has been sent
	over
	asIs // it is not a stream
)

// newStreamed returns the response for a client whose request has the header h.
func newStreamed(w http.ResponseWriter, h http.Header, every time.Duration) *streamed {
	if every == 0 {
		every = pingInterval
	}
	return &streamed{ResponseWriter: w, events: acceptsEvents(h), every: every, header: w.Header().Clone()}
}

// Header implements http.ResponseWriter.
func (s *streamed) Header() http.Header { return s.header }

// adopt takes over the header of the handler, and the trailer that it may have by now.
func (s *streamed) adopt() http.Header {
	h := s.ResponseWriter.Header()
	clear(h)
	maps.Copy(h, s.header)
	return h
}

// acceptsEvents reports whether a client asks for server-sent events.
func acceptsEvents(h http.Header) bool {
	for _, line := range h.Values("Accept") {
		for kind := range strings.SplitSeq(line, ",") {
			if mediaType(strings.TrimSpace(kind)) == eventStream {
				return true
			}
		}
	}
	return false
}

// CanEnd reports whether the end of a stream of JSON can be told from one that breaks off: lines have no
// end of their own, and in HTTP/1.0 the end of the connection is that of the response.
func CanEnd(r *http.Request) bool { return r.ProtoAtLeast(1, 1) || acceptsEvents(r.Header) }

// refuseLines refuses a request for lines by a client with which they cannot end.
func refuseLines(w http.ResponseWriter, r *http.Request) {
	LeaveUnread(w, r.ContentLength)
	RefuseAs(w, r, http.StatusHTTPVersionNotSupported, &spb.Status{
		Code: int32(code.Code_FAILED_PRECONDITION), Message: "over HTTP/1.0, lines that break off look like lines that end: " +
			"send Accept: text/event-stream, or use HTTP/1.1 (with nginx in between: proxy_http_version 1.1)",
	})
}

// WriteHeader implements http.ResponseWriter.
func (s *streamed) WriteHeader(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch h := s.header; {
	case s.state != unwritten:
	case status != http.StatusOK || h.Get("Content-Type") != connectJSON:
		s.state = asIs
		s.adopt()
		s.ResponseWriter.WriteHeader(status)
	default:
		s.state = held
		h.Del("Connect-Accept-Encoding")
		h.Set("Content-Type", "application/x-ndjson")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		if s.events {
			h.Set("Content-Type", eventStream)
			s.ping = time.AfterFunc(s.every, s.comment)
		}
		s.adopt()
	}
}

// Write implements http.ResponseWriter.
func (s *streamed) Write(p []byte) (n int, err error) {
	s.WriteHeader(http.StatusOK)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == asIs {
		return s.ResponseWriter.Write(p)
	}
	for n < len(p) && s.state != over && err == nil {
		var m int
		m, err = s.take(p[n:])
		n += m
	}
	return len(p), err
}

// take takes what belongs to one part of a frame from the beginning of p.
func (s *streamed) take(p []byte) (n int, err error) {
	if s.filled < envelopeBytes {
		n = copy(s.envelope[s.filled:], p)
		if s.filled += n; s.filled < envelopeBytes {
			return n, nil
		}
		s.left = int(binary.BigEndian.Uint32(s.envelope[1:]))
		if !s.ends() {
			err = s.beginMessage()
		}
	} else {
		n = min(len(p), s.left)
		s.left -= n
		if s.ends() {
			s.end = append(s.end, p[:n]...)
		} else {
			_, err = s.ResponseWriter.Write(p[:n])
		}
	}
	if err != nil || s.left > 0 {
		return n, err
	}
	s.filled = 0
	if s.ends() {
		return n, s.finish()
	}
	if s.events {
		return n, s.write("\n\n") // an empty line ends an event
	}
	return n, s.write("\n")
}

// ends reports whether the frame is the end of the stream.
func (s *streamed) ends() bool { return s.envelope[0]&endFlag != 0 }

// endFlag marks the last frame of a stream.
const endFlag = 2

// begin sends the header, unless it has been sent.
func (s *streamed) begin() {
	if s.state == held {
		s.state = begun
		s.ResponseWriter.WriteHeader(http.StatusOK)
	}
}

// beginMessage writes what comes before a message.
func (s *streamed) beginMessage() error {
	s.begin()
	s.messages++
	if !s.events {
		return nil
	}
	s.bound()
	s.ping.Reset(s.every)
	return s.write("id: " + strconv.Itoa(s.messages) + "\ndata: ")
}

// bound bounds a write behind a ping, which has ended the deadline that it may have had.
func (s *streamed) bound() {
	if s.pinged {
		s.pinged = false
		_ = http.NewResponseController(s.ResponseWriter).SetWriteDeadline(time.Now().Add(ResponseTime))
	}
}

func (s *streamed) write(text string) error {
	_, err := s.ResponseWriter.Write([]byte(text))
	return err
}

// finish writes the end of the stream: an error that comes before all else as the response.
func (s *streamed) finish() error {
	var end struct {
		Error json.RawMessage `json:"error"`
	}
	if err := json.Unmarshal(s.end, &end); err != nil {
		return err
	}
	if s.state == held && end.Error != nil {
		return s.fail(end.Error)
	}
	s.adopt()
	s.begin()
	s.state = over
	var text string
	switch {
	case s.events && end.Error != nil:
		text = "event: error\ndata: " + string(end.Error) + "\n"
	case s.events:
		text = "event: end\ndata: {\"messages\":" + strconv.Itoa(s.messages) + "}\n"
	case end.Error != nil:
		text = `{"error":` + string(end.Error) + "}"
	default:
		return nil
	}
	s.bound()
	return s.write(text + "\n")
}

// fail responds with an error of Connect in JSON, under the HTTP status of its code.
func (s *streamed) fail(failure json.RawMessage) error {
	s.state = over
	var coded struct {
		Code connect.Code `json:"code"`
	}
	if json.Unmarshal(failure, &coded) != nil {
		coded.Code = connect.CodeUnknown
	}
	s.adopt().Set("Content-Type", "application/json")
	s.ResponseWriter.WriteHeader(httpStatus(int32(coded.Code)))
	return s.write(string(failure))
}

// comment writes a comment, so that nobody takes the connection for a dead one.
func (s *streamed) comment() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == over || s.state == asIs {
		return
	}
	if s.filled == 0 { // else within a message
		s.begin()
		s.pinged = true
		control := http.NewResponseController(s.ResponseWriter)
		_ = control.SetWriteDeadline(time.Now().Add(ResponseTime))
		if s.write(": ping\n\n") != nil || control.Flush() != nil {
			return
		}
		_ = control.SetWriteDeadline(time.Time{})
	}
	s.ping.Reset(s.every)
}

// Flush implements http.Flusher, which the transcoder requires.
func (s *streamed) Flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != held {
		s.flush()
	}
}

func (s *streamed) flush() { _ = http.NewResponseController(s.ResponseWriter).Flush() }

// Unwrap lets http.ResponseController reach the connection's own writer.
func (s *streamed) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// close ends the pings. Nothing is written after it.
func (s *streamed) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = over
	if s.ping != nil {
		s.ping.Stop()
	}
}
