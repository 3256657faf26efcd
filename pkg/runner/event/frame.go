package event

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"krt.dev/kn-krt/pkg/runner/clip"
)

const (
	// FrameHeader is the size of what precedes the payload of a frame, in bytes: one of
	// flags, four of the payload's length, big endian.
	FrameHeader = 5
	// MaxEnd is the largest payload of an end frame, in bytes.
	MaxEnd = 64 << 10
)

// Flags of a frame. Connect's flag of compression, 1, is not supported.
const (
	flagMessage = 0
	flagEnd     = 2
)

// maxEndText limits the text of an error in an end frame, in bytes. JSON takes at most six
// bytes for one, and the longest krtsteps has room in MaxEnd as well.
const maxEndText = 5 << 10

// ErrFrame is returned for bytes that are not a frame of a stream.
var ErrFrame = errors.New("not a frame of a stream")

// AppendFrame appends the frame of an encoded message to b. Written at once it is one
// chunk of an HTTP body.
func AppendFrame(b, message []byte) []byte {
	return append(AppendFrameHeader(b, len(message)), message...)
}

// AppendFrameHeader appends what precedes an encoded message of the given length in its frame.
func AppendFrameHeader(b []byte, length int) []byte {
	return appendFrameHeader(b, flagMessage, length)
}

func appendFrameHeader(b []byte, flags byte, length int) []byte {
	return binary.BigEndian.AppendUint32(append(b, flags), uint32(length))
}

// ReadFrame reads the header of the next frame from r, of which the payload follows. For a
// payload of more than limit bytes, or [MaxEnd] of an end frame, the error is ErrTooLarge;
// for anything that is not a frame it is ErrFrame. A body that ends before its end frame
// has been cut: the error is io.ErrUnexpectedEOF.
func ReadFrame(r io.Reader, limit int64) (end bool, length int, err error) {
	var header [FrameHeader]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return false, 0, err
	}
	switch header[0] {
	case flagMessage:
	case flagEnd:
		end, limit = true, MaxEnd
	default:
		return false, 0, fmt.Errorf("%w: its flags are %#02x", ErrFrame, header[0])
	}
	size := int64(binary.BigEndian.Uint32(header[1:]))
	if size > limit {
		return end, 0, fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, size, limit)
	}
	return end, int(size), nil
}

// ReadEnd reads the payload of an end frame, whose header says that it has the given length. The error
// is the reader's, or that of [ParseEnd].
func ReadEnd(r io.Reader, length int) (End, error) {
	payload := make([]byte, length)
	if _, err := io.ReadFull(r, payload); err != nil {
		return End{}, err
	}
	return ParseEnd(payload)
}

// End is the last frame of a body of frames. A body without one has been cut.
type End struct {
	// Failure is the error with which the stream ends; nil: it ends well.
	Failure *status.Status
	// Steps is what the runner reports of the call: see [Event].
	Steps Steps
	// Next says that only the node's part is over: the client's stream goes on with what
	// other nodes send.
	Next bool
	// Replied says that the client's stream ends here, and the handler still runs: it has
	// replied early. A second end frame follows with what became of it.
	Replied bool
}

// Keys of the metadata in an end frame.
const (
	metadataSteps   = "krtsteps"
	metadataNext    = "krtnext"
	metadataReplied = "krtreplied"
)

// stepsBefore and stepsAfter are around the steps in the payload of the usual end, which is written and
// read as it is: JSON by way of Go's values takes several microseconds.
const (
	stepsBefore = `{"metadata":{"` + metadataSteps + `":["`
	stepsAfter  = `"]}}`
)

// unescaped reports whether text is not empty, and is the same in JSON.
func unescaped(text string) bool {
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' || strings.IndexByte("\"\\<>&", c) >= 0 {
			return false
		}
	}
	return text != ""
}

// endJSON is the payload of an end frame, as Connect defines it.
type endJSON struct {
	Error    *errorJSON          `json:"error,omitempty"`
	Metadata map[string][]string `json:"metadata,omitempty"`
}

type errorJSON struct {
	Code    string       `json:"code"`
	Message string       `json:"message,omitempty"`
	Details []detailJSON `json:"details,omitempty"`
}

