package web

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/pkg/schema"
)

// unary serves calls of unary rpcs in JSON without the transcoder, which takes as long as all else that is done for
// such a call. What is not a good response is the transcoder's, which gets it instead of calling the handler: so one place
// says what is wrong.
type unary struct {
	json       *JSON
	methods    map[string]unaryMethod // by path
	handler    http.Handler
	transcoder http.Handler
	errors     *connect.ErrorWriter
}

// unaryMethod are the messages of an rpc.
type unaryMethod struct{ input, output protoreflect.MessageType }

// newUnary returns the unary rpcs that t serves; the transcoder is yet to be set.
func newUnary(t *Transcoder) (*unary, error) {
	u := &unary{json: t.JSON, handler: t.Handler, methods: map[string]unaryMethod{}, errors: connect.NewErrorWriter()}
	services := t.Schema.Entry().Services()
	for i := range services.Len() {
		methods := services.Get(i).Methods()
		for j := range methods.Len() {
			m := methods.Get(j)
			if m.IsStreamingServer() || m.IsStreamingClient() {
				continue
			}
			input, err := t.JSON.types.FindMessageByName(m.Input().FullName())
			if err != nil {
				return nil, err
			}
			output, err := t.JSON.types.FindMessageByName(m.Output().FullName())
			if err != nil {
				return nil, err
			}
			u.methods["/"+schema.MethodName(m)] = unaryMethod{input, output}
		}
	}
	return u, nil
}

// replayKey is the context key of a response that the transcoder is to have of its handler.
type replayKey struct{}

// ServeHTTP is what the transcoder calls: it serves a request, unless there is a response.
func (u *unary) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k, ok := r.Context().Value(replayKey{}).(*keptResponse)
	if !ok {
		u.handler.ServeHTTP(w, r)
		return
	}
	if k.status > 0 {
		w.WriteHeader(k.status)
		_, _ = w.Write(k.body)
	}
}

// simple reports whether r is in JSON, and asks for nothing that the transcoder alone does.
func (b *Transcoding) simple(r *http.Request) bool {
	h := r.Header
	return r.Method == http.MethodPost && r.URL.RawQuery == "" && b.compression == plain && b.declared > 0 && b.declared <= b.most() &&
		h.Get("Content-Type") == "application/json" && h.Get("Connect-Protocol-Version") == "1" &&
		h.Get("Content-Encoding") == "" && h.Get("Connect-Timeout-Ms") == "" && !acceptsGzip(h)
}

func acceptsGzip(h http.Header) bool {
	for _, line := range h.Values("Accept-Encoding") {
		if strings.Contains(strings.ToLower(line), "gzip") {
			return true
		}
	}
	return false
}

// serve serves r, whose body is b's.
func (u *unary) serve(w http.ResponseWriter, r *http.Request, b *Transcoding) {
	m, ok := u.methods[r.URL.Path]
	if !ok || !b.simple(r) {
		u.transcoder.ServeHTTP(w, r)
		return
	}
	in, k := &unaryBody{Transcoding: b, json: u.json, input: m.input}, &keptResponse{ResponseWriter: w}
	r.Header["Content-Type"] = []string{"application/proto"}
	r.Body = in
	u.handler.ServeHTTP(k, r)
	switch {
	case in.refusal != nil:
		_ = u.errors.Write(w, r, in.refusal)
	case !u.respond(w, k, m.output, b.limits.limit):
		r.Header["Content-Type"] = []string{"application/json"}
		r.Body = b
		u.transcoder.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), replayKey{}, k)))
	}
}

// unaryBody is the body of a call in JSON, for [ReadMessage]. Like the transcoder's, it is read when the handler asks
// for it, which admits the call first.
type unaryBody struct {
	*Transcoding
	json    *JSON
	input   protoreflect.MessageType
	refusal *connect.Error // why it is no message, which the handler leaves to be said
}

// message returns the message in protobuf.
func (b *unaryBody) message() ([]byte, error) {
	text, err := b.whole()
	if err != nil {
		return nil, err
	}
	in := b.input.New().Interface()
	if err := b.json.unmarshal(text, in); err != nil {
		b.refusal = notJSON(err, in)
		if b.status = httpStatus(int32(b.refusal.Code())); errors.As(err, new(*sizeError)) {
			b.status, b.instead = http.StatusRequestEntityTooLarge, http.StatusRequestEntityTooLarge
		}
		return nil, b.refusal
	}
	return proto.Marshal(in)
}

// respond sends what k has kept as JSON of at most limit bytes. It reports false if that is no message that can be.
func (u *unary) respond(w http.ResponseWriter, k *keptResponse, output protoreflect.MessageType, limit int64) bool {
	if k.status != http.StatusOK || w.Header().Get("Content-Type") != "application/proto" {
		return false
	}
	out := output.New().Interface()
	if event.Decode(proto.UnmarshalOptions{Resolver: u.json.types}, k.body, out) != nil {
		return false
	}
	text, err := u.json.response().Marshal(out)
	if err != nil || int64(len(text)) > limit {
		return false
	}
	w.Header()["Content-Type"], w.Header()["Content-Length"] = []string{"application/json"}, []string{strconv.Itoa(len(text))}
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(text)
	return true
}

// ReadMessage reads the body of a call that a [Transcoder] hands on, whose length is bounded.
func ReadMessage(r *http.Request) ([]byte, error) {
	if in, ok := r.Body.(*unaryBody); ok {
		return in.message()
	}
	return io.ReadAll(r.Body)
}

// keptResponse keeps a response instead of sending it, but for its header. What is written must stay as it is until
// the request ends.
type keptResponse struct {
	http.ResponseWriter
	status int
	body   []byte
}

// WriteHeader implements http.ResponseWriter.
func (k *keptResponse) WriteHeader(status int) {
	if k.status == 0 {
		k.status = status
	}
}

// Write implements http.ResponseWriter.
func (k *keptResponse) Write(p []byte) (int, error) {
	k.WriteHeader(http.StatusOK)
	if k.body == nil {
		k.body = p[:len(p):len(p)]
	} else {
		k.body = append(k.body, p...)
	}
	return len(p), nil
}

// Unwrap lets http.ResponseController reach the connection's own writer.
func (k *keptResponse) Unwrap() http.ResponseWriter { return k.ResponseWriter }
