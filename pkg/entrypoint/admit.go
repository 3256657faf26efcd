package entrypoint

import (
	"time"

	spb "google.golang.org/genproto/googleapis/rpc/status"

	"krt.dev/kn-krt/pkg/entrypoint/failure"
	"krt.dev/kn-krt/pkg/entrypoint/record"
)

// ticket is a request's place among those in flight, which [Entrypoint.admit]
// grants before anything of the request is read. It is used up by call or accept, or
// given back by release.
type ticket struct {
	entry *Entrypoint
	table *table // the port's handler keeps it, until it returns
	// route may be set after admission, where only the request's body names it,
	// and must be set before call or accept.
	route    *route
	protocol record.Protocol
	begin    time.Time
}

// admit grants a request its place, or returns why there is none. r is nil while it
// is not known.
func (e *Entrypoint) admit(t *table, r *route, by record.Protocol) (ticket, *spb.Status) {
	k := ticket{entry: e, table: t, route: r, protocol: by, begin: time.Now()}
	if e.inFlight.Add(1) > int64(e.options.MaxInFlight) {
		k.release()
		refusal := e.overloaded(t, r)
		k.observeRefusal(refusal)
		return ticket{}, refusal
	}
	return k, nil
}

// releaseUnless gives the place back of a request that ends before it is used up or refused: what reads or decodes it has
// panicked. It is to be deferred; net/http ends the connection then.
func (k *ticket) releaseUnless(read *bool) {
	if !*read {
		k.release()
	}
}

// release gives the place back.
func (k *ticket) release() { k.entry.inFlight.Add(-1) }

func (e *Entrypoint) overloaded(t *table, r *route) *spb.Status {
	of := failure.Of{Version: t.version.Name}
	if r != nil {
		of.Workflow = r.Name
	}
	return of.Overload(e.options.MaxInFlight)
}
