package mail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"krt.dev/kn-krt/pkg/entrypoint/capture"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/letter/port"
)

// Desk shows the letters of a version on its inspection port.
type Desk struct {
	// Box has them; nil: there are none.
	Box *Box
	// Version is the version that is served.
	Version func() Served
}

// Served is a version as a desk needs it.
type Served struct {
	Name string
	// Contract decodes its messages.
	Contract *capture.Contract
	// Results says that it keeps results.
	Results bool
}

// Handlers are the desk's handlers by their patterns.
func (d Desk) Handlers() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET /letters/{kind}":            d.with(d.list),
		"GET /letters/{kind}/{id...}":    d.with(one(d.get)),
		"DELETE /letters/{kind}/{id...}": d.with(one(d.delete)),
	}
}

// with serves requests for letters of a kind. The error of serve is its response.
func (d Desk) with(serve func(context.Context, letter.Kind, *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		kind := letter.Kind(r.PathValue("kind"))
		if !slices.Contains(letter.Kinds(), kind) { // claims belong to those who replay
			http.Error(w, fmt.Sprintf("kind: %.20q is not %s or %s", string(kind), letter.Result, letter.Dead), http.StatusNotFound)
			return
		}
		if d.Box == nil {
			// It is not 404: there is none to wait for.
			http.Error(w, "no letters are kept: the version was started without a store, or by an older kn-krt", http.StatusConflict)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), storeTime)
		defer cancel()
		value, err := serve(ctx, kind, r)
		var refused *letter.Error
		switch {
		case errors.Is(err, errNoResults):
			http.Error(w, err.Error(), http.StatusConflict) // as without a box
		case errors.Is(err, letter.ErrNotFound):
			http.Error(w, "no letter with this id is kept", http.StatusNotFound)
		case errors.As(err, &refused) && refused.Status < http.StatusInternalServerError && !letter.Temporary(err):
			http.Error(w, err.Error(), http.StatusBadRequest)
		case err != nil:
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		case value == nil:
			w.WriteHeader(http.StatusNoContent)
		default:
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(value)
		}
	}
}

// errNoResults is why nobody should wait for a result.
var errNoResults = errors.New("the version keeps no results: its spec.entrypoint.results is not set")

func (d Desk) list(ctx context.Context, kind letter.Kind, r *http.Request) (any, error) {
	q := r.URL.Query()
	of := letter.Selection{Version: d.Version().Name, Workflow: q.Get("workflow"), Before: q.Get("before")}
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > letter.MaxPage {
			return nil, &letter.Error{Status: http.StatusBadRequest, Text: "limit: it must be from 1 to " + strconv.Itoa(letter.MaxPage)}
		}
		of.Limit = n
	}
	return d.Box.List(ctx, kind, of)
}

// one serves requests for the letter of an id.
func one(
	serve func(ctx context.Context, kind letter.Kind, id string) (any, error),
) func(context.Context, letter.Kind, *http.Request) (any, error) {
	return func(ctx context.Context, kind letter.Kind, r *http.Request) (any, error) {
		id := r.PathValue("id")
		if err := letter.CheckID(id); err != nil {
			return nil, &letter.Error{Status: http.StatusBadRequest, Text: err.Error()}
		}
		return serve(ctx, kind, id)
	}
}

func (d Desk) get(ctx context.Context, kind letter.Kind, id string) (any, error) {
	version := d.Version()
	l, err := d.Box.Get(ctx, kind, version.Name, id)
	switch {
	case kind == letter.Result && !version.Results && errors.Is(err, letter.ErrNotFound):
		return nil, errNoResults
	case err != nil:
		return nil, err
	}
	shown := port.Letter{Letter: *l}
	if l.Message != "" {
		shown.Payload = version.Contract.Payload(l.Message, l.Data)
	}
	if version.Contract.Redacts() {
		shown.Data = nil // it has what must not be shown
	}
	return shown, nil
}

func (d Desk) delete(ctx context.Context, kind letter.Kind, id string) (any, error) {
	return nil, d.Box.Delete(ctx, kind, d.Version().Name, id)
}
