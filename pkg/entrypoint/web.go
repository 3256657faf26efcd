package entrypoint

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"connectrpc.com/connect"
	"connectrpc.com/vanguard"
	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"

	"krt.dev/kn-krt/pkg/schema/rest"
)

// webHandler serves the web port.
func (e *Entrypoint) webHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /workflows/{name}", func(w http.ResponseWriter, r *http.Request) { e.takeEvent(w, r, r.PathValue("name")) })
	mux.HandleFunc("POST /{$}", func(w http.ResponseWriter, r *http.Request) { e.takeEvent(w, r, "") })
	mux.HandleFunc("GET /{$}", e.page)
	mux.HandleFunc("GET /proto/{path...}", e.proto)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		t := e.acquire()
		if t == nil {
			http.Error(w, "the version is stopping", http.StatusServiceUnavailable)
			return
		}
		defer t.release()
		t.rpc.ServeHTTP(w, r)
	})
	return e.origins.guard(e.counted(e.prepared(mux)))
}

// newTranscoder serves the rpcs of t in JSON, Connect and gRPC-Web. All of it
// is turned into the Connect protocol with protobuf, which rpcHandler speaks.
func (e *Entrypoint) newTranscoder(t *table) (http.Handler, error) {
	handler := &rpcHandler{entry: e, table: t, errors: connect.NewErrorWriter()}
	list, problems := rest.Services(t.version.Schema.Entry())
	for _, p := range problems {
		e.log.Warn("an annotation google.api.http is not served", "rpc", p.Method.FullName(), "error", p.Text)
	}
	services := make([]*vanguard.Service, len(list))
	for i, service := range list {
		services[i] = vanguard.NewServiceWithSchema(service, handler,
			vanguard.WithTargetProtocols(vanguard.ProtocolConnect),
			vanguard.WithTargetCodecs(vanguard.CodecProto),
			vanguard.WithNoTargetCompression(),
			vanguard.WithTypeResolver(t.types),
			vanguard.WithMaxMessageBufferBytes(uint32(e.options.MaxMessageBytes)),
		)
	}
	transcoder, err := vanguard.NewTranscoder(services,
		e.boundedGzip(), // first: vanguard forgets the compressions given after a codec
		vanguard.WithUnknownHandler(http.HandlerFunc(t.notFound)),
		vanguard.WithCodec(func(types vanguard.TypeResolver) vanguard.Codec {
			return strictJSON{&vanguard.JSONCodec{
				MarshalOptions:   answerJSON(types),
				UnmarshalOptions: protojson.UnmarshalOptions{Resolver: types},
			}, t}
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("cannot transcode for the web port: %w", err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if plainJSON(r) {
			r.Header.Set("Content-Type", "application/json")
			if t.version.Schema.Entry().Services().ByName(serviceOf(r.URL.Path)) != nil {
				// Plain JSON is what Connect's unary protocol is, but for a header
				// that few people type.
				r.Header.Set("Connect-Protocol-Version", "1")
			}
		}
		r, body := e.transcode(w, r)
		defer body.end()
		transcoder.ServeHTTP(&tooLargeWriter{w, body}, r)
	}), nil
}

// serviceOf is the name, without its package, of the service that a path of the
// form /package.Service/Method names.
func serviceOf(path string) protoreflect.Name {
	service, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return protoreflect.FullName(service).Name()
}

// tooLargeWriter answers 413 to a body above the limit, where Connect's table
// of statuses has 429 for every exhausted resource, and refuses a request that
// has not been read without waiting for the rest of it.
type tooLargeWriter struct {
	http.ResponseWriter
	body *transcoding
}

// WriteHeader implements http.ResponseWriter.
func (w *tooLargeWriter) WriteHeader(status int) {
	switch {
	case status == http.StatusTooManyRequests && max(w.body.read, w.body.declared) > w.body.limit:
		status = http.StatusRequestEntityTooLarge
		linger(w.ResponseWriter)
	case status >= http.StatusBadRequest && w.body.read == 0: // refused before its body was read
		leaveUnread(w.ResponseWriter, w.body.declared)
	}
	w.ResponseWriter.WriteHeader(status)
}

// linger has net/http close an HTTP/1.1 connection once the answer is written,
// without waiting for the rest of the body, and only after a while: closed at
// once, a caller still sending would find it reset instead of the answer.
// Nothing but the reader of bodies with a limit can ask for that.
func linger(w http.ResponseWriter) {
	_, _ = http.MaxBytesReader(w, io.NopCloser(strings.NewReader("x")), 0).Read(make([]byte, 1))
}

// leaveUnread prepares the refusal of a request whose body has not been read.
// net/http reads a small one first, so that the connection can be used again.
func leaveUnread(w http.ResponseWriter, length int64) {
	if length < 0 || length > joinBytes {
		linger(w)
	}
}

// Unwrap lets http.ResponseController reach the connection's own writer.
func (w *tooLargeWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Flush implements http.Flusher, which transcoding wants.
func (w *tooLargeWriter) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

// plainJSON reports whether r is a POST of JSON by someone who may not know of
// Connect: curl sends application/x-www-form-urlencoded when it is not told.
func plainJSON(r *http.Request) bool {
	if r.Method != http.MethodPost || r.Header.Get("Connect-Protocol-Version") != "" {
		return false
	}
	switch mediaType(r.Header.Get("Content-Type")) {
	case "", "application/json", "application/x-www-form-urlencoded":
		return true
	}
	return false
}

// rpcHandler answers calls in Connect's unary protocol with protobuf bodies.
type rpcHandler struct {
	entry  *Entrypoint
	table  *table
	errors *connect.ErrorWriter
}

// ServeHTTP implements http.Handler.
func (h *rpcHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	route := h.table.byMethod[r.URL.Path]
	if route == nil {
		h.fail(w, r, &spb.Status{Code: int32(code.Code_UNIMPLEMENTED), Message: h.table.unknownMethod(r.URL.Path)})
		return
	}
	if !h.table.retain() { // the caller holds a reference: cannot be
		h.fail(w, r, &spb.Status{Code: int32(code.Code_UNAVAILABLE), Message: "the version is stopping"})
		return
	}
	k, overload := h.entry.admit(h.table, route)
	if overload != nil {
		h.fail(w, r, overload)
		return
	}
	body, _ := r.Context().Value(transcodingKey{}).(*transcoding)
	data, err := h.read(r.Body)
	body.decoded()
	if err != nil {
		k.release()
		_ = h.errors.Write(w, r, err)
		return
	}
	out, failure := k.call(r.Context(), inbound{
		data:        data,
		traceParent: r.Header.Get("Traceparent"),
		traceState:  strings.Join(r.Header.Values("Tracestate"), ","),
	})
	if failure != nil {
		h.fail(w, r, failure)
		return
	}
	if out = answering(r.Context(), body.to, out); out == nil {
		return // the connection is closed
	}
	body.response = out // what is written here is sent only after this has returned
	w.Header().Set("Content-Type", "application/proto")
	_, _ = w.Write(out.ReadOnlyData())
}

// read reads a request's message, decoded, into a buffer. The error is Connect's.
func (h *rpcHandler) read(body io.Reader) (mem.Buffer, error) {
	raw, err := io.ReadAll(body) // the transcoder bounds it
	if err != nil {
		if !errors.As(err, new(*connect.Error)) {
			err = connect.NewError(connect.CodeInvalidArgument, err)
		}
		return nil, err
	}
	data, err := h.entry.buffers.keep(raw)
	return data, bodyError(err)
}

func (h *rpcHandler) fail(w http.ResponseWriter, r *http.Request, s *spb.Status) {
	_ = h.errors.Write(w, r, connectError(s))
}

// connectError is s as an error of Connect.
func connectError(s *spb.Status) *connect.Error {
	err := connect.NewError(connect.Code(s.GetCode()), errors.New(s.GetMessage()))
	for _, d := range s.GetDetails() {
		if detail, bad := connect.NewErrorDetail(d); bad == nil {
			err.AddDetail(detail)
		}
	}
	return err
}

// notFound says what there is instead of what was asked for.
func (t *table) notFound(w http.ResponseWriter, r *http.Request) {
	path := clip(r.URL.Path, 256)
	status, refusal := http.StatusNotFound, &spb.Status{Code: int32(code.Code_NOT_FOUND)}
	switch {
	case t.byMethod[r.URL.Path] == nil:
		refusal.Message = fmt.Sprintf("version %q has no %s %s; its rpcs are POST %s; GET / says how to call them",
			t.version.Name, r.Method, path, strings.Join(sortedKeys(t.byMethod), ", POST "))
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		status, refusal.Code = http.StatusMethodNotAllowed, int32(code.Code_INVALID_ARGUMENT)
		refusal.Message = fmt.Sprintf("%s wants POST, not %s", path, r.Method)
	default:
		status, refusal.Code = http.StatusUnsupportedMediaType, int32(code.Code_INVALID_ARGUMENT)
		refusal.Message = fmt.Sprintf("a body of type %q is not taken; send application/json, or what Connect, gRPC-Web and gRPC do", clip(r.Header.Get("Content-Type"), 64))
	}
	writeStatus(w, status, refusal)
}

// proto serves the contract's files.
func (e *Entrypoint) proto(w http.ResponseWriter, r *http.Request) {
	sources := e.table.Load().version.Schema.Sources()
	path := r.PathValue("path")
	source, ok := sources[path]
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	switch {
	case ok:
		_, _ = w.Write(source)
	case path == "":
		for _, name := range sortedKeys(sources) {
			_, _ = fmt.Fprintln(w, name)
		}
	default:
		http.Error(w, fmt.Sprintf("no proto %q; there are: %s", clip(path, 256), strings.Join(sortedKeys(sources), ", ")), http.StatusNotFound)
	}
}
