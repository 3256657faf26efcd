package service

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"krt.dev/kn-krt/pkg/credential"
	"krt.dev/kn-krt/pkg/data"
	"krt.dev/kn-krt/pkg/letter"
	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/store"
)

// maxBodyBytes bounds the body of a request, as in a local run.
const maxBodyBytes = 16 << 20

// api serves the store to those who show a credential, within their limits.
type api struct {
	keys    *keyring
	limits  *limiter
	metrics *metrics
	routes  *http.ServeMux
}

func newAPI(keys *keyring, c Config, m *metrics, backends store.Backends, log *slog.Logger) *api {
	server := store.New(backends, store.Options{
		MaxBodyBytes: maxBodyBytes, MaxResultBytes: resultBytes, Identify: identify, Hold: hold, Logger: log,
		MaxLetters: c.Letters, MaxLetterBytes: c.LetterBytes,
		Predicted: func(ctx context.Context, p store.Prediction) {
			if h, _ := ctx.Value(holderKey{}).(credential.Holder); h.Role != credential.Owner { // an import is of earlier ones
				m.predictions.count(p)
			}
		},
	})
	a := &api{keys: keys, limits: newLimiter(c.Limits), metrics: m, routes: http.NewServeMux()}
	const node, entrypoint, shared, owner = credential.Node, credential.Entrypoint, credential.Shared, credential.Owner
	a.routes.Handle("/", only(server.Handler(), node, shared, owner))
	a.routes.Handle(wire.PathMeasurements, only(server.Handler(), node, entrypoint, shared, owner))
	a.routes.Handle(letter.Path, only(server.Handler(), entrypoint, shared, owner))
	a.routes.Handle(data.Path, only(server.Owned(), owner))
	return a
}

// only serves those whose credential has one of the roles.
func only(h http.Handler, roles ...credential.Role) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch of, _ := r.Context().Value(holderKey{}).(credential.Holder); {
		case slices.Contains(roles, of.Role):
			h.ServeHTTP(w, r)
		case of.Role == credential.Entrypoint:
			refuse(w, &store.Problem{Status: http.StatusForbidden, Text: "the credential of an entrypoint does not allow this"})
		default:
			refuse(w, &store.Problem{Status: http.StatusForbidden, Text: "the credential of a node does not allow this"})
		}
	})
}

// ServeHTTP identifies and admits a request before its body is read.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kind, operation := subject(r)
	end := a.metrics.begin(kind, operation)
	recorded := &recorder{ResponseWriter: w, status: http.StatusOK}
	defer func() { end(recorded.status) }()
	h, err := a.keys.holder(r)
	if err != nil {
		refuse(recorded, err)
		return
	}
	held, err := a.limits.admit(r.Context(), h, weight(r, operation == operationRead))
	if err != nil {
		recorded.Header().Set("Retry-After", "1")
		refuse(recorded, err)
		return
	}
	defer held.release()
	ctx := context.WithValue(context.WithValue(r.Context(), holderKey{}, h), heldKey{}, held)
	a.routes.ServeHTTP(recorded, r.WithContext(ctx))
}

// Kinds and operations, as labels of metrics.
const (
	kindDocument    = "document"
	kindPrediction  = "prediction"
	kindMeasurement = "measurement"
	kindLetter      = "letter"
	kindOther       = "other"

	operationRead  = "read"
	operationWrite = "write"
)

// subject returns what a request is about, by its path: what clients write there is not a label.
func subject(r *http.Request) (kind, operation string) {
	path := r.URL.Path
	kind, operation = kindOther, operationRead
	switch {
	case strings.HasPrefix(path, wire.PathCollections):
		kind = kindDocument
	case strings.HasPrefix(path, wire.PathPredictions):
		kind = kindPrediction
	case strings.HasPrefix(path, wire.PathMeasurements):
		kind = kindMeasurement
	case strings.HasPrefix(path, letter.Path):
		kind = kindLetter
	}
	reads := r.Method == http.MethodGet || strings.HasSuffix(path, "/find")
	if kind != kindOther && !reads {
		operation = operationWrite
	}
	return kind, operation
}

// recorder keeps the status of a response.
type recorder struct {
	http.ResponseWriter

	status int
}

// WriteHeader keeps the status and writes it.
func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap returns the writer that is recorded, for http.ResponseController and net/http.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// refuse responds with a problem.
func refuse(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	var p *store.Problem
	if errors.As(err, &p) {
		status = p.Status
	}
	respond(w, status, wire.Failure{Error: err.Error()})
}

func respond(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that is gone reads nothing
}
