package traffic

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
)

// passBytes is how much of a stream is passed on at a time.
const passBytes = 16 << 10

// prolong gives a response the time that a stream may take, instead of that of the server.
func prolong(w http.ResponseWriter, limit time.Duration) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // the request has been read; later, the end of it would be the client's
	_ = control.SetWriteDeadline(time.Now().Add(limit + 2*lateBy))
}

// pass passes a stream of the canary on as it comes. One that breaks off is broken off here too, so
// that it does not look like one that has ended.
func (q *Request) pass(ctx context.Context, w http.ResponseWriter, r *http.Request, res *response) {
	defer res.stream.Body.Close()
	first := time.Now()
	res.writeHeader(w)
	cut, gone := q.passOn(w, res.stream.Body)
	result := result(res.status, res.stream.Trailer)
	switch {
	case cut == nil && gone == nil:
	case ctx.Err() != nil:
		result = code.Code(q.gaveUp(r.Context()).GetCode())
	case gone != nil:
		result = code.Code_CANCELLED
	default:
		result = code.Code_UNAVAILABLE
	}
	q.forwardedStream(result, first)
	if cut != nil {
		panic(http.ErrAbortHandler)
	}
	for name, values := range responseOf(res.stream.Trailer) {
		w.Header()[http.TrailerPrefix+name] = values
	}
}

// passOn copies a stream to its end, each part as it comes. Cut is why there is no more of it, gone why
// the client cannot get more.
func (q *Request) passOn(w http.ResponseWriter, from io.Reader) (cut, gone error) {
	o, control := &q.divider.options, http.NewResponseController(w)
	room := o.Buffers.Get(passBytes)
	defer o.Buffers.Put(room)
	for {
		n, err := from.Read(*room)
		if n > 0 {
			_, gone = w.Write((*room)[:n])
			if gone == nil {
				gone = control.Flush()
			}
		}
		switch {
		case gone != nil:
			return nil, gone
		case errors.Is(err, io.EOF):
			return nil, nil
		case err != nil:
			return err, nil
		}
	}
}
