package capture

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/runner/clip"
	"krt.dev/kn-krt/pkg/runner/dict"
	"krt.dev/kn-krt/pkg/schema/fieldpath"
)

// Bounds of what is kept of one message, in bytes of protobuf.
const (
	DefaultPayloadBytes = 64 << 10
	LeastPayloadBytes   = 1 << 10
	MostPayloadBytes    = 1 << 20
)

// maxDecoding is how many messages of a version are decoded at a time before they are kept, on
// as many processors: one of MostPayloadBytes takes 20 MiB meanwhile.
const maxDecoding = 4

// Settings say what is kept of a version's messages: spec.entrypoint.inspect.
type Settings struct {
	// Share is the percentage of requests whose messages are kept without being asked for,
	// 0 to 100.
	Share int
	// PayloadBytes is how much of a message is kept, from LeastPayloadBytes to
	// MostPayloadBytes. Default DefaultPayloadBytes.
	PayloadBytes int
	// Redact are paths of fields whose values must not be kept; see package fieldpath.
	Redact []string
	// Messages are the descriptors of all messages that nodes exchange. Those that it does
	// not have are not decoded.
	Messages *protoregistry.Files
}

// Contract keeps and decodes the messages of one version. It may be shared.
type Contract struct {
	share   int
	bound   int
	paths   *fieldpath.Set
	redacts bool // some value must not be kept
	files   []*protoregistry.Files

	// decoding has a place for each message that is decoded before it is kept.
	decoding chan struct{}
}

// NewContract returns the contract of a version whose entrypoint has the given files.
func NewContract(entry *protoregistry.Files, s Settings) (*Contract, error) {
	if s.PayloadBytes == 0 {
		s.PayloadBytes = DefaultPayloadBytes
	}
	switch {
	case s.Share < 0 || s.Share > 100:
		return nil, fmt.Errorf("inspect: the share is %d; it must be from 0 to 100", s.Share)
	case s.PayloadBytes < LeastPayloadBytes || s.PayloadBytes > MostPayloadBytes:
		return nil, fmt.Errorf("inspect: %d bytes of a payload; they must be from %d to %d", s.PayloadBytes, LeastPayloadBytes, MostPayloadBytes)
	}
	paths, err := fieldpath.Parse(s.Redact)
	if err != nil {
		return nil, fmt.Errorf("inspect: redact: %w", err)
	}
	c := &Contract{
		share: s.Share, bound: s.PayloadBytes, paths: paths, redacts: !paths.Empty(),
		decoding: make(chan struct{}, min(runtime.GOMAXPROCS(0), maxDecoding)),
	}
	for _, files := range []*protoregistry.Files{s.Messages, entry} {
		if files != nil {
			c.files = append(c.files, files)
			c.redacts = c.redacts || marks(files)
		}
	}
	return c, nil
}

// Bound is how much of a message is kept, in bytes.
func (c *Contract) Bound() int { return c.bound }

// Redacts reports whether some value must not be kept. c may be nil.
func (c *Contract) Redacts() bool { return c != nil && c.redacts }

// Enter returns the state of the paths in a field, and whether its value must not be kept.
func (c *Contract) Enter(at fieldpath.State, f protoreflect.FieldDescriptor) (in fieldpath.State, hidden bool) {
	in, whole := c.paths.EnterField(at, f)
	return in, whole || debugRedact(f)
}

// EnterKey is Enter for a key of a map.
func (c *Contract) EnterKey(at fieldpath.State, key string) (in fieldpath.State, hidden bool) {
	return c.paths.EnterKey(at, key)
}

// marks reports whether a field in files is marked with debug_redact.
func marks(files *protoregistry.Files) (found bool) {
	files.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		found = marked(file.Messages())
		return !found
	})
	return found
}

func marked(messages protoreflect.MessageDescriptors) bool {
	for i := range messages.Len() {
		m := messages.Get(i)
		for j := range m.Fields().Len() {
			if debugRedact(m.Fields().Get(j)) {
				return true
			}
		}
		if marked(m.Messages()) {
			return true
		}
	}
	return false
}

var (
	errUnknown = errors.New("its type is not in the version's protos")
	errParts   = fmt.Errorf("it has more than %d messages in it, or they are nested deeper than %d", maxMessages, maxDepth)
)

// find returns the message of that name. Protobuf's own messages are always known.
func (c *Contract) find(name protoreflect.FullName) (protoreflect.MessageDescriptor, error) {
	for _, files := range c.files {
		if found, err := files.FindDescriptorByName(name); err == nil {
			if m, ok := found.(protoreflect.MessageDescriptor); ok {
				return m, nil
			}
		}
	}
	if name.Parent() == "google.protobuf" {
		if found, err := protoregistry.GlobalTypes.FindMessageByName(name); err == nil {
			return found.Descriptor(), nil
		}
	}
	return nil, errUnknown
}

