package entrypoint

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/entrypoint/traffic"
	"krt.dev/kn-krt/pkg/entrypoint/web"
	"krt.dev/kn-krt/pkg/runner/event"
)

// newServer returns a server for h whose connections live for age at most; 0 means any time.
func (e *Entrypoint) newServer(h http.Handler, age time.Duration) *http.Server {
	return web.Server{Handler: h, Timeout: e.options.Timeout, Age: age, Logger: e.log}.New()
}

// webHandler serves the web port.
func (e *Entrypoint) webHandler() http.Handler {
	mux := http.NewServeMux()
	port := e.forwarder()
	events := e.traffic.Handler(e.decoding.MaxEvent(), port, e.keeping(e.serveEvent))
	calls := e.keeping(func(t *table, w http.ResponseWriter, r *http.Request) { t.rpc.ServeHTTP(w, r) })
	mux.HandleFunc("POST /workflows/{name}", events)
	mux.HandleFunc("GET /workflows/{name}/results/{id}", e.keeping(e.serveResult))
	mux.HandleFunc("POST /{$}", events)
	mux.HandleFunc("GET /{$}", e.describePage)
	mux.HandleFunc("GET /proto/{path...}", e.proto)
	mux.HandleFunc("/", e.traffic.Handler(e.decoding.MaxBody(), port, calls))
	prepared := web.Prepare(e.options.StreamTimeout, e.authenticated(mux))
	return e.origins.Guard(traffic.Mark(web.Count(e.budget, web.MaxHeaderBytes, prepared)))
}

// keeping serves with the table in force, which is kept until handle returns.
func (e *Entrypoint) keeping(handle func(*table, http.ResponseWriter, *http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		t := e.acquire()
		if t == nil {
			web.LeaveUnread(w, r.ContentLength)
			web.Refuse(w, r, &spb.Status{Code: int32(code.Code_UNAVAILABLE), Message: "the version is stopping"})
			return
		}
		defer t.release()
		handle(t, w, r)
	}
}

// rpcHandler responds to calls in Connect's unary protocol, or in its streaming one if the rpc
// is, with protobuf bodies.
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
	if refusal := h.entry.mayCall(r.Context(), route); refusal != nil {
		h.fail(w, r, refusal)
		return
	}
	body := web.TranscodingOf(r.Context())
	k, overload := h.entry.admit(h.table, route, body.Protocol())
	if overload != nil {
		h.fail(w, r, overload)
		return
	}
	read := false
	defer k.releaseUnless(&read)
	data, err := h.read(r, route)
	read = true
	body.Decoded()
	if refusal := body.Refusal(); refusal != nil { // the client has a response; an error is that nothing was handed on
		if err == nil {
			data.Free()
		}
		k.refuse(refusal)
		return
	}
	if err != nil {
		k.refuse(&spb.Status{Code: int32(connect.CodeOf(err)), Message: err.Error()})
		_ = h.errors.Write(w, r, err)
		return
	}
	ctx := event.ContextWithTrace(r.Context(), event.RequestTrace(r.Header))
	in := received{data: data, inspect: askedBy(r.Header), divided: traffic.From(r.Context())}
	if route.stream {
		r.Body = http.NoBody // it has what the transcoder has made of the body, in two forms
		h.serveStream(w, r.WithContext(ctx), k, in)
		return
	}
	req, response := k.call(ctx, in)
	defer req.observe()
	traffic.Begun(w, code.Code(response.failure.GetCode()))
	w.Header().Set(headerCorrelation, req.First.Event.CorrelationID)
	w.Header().Set(headerTiming, req.timing())
	if response.failure != nil {
		h.fail(w, r, response.failure)
		return
	}
	out := web.BeginResponse(r.Context(), body.Writer(), response.data)
	if out == nil {
		return // the connection is closed
	}
	body.FreeAtEnd(out)
	w.Header().Set("Content-Type", "application/proto")
	_, _ = w.Write(out.ReadOnlyData())
}

// read reads a request's message, decoded, into a buffer. The error is Connect's.
func (h *rpcHandler) read(r *http.Request, to *route) (mem.Buffer, error) {
	raw, err := web.ReadMessage(r)
	if err == nil && to.stream {
		raw, err = web.Unwrap(raw, to.path[1:], string(to.input.FullName()))
	}
	if err != nil {
		if !errors.As(err, new(*connect.Error)) {
			err = connect.NewError(connect.CodeInvalidArgument, err)
		}
		return nil, err
	}
	data, err := h.entry.buffers.CopyRequest(raw)
	return data, web.BodyError(err)
}

func (h *rpcHandler) fail(w http.ResponseWriter, r *http.Request, s *spb.Status) {
	_ = h.errors.Write(w, r, web.TranscodingOf(r.Context()).Failed(s))
}

// notFound responds with what there is instead of what was asked for.
func (t *table) notFound(w http.ResponseWriter, r *http.Request) {
	web.NotFound(w, r, t.version.Name, slices.Sorted(maps.Keys(t.byMethod)))
}

// proto serves the contract's files.
func (e *Entrypoint) proto(w http.ResponseWriter, r *http.Request) {
	web.WriteSource(w, e.table.Load().version.Schema.Sources(), r.PathValue("path"))
}
