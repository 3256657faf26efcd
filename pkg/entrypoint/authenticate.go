package entrypoint

import (
	"context"
	"net/http"
	"strings"
	"time"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/status"

	"krt.dev/kn-krt/pkg/entrypoint/authentication"
	"krt.dev/kn-krt/pkg/entrypoint/failure"
	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/entrypoint/web"
)

// Clients are authenticated by the header of a request, before anything else of it is done: it
// is not read, not admitted and not divided between versions. Health, and the preflight
// requests of browsers, need no authentication.

// identifiedKey is the context key of a request over HTTP whose client is authenticated.
type identifiedKey struct{}

// authenticateCall returns why the client of a gRPC call of r may not make it; nil if it may.
func (e *Entrypoint) authenticateCall(ctx context.Context, t *table, r *route) *spb.Status {
	if !e.clients.Workflow(r.Name) {
		return nil
	}
	begin := time.Now()
	_, refusal := e.clients.Identify(ctx, authentication.OfCall(ctx))
	if refusal == nil {
		return nil
	}
	return e.refuseClient(&ticket{entry: e, table: t, route: r, protocol: record.GRPC, begin: begin}, refusal)
}

// authenticateReader returns why a client may not read the contract by gRPC: if every workflow
// requires authentication, so does that.
func (e *Entrypoint) authenticateReader(ctx context.Context) error {
	if !e.clients.All() {
		return nil
	}
	if _, refusal := e.clients.Identify(ctx, authentication.OfCall(ctx)); refusal != nil {
		return status.FromProto(e.refuseClient(&ticket{entry: e, protocol: record.GRPC}, refusal)).Err()
	}
	return nil
}

// authenticated serves requests over HTTP whose clients may make them.
func (e *Entrypoint) authenticated(next http.Handler) http.Handler {
	if e.clients == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k := &ticket{entry: e, table: e.table.Load(), begin: time.Now()}
		required := k.asks(r)
		if !required {
			next.ServeHTTP(w, r)
			return
		}
		_, refusal := e.clients.Identify(r.Context(), authentication.OfRequest(r))
		if refusal != nil {
			k.unauthorized(w, r, refusal)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), identifiedKey{}, true)))
	})
}

// asks sets the ticket's route and protocol, as far as a request's path has them, and reports
// whether it requires authentication. A workflow that only the transcoder or the body of an
// event will name may be any.
func (k *ticket) asks(r *http.Request) (required bool) {
	path := r.URL.Path
	name, event := strings.CutPrefix(path, "/workflows/")
	switch {
	case event:
		name, _, _ = strings.Cut(name, "/results/")
		k.route, k.protocol = k.table.byName[name], record.CloudEvent
	case (path == "/" || strings.HasPrefix(path, "/proto/")) && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		return k.entry.clients.All()
	default:
		// In REST an annotation decides, which may have the path of another rpc.
		if k.protocol = web.ProtocolOf(r); k.protocol != record.REST {
			k.route = k.table.byMethod[path]
		}
	}
	name = ""
	if k.route != nil {
		name = k.route.Name
	}
	return k.entry.clients.Workflow(name)
}

// unauthorized responds to a request whose client may not make it, without reading more of it.
func (k *ticket) unauthorized(w http.ResponseWriter, r *http.Request, refusal *authentication.Refusal) {
	if !refusal.Retry {
		w.Header().Set("WWW-Authenticate", k.entry.clients.Challenge(k.table.version.Name, refusal))
	}
	web.LeaveUnread(w, r.ContentLength)
	web.Refuse(w, r, k.entry.refuseClient(k, refusal))
}

// mayCall returns why a request over HTTP may not call the route to which it has been
// transcoded; nil if it may. It is checked again because the path is read twice, here and by
// the transcoder.
func (e *Entrypoint) mayCall(ctx context.Context, r *route) *spb.Status {
	if !e.clients.Workflow(r.Name) || ctx.Value(identifiedKey{}) != nil {
		return nil
	}
	_, refusal := e.clients.Identify(ctx, authentication.Credentials{})
	return refusal.Status()
}

// refuseClient counts and logs the refusal of a client, and returns it as a status. It has no
// record: a flood of such requests must not displace those of others.
func (e *Entrypoint) refuseClient(k *ticket, refusal *authentication.Refusal) *spb.Status {
	refused := refusal.Status()
	workflow := ""
	if k.route != nil {
		workflow = k.route.Name
		r := record.Record{End: time.Now()}
		k.describe(&r)
		failure.Describe(&r, refused)
		e.metrics.Observe(&r)
	}
	e.log.Warn("a client is not authenticated", "workflow", workflow, "protocol", k.protocol, "error", refusal.Text)
	return refused
}
