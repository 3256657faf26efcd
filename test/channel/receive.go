package channel

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// ServeHTTP accepts the events of the channel in the path, /NAMESPACE/NAME. GET /counts returns the
// Counts as JSON, GET /healthz 200.
func (d *Dispatcher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodGet && r.URL.Path == "/healthz":
		w.WriteHeader(http.StatusOK)
	case r.Method == http.MethodGet && r.URL.Path == "/counts":
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(d.Counts()) // to whoever reads it
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "a channel takes events by POST", http.StatusMethodNotAllowed)
	default:
		d.receive(w, r)
	}
}

// receive accepts an event once it is on the disk for each of the channel's subscribers.
func (d *Dispatcher) receive(w http.ResponseWriter, r *http.Request) {
	c, known := d.channel(r.URL.Path)
	if !known {
		http.Error(w, fmt.Sprintf("there is no channel %q, or it is not known yet", r.URL.Path), http.StatusNotFound)
		return
	}
	data, status, err := d.read(w, r, c)
	if err != nil {
		if status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "1")
			d.count(&d.counts.Refused)
		}
		http.Error(w, err.Error(), status)
		return
	}
	if c.Faults.AcceptFirst {
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusAccepted)
		_ = http.NewResponseController(w).Flush() // the event is kept all the same
	}
	if err := d.keep(c, eventHeader(r.Header), data); err != nil {
		d.Log.Error("an event cannot be stored", "channel", c.Key, "error", err)
		if !c.Faults.AcceptFirst {
			http.Error(w, "the event cannot be stored: "+err.Error(), http.StatusServiceUnavailable)
		}
		return
	}
	if d.Chance(c.Faults.Hide) {
		d.count(&d.counts.Hidden)
		panic(http.ErrAbortHandler)
	}
	if !c.Faults.AcceptFirst {
		w.WriteHeader(http.StatusAccepted)
	}
}

func (d *Dispatcher) channel(path string) (Channel, bool) {
	namespace, name, _ := strings.Cut(strings.Trim(path, "/"), "/")
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.channels[Key{namespace, name}]
	if s == nil {
		return Channel{}, false
	}
	return s.Channel, true
}

// read returns the data of the event, or why it is refused.
func (d *Dispatcher) read(w http.ResponseWriter, r *http.Request, c Channel) (data []byte, status int, err error) {
	if err := checkEvent(r.Header); err != nil {
		return nil, http.StatusBadRequest, err
	}
	limit := c.Faults.MaxBytes
	if limit == 0 {
		limit = d.MaxBytes
	}
	data, err = io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, http.StatusRequestEntityTooLarge, fmt.Errorf("the event has more than the %d bytes that the channel takes", limit)
	case err != nil:
		return nil, http.StatusBadRequest, err
	case d.Chance(c.Faults.Refuse):
		return nil, http.StatusServiceUnavailable, errors.New("the channel refuses this event: its faults say so")
	case d.journal.Bytes() > d.StoreBytes:
		return nil, http.StatusServiceUnavailable, fmt.Errorf("the store is full: it has %d bytes", d.StoreBytes)
	}
	return data, 0, nil
}

// keep stores an event for each subscriber and has it delivered.
func (d *Dispatcher) keep(c Channel, header http.Header, data []byte) error {
	var items []*item
	var payloads [][]byte
	for _, s := range c.Subscribers {
		e := &event{To: c.Key, Subscriber: s.UID, Header: header, Data: data}
		payload, err := e.encode()
		if err != nil {
			return err
		}
		items, payloads = append(items, &item{event: e}), append(payloads, payload)
	}
	ids, err := d.journal.Keep(payloads...)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for n, i := range items {
		i.id = ids[n]
		d.counts.Accepted++
		known := d.channels[c.Key]
		if known == nil || known.queues[i.event.Subscriber] == nil { // gone meanwhile
			d.counts.Dropped++
			d.journal.Forget(i.id)
			continue
		}
		known.queues[i.event.Subscriber].push(i)
	}
	return nil
}
