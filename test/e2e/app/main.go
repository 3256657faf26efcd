// Command app is what the tests run on the cluster: a small HTTP service that
// answers, streams, takes and gives CloudEvents and relays into the cluster.
package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

func main() {
	a := &app{name: cmp.Or(os.Getenv("NAME"), "app"), next: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.hello)
	mux.HandleFunc("GET /stream", a.stream)
	mux.HandleFunc("POST /next", a.letNext)
	mux.HandleFunc("GET /seen", a.list)
	mux.HandleFunc("POST /{$}", a.step)
	mux.HandleFunc("POST /sink", a.sink)
	mux.HandleFunc("POST /send", a.send)
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Addr: ":" + cmp.Or(os.Getenv("PORT"), "8080"), Handler: mux, Protocols: &protocols,
		ReadHeaderTimeout: 10 * time.Second}
	if err := server.ListenAndServe(); err != nil {
		slog.Error("cannot serve", "error", err)
		os.Exit(1)
	}
}

type app struct {
	name string
	next chan struct{}
	mu   sync.Mutex
	seen []string
}

// hello says who answers, over which protocol, and what header the caller set.
func (a *app) hello(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "hello from %s over %s, X-Test %q\n", a.name, r.Proto, r.Header.Get("X-Test"))
}

// stream sends one line and holds back the second until /next is asked for: a
// caller who asks only when the first has come gets on only if nothing on the
// way waits for more.
func (a *app) stream(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintln(w, "first")
	if err := http.NewResponseController(w).Flush(); err != nil {
		return
	}
	select {
	case <-r.Context().Done():
	case <-a.next:
		fmt.Fprintln(w, "second")
	}
}

func (a *app) letNext(w http.ResponseWriter, r *http.Request) {
	select {
	case <-r.Context().Done():
	case a.next <- struct{}{}:
		w.WriteHeader(http.StatusNoContent)
	}
}

// step answers an event with the same one, its data marked by this step's name.
func (a *app) step(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	copyEvent(w.Header(), r.Header)
	fmt.Fprintf(w, "%s>%s", data, a.name)
}

// sink keeps an event's data for /seen.
func (a *app) sink(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen = append(a.seen, string(data))
	w.WriteHeader(http.StatusAccepted)
}

func (a *app) list(w http.ResponseWriter, _ *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	fmt.Fprintln(w, strings.Join(a.seen, "\n"))
}

// send relays an event to an address that only the cluster's inside reaches.
func (a *app) send(w http.ResponseWriter, r *http.Request) {
	request, err := http.NewRequestWithContext(r.Context(), http.MethodPost, r.URL.Query().Get("to"), r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	copyEvent(request.Header, r.Header)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer response.Body.Close()
	w.WriteHeader(response.StatusCode)
	if _, err := io.Copy(w, response.Body); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		slog.Warn("cannot relay", "error", err)
	}
}

func copyEvent(to, from http.Header) {
	for name, values := range from {
		if strings.HasPrefix(name, "Ce-") || name == "Content-Type" {
			to[name] = values
		}
	}
}
