package entrypoint

import (
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"

	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/runner/event"
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
		failure := overloaded(t, r, e.options.MaxInFlight)
		k.observeRefusal(failure)
		return ticket{}, failure
	}
	return k, nil
}

// release gives the place back.
func (k *ticket) release() { k.entry.inFlight.Add(-1) }

func overloaded(t *table, r *route, limit int) *spb.Status {
	f := event.Failure{
		Code:    code.Code_RESOURCE_EXHAUSTED,
		Reason:  event.ReasonOverload,
		Text:    fmt.Sprintf("the version is processing %d requests, its limit; try again later", limit),
		Version: t.version.Name,
	}
	if r != nil {
		f.Workflow = r.Name
	}
	return f.Status()
}