// message is what is kept of a message. Without data, note says why.
type message struct {
	name string
	size int    // of the message itself
	data []byte // protobuf, or JSON if that was redacted
	json bool
	cut  bool // data is not all of it
	note string
}

// maxName bounds the name of a message's type, in bytes: it may be a node's text.
const maxName = 256

// keep returns what is to be kept of a message. Of one that was cut before it came here,
// data is the beginning of size bytes. Nothing of data is used after the call.
func (c *Contract) keep(name string, data []byte, size int) *message {
	m := &message{name: clip.Text(name, maxName), size: size, cut: size > len(data)}
	kept := data
	if len(data) > c.bound {
		kept, m.cut = fitting(data, c.bound, c.hidden(m.name))
	}
	if !c.redacts {
		m.data = bytes.Clone(kept)
		return m
	}
	c.decoding <- struct{}{}
	defer func() { <-c.decoding }()
	text, cut, err := c.toJSON(m.name, kept, m.cut, c.bound)
	if err != nil {
		m.note = fmt.Sprintf("not kept, because it cannot be decoded to find the values that must not be kept: %v", err)
		return m
	}
	m.data, m.json, m.cut = bytes.Clone(text), true, cut
	return m
}

// growth is how many times the bound the JSON of a message may have.
const growth = 8

// Payload is a message as it is shown: what of it may be, up to the bound.
func (c *Contract) Payload(name string, data []byte) *inspection.Payload {
	return c.show(c.keep(name, data, len(data)))
}

// show returns m as a reader gets it.
func (c *Contract) show(m *message) *inspection.Payload {
	if m == nil {
		return nil
	}
	p := &inspection.Payload{Type: m.name, Size: m.size, Cut: m.cut, Note: m.note}
	switch {
	case m.note != "":
	case m.json:
		p.JSON = json.RawMessage(m.data)
	default:
		text, cut, err := c.toJSON(m.name, m.data, m.cut, growth*c.bound)
		if err != nil {
			p.Base64, p.Note = base64.StdEncoding.EncodeToString(m.data), fmt.Sprintf("cannot be decoded: %v", err)
			return p
		}
		p.JSON, p.Cut = text, cut
	}
	if p.Cut && p.Note == "" {
		p.Note = fmt.Sprintf("only the fields that fit into %d bytes are kept", c.bound)
	}
	return p
}

// toJSON returns a message as JSON of about most bytes, and whether something is left out.
// If data was cut, the fields that are whole are used, and those that are not there are not
// shown as if they had been empty.
func (c *Contract) toJSON(name string, data []byte, cut bool, most int) (text []byte, left bool, err error) {
	if name == "" {
		return nil, false, errors.New("its type was not declared (dataschema is missing)")
	}
	if cut {
		data = whole(data)
	}
	if dict.Is(name) && !c.redacts && !cut { // with its keys in order, and 2 apart from 2.0
		text, err = dict.Decode(name, data, nil, most)
		return text, false, err
	}
	m, err := c.decode(protoreflect.FullName(name), data)
	if err != nil {
		return nil, false, err
	}
	w := &writer{Contract: c, most: most, partial: cut}
	w.message(m, nil, 0)
	return w.text, w.cut || cut, nil
}

// hidden returns which fields of the message of that name are never shown, so that their values
// need no room. Members of a oneof are not among them: it is shown which one is set.
func (c *Contract) hidden(name string) map[protowire.Number]bool {
	kind, err := c.find(protoreflect.FullName(name))
	if !c.redacts || err != nil {
		return nil
	}
	numbers := map[protowire.Number]bool{}
	for i := range kind.Fields().Len() {
		f := kind.Fields().Get(i)
		if _, whole := c.paths.Enter(nil, string(f.Name())); (whole || debugRedact(f)) && !inOneof(f) {
			numbers[f.Number()] = true
		}
	}
	return numbers
}

// fitting returns those fields of data that are not hidden and fit into room bytes, first to
// last, and whether others were left out that are not hidden. From where data is malformed on,
// it is kept as it is, as far as it fits, so that this is noticed.
func fitting(data []byte, room int, hidden map[protowire.Number]bool) (kept []byte, left bool) {
	for len(data) > 0 {
		number, _, n := protowire.ConsumeField(data)
		switch {
		case n <= 0:
			end := min(len(data), room-len(kept))
			return append(kept, data[:end]...), left || end < len(data)
		case hidden[number]:
		case n <= room-len(kept):
			kept = append(kept, data[:n]...)
		default:
			left = true
		}
		data = data[n:]
	}
	return kept, left
}

// whole returns the fields of data, the beginning of a message, that are complete.
func whole(data []byte) []byte {
	for at := 0; ; {
		_, _, n := protowire.ConsumeField(data[at:])
		if n <= 0 {
			return data[:at]
		}
		at += n
	}
}
