package node

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"krt.dev/kn-krt/pkg/runner/event"
)

// maxForeignBytes bounds what the foreign node reads.
const maxForeignBytes = 64 << 20

// Foreign is a node that is no runner of ours: any HTTP server that takes events.
// It notes the headers of each event it gets, and answers as it is told to.
type Foreign struct {
	// Records are where it notes what it gets.
	Records Records
	// Source is the source attribute of its events.
	Source string
}

// Heard is what Foreign notes of each event, as JSON.
type Heard struct {
	Proto         string
	ContentLength int64
	Header        http.Header
}

// ServeHTTP implements http.Handler.
func (f *Foreign) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	in, err := event.ReadHeader(r.Header)
	if err == nil {
		in.Data, err = event.ReadBody(r.Body, r.ContentLength, maxForeignBytes)
	}
	request := &Request{}
	if err == nil {
		err = proto.Unmarshal(in.Data, request)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	heard, err := json.Marshal(Heard{r.Proto, r.ContentLength, r.Header})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	run, err := f.Records.Run(request.GetId(), string(heard))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	for _, order := range request.GetOrders() {
		if order.obeyed(f.Records.Node, run) && f.obey(w, r, request, order) {
			return
		}
	}
	f.answer(w, in, request.next(f.Records.Node))
}

// obey does one order; true if that was the answer.
func (f *Foreign) obey(w http.ResponseWriter, r *http.Request, in *Request, o *Order) bool {
	switch o.GetAct() {
	case Act_STATUS:
		http.Error(w, o.GetText(), int(o.GetNumber()))
	case Act_SILENT:
		w.WriteHeader(http.StatusAccepted)
	case Act_GARBAGE:
		w.Header().Set("Ce-Specversion", "1.0")
		w.Header().Set("Ce-Id", "1")
		w.WriteHeader(http.StatusOK)
	case Act_DIE:
		panic(http.ErrAbortHandler) // the connection breaks
	case Act_HANG:
		<-r.Context().Done()
		_ = f.Records.Note(in.GetId(), "cancelled")
	case Act_WAIT:
		return f.Records.AwaitGate(r.Context(), o.GetText()) != nil
	case Act_GROW:
		in.Payload = make([]byte, o.GetNumber())
		return false
	case Act_OPEN:
		if err := f.Records.OpenGate(o.GetText()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	case Act_TELL:
		f.tell(w, o.GetText())
	default:
		http.Error(w, "a foreign node cannot "+o.GetAct().String(), http.StatusBadRequest)
	}
	return true
}

// tell answers with the records of the call id; nobody but a test asks.
func (f *Foreign) tell(w http.ResponseWriter, id string) {
	lines, err := f.Records.Lines(id)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer := event.Event{ID: id, Source: f.Source, Type: event.TypeMessage}
	f.answer(w, &answer, &Reply{Text: strings.Join(lines, "\n")})
}

// answer answers with the event that carries m.
func (f *Foreign) answer(w http.ResponseWriter, in *event.Event, m proto.Message) {
	message, data, err := event.Encode(m)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	out := in.Next(f.Source, event.TypeMessage, message, data)
	out.WriteHeader(w.Header())
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	_, _ = w.Write(data)
}
