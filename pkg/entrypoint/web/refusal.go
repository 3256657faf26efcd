package web

import (
	"bytes"
	"cmp"
	"net/http"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"

	"krt.dev/kn-krt/pkg/entrypoint/memory"
)

// Refuse responds with s to a request that has not been handed on, in the form that its path has for failures: see
// [RefuseAs].
func Refuse(w http.ResponseWriter, r *http.Request, s *spb.Status) { RefuseAs(w, r, 0, s) }

// RefuseAs is Refuse under an HTTP status, 0 for that of the failure's code. All failures are JSON with code, message and
// details. At the path of an rpc, and to whoever speaks a protocol of rpcs, that is an error of Connect, whose code is a
// word, or what the client's protocol has for it; elsewhere it is a google.rpc.Status, whose code is a number.
func RefuseAs(w http.ResponseWriter, r *http.Request, status int, s *spb.Status) {
	if !isRPC(r.URL.Path) && !speaksRPC(r.Header) {
		if after := retryAfter(s); after != "" { // an error of Connect brings its own
			w.Header().Set(headerRetryAfter, after)
		}
		WriteStatus(w, cmp.Or(status, sizeStatus(s), httpStatus(s.GetCode())), s)
		return
	}
	r.Header.Set("Connect-Protocol-Version", "1") // which the writer speaks
	_ = connect.NewErrorWriter().Write(&statusWriter{w, cmp.Or(status, sizeStatus(s))}, r, ConnectError(s))
}

// isRPC reports whether a path is one of an rpc, /package.Service/Method, as far as can be told without the contract: names
// of services begin with a capital, and paths of annotations have another form.
func isRPC(path string) bool {
	service, method, found := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	name := service[strings.LastIndexByte(service, '.')+1:]
	return found && method != "" && !strings.Contains(method, "/") && name != "" && name[0] >= 'A' && name[0] <= 'Z'
}

// speaksRPC reports whether a request is in a protocol whose clients understand its own form of errors alone.
func speaksRPC(h http.Header) bool {
	kind := mediaType(h.Get("Content-Type"))
	return strings.HasPrefix(kind, "application/grpc") || strings.HasPrefix(kind, "application/connect+") ||
		h.Get("Connect-Protocol-Version") != ""
}

// statusWriter has failures under an HTTP status; 0 leaves them as they are.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	if status >= http.StatusBadRequest {
		status = cmp.Or(w.status, status)
	}
	w.ResponseWriter.WriteHeader(status)
}

// refusalWriter responds with 413 to a body above the limit, and 422 if what a node has made
// of it is, where Connect's table of statuses has 429 for every exhausted resource, and refuses a request that has
// not been read without waiting for the rest of it. What the transcoder refuses as plain text has the form of other failures.
type refusalWriter struct {
	http.ResponseWriter
	request *http.Request
	body    *Transcoding
	waits   int // the status of a refusal whose text decides what is sent; 0 if there is none
	// texts counts the JSON that is written, besides the message that it is made of; nil if it
	// is not JSON.
	texts *memory.Budget
}

// WriteHeader implements http.ResponseWriter.
func (w *refusalWriter) WriteHeader(status int) {
	exhausted := status == http.StatusTooManyRequests && w.body.instead == 0 && max(w.body.read, w.body.declared) <= w.body.most()
	if exhausted || status >= http.StatusBadRequest && w.isPlain() {
		w.waits, w.body.status = status, status
		return
	}
	w.begin(status)
}

func (w *refusalWriter) isPlain() bool {
	return strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain")
}

// begin sends the header.
func (w *refusalWriter) begin(status int) {
	switch {
	case status == http.StatusTooManyRequests && max(w.body.read, w.body.declared) > w.body.most():
		status = http.StatusRequestEntityTooLarge
		w.body.leaveRest(w.ResponseWriter)
	case status == http.StatusTooManyRequests && w.body.instead > 0:
		status = w.body.instead
	case status >= http.StatusBadRequest && w.body.read == 0: // refused before its body was read
		LeaveUnread(w.ResponseWriter, w.body.declared)
	}
	w.body.status = status
	w.ResponseWriter.WriteHeader(status)
}

// settle sends the header of a refusal that has waited for its text, and reports whether it has sent the text too.
func (w *refusalWriter) settle(text []byte) (sent bool) {
	status := w.waits
	if w.waits = 0; status == 0 {
		return false
	}
	if w.isPlain() {
		if w.body.read == 0 {
			LeaveUnread(w.ResponseWriter, w.body.declared)
		}
		w.Header().Del("Content-Length")
		w.Header().Del("Content-Type")
		if w.body.bare { // its client has sent JSON, and knows of no frames
			w.request.Header.Set("Content-Type", "application/json")
		}
		message := string(bytes.TrimSpace(text))
		RefuseAs(w.ResponseWriter, w.request, status, &spb.Status{Code: int32(codeOf(status)), Message: message})
		return true
	}
	if saysSize(text) {
		w.body.instead = http.StatusRequestEntityTooLarge
	}
	w.begin(status)
	return false
}

// codeOf is the code of a failure that the transcoder has under an HTTP status alone.
func codeOf(status int) code.Code {
	switch {
	case status == http.StatusNotFound:
		return code.Code_NOT_FOUND
	case status >= http.StatusInternalServerError:
		return code.Code_INTERNAL
	}
	return code.Code_INVALID_ARGUMENT
}

// Write implements http.ResponseWriter.
func (w *refusalWriter) Write(p []byte) (int, error) {
	if w.settle(p) {
		return len(p), nil
	}
	if w.body.status == 0 {
		w.body.status = http.StatusOK
	}
	if w.texts != nil { // until the client has read it
		w.texts.Add(int64(len(p)))
		defer w.texts.Release(int64(len(p)))
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection's own writer.
func (w *refusalWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Flush implements http.Flusher, which the transcoder requires. It flushes at the end of each
// response: one that is not a stream ends with it, and goes out as a whole, with its length.
func (w *refusalWriter) Flush() {
	w.settle(nil)
	if w.body.streams {
		_ = http.NewResponseController(w.ResponseWriter).Flush()
	}
}