// detailJSON is a message: its full name, and its bytes in base64 without padding.
type detailJSON struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// AppendEnd appends the end frame e to b. A text that is too long is clipped, and details
// that do not fit in [MaxEnd] are left out.
func AppendEnd(b []byte, e End) []byte {
	steps := string(checkedSteps(string(e.Steps)))
	if e.Failure == nil && !e.Next && !e.Replied && unescaped(steps) {
		b = appendFrameHeader(b, flagEnd, len(stepsBefore)+len(steps)+len(stepsAfter))
		return append(append(append(b, stepsBefore...), steps...), stepsAfter...)
	}
	var out endJSON
	set := func(key, value string) {
		if out.Metadata == nil {
			out.Metadata = map[string][]string{}
		}
		out.Metadata[key] = []string{value}
	}
	if steps != "" {
		set(metadataSteps, steps)
	}
	if e.Next {
		set(metadataNext, "1")
	}
	if e.Replied {
		set(metadataReplied, "1")
	}
	if e.Failure != nil {
		out.Error = newErrorJSON(e.Failure)
	}
	payload, _ := json.Marshal(out) // strings can always be written
	if len(payload) > MaxEnd {
		out.Error.Details = nil
		payload, _ = json.Marshal(out)
	}
	return append(appendFrameHeader(b, flagEnd, len(payload)), payload...)
}

func newErrorJSON(s *status.Status) *errorJSON {
	out := &errorJSON{Code: codeName(s.GetCode()), Message: clip.Text(s.GetMessage(), maxEndText)}
	for _, detail := range s.GetDetails() {
		out.Details = append(out.Details, detailJSON{
			Type: MessageName(detail.GetTypeUrl()), Value: base64.RawStdEncoding.EncodeToString(detail.GetValue()),
		})
	}
	return out
}

// ParseEnd reads the payload of an end frame; the error is ErrFrame if it is not one. A
// code that is not known is UNKNOWN; details that are malformed are left out, and krtsteps
// as [ReadSteps] leaves it out.
func ParseEnd(payload []byte) (End, error) {
	var in endJSON
	if len(payload) > MaxEnd {
		return End{}, fmt.Errorf("%w: its end has %d bytes, the limit is %d", ErrFrame, len(payload), MaxEnd)
	}
	if steps, is := strings.CutPrefix(string(payload), stepsBefore); is {
		if steps, is = strings.CutSuffix(steps, stepsAfter); is && unescaped(steps) {
			return End{Steps: checkedSteps(steps)}, nil
		}
	}
	if err := json.Unmarshal(payload, &in); err != nil {
		return End{}, fmt.Errorf("%w: its end is not of JSON: %w", ErrFrame, err)
	}
	first := func(key string) string {
		if values := in.Metadata[key]; len(values) > 0 {
			return values[0]
		}
		return ""
	}
	return End{
		Failure: in.Error.status(),
		Steps:   checkedSteps(first(metadataSteps)),
		Next:    first(metadataNext) == "1",
		Replied: first(metadataReplied) == "1",
	}, nil
}

// status returns the error of an end frame; nil if there is none.
func (e *errorJSON) status() *status.Status {
	if e == nil {
		return nil
	}
	s := &status.Status{Code: codeOf(e.Code), Message: strings.ToValidUTF8(e.Message, "\uFFFD")}
	for _, detail := range e.Details {
		// Connect sends no padding, and accepts it.
		value, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(detail.Value, "="))
		if err == nil && fullName(detail.Type) {
			s.Details = append(s.Details, &anypb.Any{TypeUrl: typeURLPrefix + detail.Type, Value: value})
		}
	}
	return s
}

// codeNames are Connect's names of the codes, by their number; 0 has none.
var codeNames = [...]string{
	code.Code_CANCELLED:           "canceled",
	code.Code_UNKNOWN:             "unknown",
	code.Code_INVALID_ARGUMENT:    "invalid_argument",
	code.Code_DEADLINE_EXCEEDED:   "deadline_exceeded",
	code.Code_NOT_FOUND:           "not_found",
	code.Code_ALREADY_EXISTS:      "already_exists",
	code.Code_PERMISSION_DENIED:   "permission_denied",
	code.Code_RESOURCE_EXHAUSTED:  "resource_exhausted",
	code.Code_FAILED_PRECONDITION: "failed_precondition",
	code.Code_ABORTED:             "aborted",
	code.Code_OUT_OF_RANGE:        "out_of_range",
	code.Code_UNIMPLEMENTED:       "unimplemented",
	code.Code_INTERNAL:            "internal",
	code.Code_UNAVAILABLE:         "unavailable",
	code.Code_DATA_LOSS:           "data_loss",
	code.Code_UNAUTHENTICATED:     "unauthenticated",
}

func codeName(n int32) string {
	if n <= 0 || int(n) >= len(codeNames) {
		n = int32(code.Code_UNKNOWN)
	}
	return codeNames[n]
}

func codeOf(name string) int32 {
	if i := slices.Index(codeNames[1:], name); i >= 0 {
		return int32(i + 1)
	}
	return int32(code.Code_UNKNOWN)
}
