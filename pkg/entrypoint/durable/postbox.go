package durable

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"time"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"krt.dev/kn-krt/pkg/entrypoint/mail"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/pkg/queue/client"
	"krt.dev/kn-krt/pkg/runner/clip"
	"krt.dev/kn-krt/pkg/runner/event"
)

const (
	// postboxConcurrent bounds the letters that are posted at once, of each workflow.
	postboxConcurrent = 4
	// letterTime bounds a try to keep a letter.
	letterTime = 10 * time.Second
)

// postbox is the last step of each workflow: letters that could not be kept at once wait there, so
// that no node has to work again because the store was away.
func postbox(w Workflow) queue.Step { return queue.Steps(w.Name, w.nodes()...)[len(w.Steps)] }

// letter begins a letter about the event.
func (w *work) letter(kind letter.Kind, status *spb.Status) letter.Letter {
	l := letter.Letter{
		Kind: kind, ID: w.event.CorrelationID, Version: w.options.Version, Workflow: w.name.Workflow, Node: w.name.Node, Step: w.name.Index,
		Time: time.Now(), Status: letter.StatusOf(status), Event: mail.Attributes(w.event), Replays: w.note.replays,
		CausationID: cut(w.note.cause),
	}
	if kind == letter.Result {
		l.Expires = l.Time.Add(w.options.Results)
	}
	return l
}

// keep keeps l, or has the queue keep it until it is. While neither can be had, the replica holds it, so that the node
// does not work again. It reports false if that ends before.
func (w *work) keep(l letter.Letter) bool {
	if w.options.Letters == nil || w.event.Mirror {
		return true // it has been logged; of a copy nothing is kept, because another version has served the client
	}
	if len(l.Data) > letter.MaxData {
		if l.Kind == letter.Result {
			l.Status = letter.StatusOf(mail.TooLarge(l.Data))
		}
		l.Data, l.Message = nil, ""
	}
	held := false
	return w.persist(w.working, func(ctx context.Context) error {
		err := w.put(l)
		switch {
		case err == nil:
			return nil
		case !temporary(err):
			w.refused(&l, err)
			return nil
		}
		away := w.publish(context.WithoutCancel(ctx), w.posted(&l), len(w.nodes))
		switch {
		case away == nil:
			w.log.Warn("a letter waits in the queue until the store accepts it", "kind", l.Kind, "id", l.ID, "error", err)
		case !held:
			held = true
			w.log.Warn("a letter is held until the store or the queue accepts it", "kind", l.Kind, "id", l.ID, "error", errors.Join(err, away))
		}
		return away
	}, nil) == nil
}

// posted is the message with which l waits in the queue.
func (w *work) posted(l *letter.Letter) client.Message {
	header := mail.Header(l.Event)
	maps.Copy(header, http.Header{
		headerLetter: {string(l.Kind)}, headerStep: {strconv.Itoa(l.Step)}, headerStatus: {encodeStatus(l.Status.RPC())},
		"Krt-Id": {l.ID}, "Krt-Node": {l.Node}, "Krt-Time": {strconv.FormatInt(l.Time.UnixNano(), 10)}, "Krt-Message": {l.Message},
	})
	w.note.write(header)
	return client.Message{
		Step: postbox(w.workflow), ID: string(l.Kind) + "/" + l.ID + "/" + strconv.Itoa(l.Replays), Header: header, Data: l.Data,
	}
}

// temporary reports whether the store may accept a letter later. A limit of the store is one that
// its owner can change.
func temporary(err error) bool {
	return letter.Temporary(err) || errors.Is(err, letter.ErrOld) || errors.Is(err, context.DeadlineExceeded)
}

// put has the store keep a letter, which goes on when the event's own time is over.
func (c *Carrier) put(l letter.Letter) error {
	ctx, cancel := context.WithTimeout(c.working, letterTime)
	defer cancel()
	return c.options.Letters.Put(ctx, l)
}

// post keeps a letter that waits in the queue.
func (c *Carrier) post(r *client.Received) {
	if !c.home.Buffers().Hold(r.Bytes) {
		_ = r.Nak(fullPause)
		return
	}
	defer c.home.Buffers().Let(r.Bytes)
	l := readLetter(r.Header, r.Data)
	l.Version = c.options.Version
	if l.Kind == letter.Result {
		l.Expires = l.Time.Add(c.options.Results)
	}
	var err error
	if c.options.Letters != nil {
		err = c.put(l)
	}
	switch {
	case err == nil:
	case temporary(err):
		if r.Delivered&(r.Delivered-1) == 0 { // the 1st time, the 2nd, the 4th and so on
			c.log.Warn("a letter waits in the queue until the store accepts it", "kind", l.Kind, "id", l.ID, "tries", r.Delivered, "error", err)
		}
		_ = r.Nak(min(c.options.Retry.Delay<<min(r.Delivered, 16), maxWait))
		return
	default:
		c.refused(&l, err)
	}
	_ = r.Ack(c.working) // or it is kept again, under the same name
}

// refused counts and logs a letter that the store will never accept.
func (c *Carrier) refused(l *letter.Letter, err error) {
	c.metrics.dropped(l.Kind)
	c.log.Error("dropped a letter that the store does not accept", "kind", l.Kind, "id", l.ID, "error", err)
}

// readLetter reads what keep has published.
func readLetter(h http.Header, data []byte) letter.Letter {
	e, err := event.ReadHeader(h)
	if err != nil {
		e = &event.Event{}
	}
	n := readNote(h)
	l := letter.Letter{
		Kind: letter.Kind(h.Get(headerLetter)), ID: h.Get("Krt-Id"), Workflow: e.Workflow, Node: h.Get("Krt-Node"),
		Status: letter.StatusOf(decodeStatus(h.Get(headerStatus))), Message: h.Get("Krt-Message"), Event: mail.Attributes(e),
		Data: data, Replays: n.replays, CausationID: cut(n.cause),
	}
	l.Step, _ = strconv.Atoi(h.Get(headerStep))
	ns, _ := strconv.ParseInt(h.Get("Krt-Time"), 10, 64)
	l.Time = time.Unix(0, ns)
	return l
}

// cut returns the id of a producer's event as a letter may have it.
func cut(id string) string { return clip.Text(id, 190) }

// forget deletes the dead letter that was replayed.
func (w *work) forget() {
	if w.options.Letters == nil {
		return
	}
	ctx, cancel := context.WithTimeout(w.working, letterTime)
	defer cancel()
	err := w.options.Letters.Delete(ctx, letter.Dead, w.options.Version, w.note.origin)
	if err != nil && !errors.Is(err, letter.ErrNotFound) {
		w.log.Warn("cannot delete the dead letter of an event that was replayed; it may be replayed again",
			"id", w.note.origin, "error", err)
	}
}

func statusBytes(s *spb.Status) []byte {
	data, err := proto.Marshal(s)
	if err != nil {
		data, _ = proto.Marshal(&spb.Status{Code: s.GetCode(), Message: "the error's text is not valid UTF-8"})
	}
	return data
}
