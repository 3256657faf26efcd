package mail

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"

	"krt.dev/kn-krt/pkg/entrypoint/memory"
	"krt.dev/kn-krt/pkg/entrypoint/seal"
	"krt.dev/kn-krt/pkg/entrypoint/web"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/runner/clip"
)

// Results gives clients the results of a workflow.
type Results struct {
	Box *Box
	// Version and Workflow are their names, Source that of the version's events.
	Version, Workflow, Source string
	// Output is the type of the responses.
	Output protoreflect.MessageDescriptor
	// Retention is how long they are kept; 0: they are not.
	Retention time.Duration
	JSON      *web.JSON
	Budget    *memory.Budget
	// Waiting reports whether a request is in work here.
	Waiting func(seal.ID) bool
}

// Serve responds with the result of a request: with 202 while it is in work here, and then with the
// response, or as the failure would have been.
func (x Results) Serve(w http.ResponseWriter, r *http.Request, id string) {
	if x.Box == nil || x.Retention == 0 {
		NoResult(w, fmt.Sprintf("version %q keeps no results: set spec.entrypoint.results, and restart it", x.Version))
		return
	}
	request, ok := seal.ParseID(id)
	if !ok || request.String() != id {
		NoResult(w, fmt.Sprintf("%q is not the id of a request: it is in the header Krt-Correlation-Id of the response 202", clip.Text(id, 64)))
		return
	}
	if x.Waiting(request) || x.Box.Saving(letter.Result, id) {
		w.Header().Set("Retry-After", "1")
		web.WriteStatus(w, http.StatusAccepted, &spb.Status{Message: "the request is in work"})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), storeTime)
	defer cancel()
	l, err := x.Box.Get(ctx, letter.Result, x.Version, id)
	switch {
	case errors.Is(err, letter.ErrNotFound), err == nil && l.Workflow != x.Workflow:
		NoResult(w, fmt.Sprintf("there is no result of request %s of workflow %q: it is in work at another replica or in the queue, "+
			"its result was kept for %s and has expired, or version %q has not accepted it", id, x.Workflow, x.Retention, x.Version))
	case err != nil:
		x.Box.log.Warn("cannot read a result", "id", id, "error", err)
		w.Header().Set("Retry-After", "1")
		web.WriteFailure(w, &spb.Status{
			Code: int32(code.Code_UNAVAILABLE), Message: "the results cannot be read now: the store does not respond",
		})
	default:
		w.Header().Set("Krt-Correlation-Id", id)
		x.write(w, r.Header.Get("Accept"), l)
	}
}

// write responds with a result. Its data is counted while it is sent.
func (x Results) write(w http.ResponseWriter, accept string, l *letter.Letter) {
	size := int64(len(l.Data))
	switch {
	case l.Status != nil:
		web.WriteFailure(w, l.Status.RPC())
		return
	case !x.Budget.Reserve(size):
		web.WriteFailure(w, memory.Refusal(memory.ErrFull))
		return
	}
	defer x.Budget.Release(size)
	web.Result{ID: l.ID, CausationID: l.CausationID, Source: x.Source, Output: x.Output, Data: l.Data}.Write(w, accept, x.JSON)
}

// NoResult responds that there is no result, and why.
func NoResult(w http.ResponseWriter, text string) {
	web.WriteFailure(w, &spb.Status{Code: int32(code.Code_NOT_FOUND), Message: text})
}
