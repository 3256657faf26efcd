package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"krt.dev/kn-krt/pkg/runner/store"
)

// Serve serves the store's API on l until ctx is done, then lets requests in
// flight finish for at most a second. It closes l.
func (s *Store) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       5 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.options.Logger.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := server.Shutdown(patience); err != nil {
		return server.Close()
	}
	return nil
}

// Handler returns the store's API: see pkg/runner/store. Every response is JSON;
// one of status 400 and above is {"error": "…"}.
func (s *Store) Handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, serve := range map[string]func(*http.Request) (any, error){
		"POST " + store.PathMeasurements:                s.saveMeasurement,
		"GET " + store.PathMeasurements:                 s.listMeasurements,
		"POST " + store.PathPredictions:                 s.savePrediction,
		"GET " + store.PathPredictions:                  s.listPredictions,
		"POST " + store.PathCollections + "{coll}":      s.saveDocument,
		"POST " + store.PathCollections + "{coll}/find": s.findDocuments,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, serve) })
	}
	return mux
}

// problem is an error of the client's.
type problem struct {
	status int
	text   string
}

func (p *problem) Error() string { return p.text }

func invalid(format string, args ...any) error {
	return &problem{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// saved is a response with status 201.
type saved store.Saved

func (s *Store) serve(w http.ResponseWriter, r *http.Request, serve func(*http.Request) (any, error)) {
	r.Body = http.MaxBytesReader(w, r.Body, s.options.MaxBodyBytes)
	ctx, cancel := context.WithTimeout(r.Context(), s.options.QueryTime)
	defer cancel()
	r = r.WithContext(ctx)
	answer, err := serve(r)
	status := http.StatusOK
	if _, ok := answer.(saved); ok {
		status = http.StatusCreated
	}
	if err != nil {
		status, answer = s.failure(r, err)
	}
	body, err := json.Marshal(answer)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error":"the response cannot be encoded"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// failure is the response for err; what the client cannot correct is
// logged, without its details in the response.
func (s *Store) failure(r *http.Request, err error) (status int, answer store.Failure) {
	var p *problem
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &p):
		return p.status, store.Failure{Error: p.text}
	case errors.As(err, &large):
		return http.StatusRequestEntityTooLarge, store.Failure{Error: fmt.Sprintf("the request has more than %d bytes", large.Limit)}
	case errors.Is(r.Context().Err(), context.DeadlineExceeded): // SQLite reports "interrupted"
		return http.StatusServiceUnavailable, store.Failure{Error: s.tooLong(r)}
	}
	if r.Context().Err() == nil {
		s.options.Logger.Error("store request failed", "path", r.URL.Path, "error", err)
	}
	return http.StatusInternalServerError, store.Failure{Error: "the store failed: " + err.Error()}
}

// tooLong is the response to a request that has taken longer than the limit.
func (s *Store) tooLong(r *http.Request) string {
	text := fmt.Sprintf("the request took longer than %s", s.options.QueryTime)
	if strings.HasSuffix(r.Pattern, "/find") {
		text += ": narrow the query"
	}
	return text
}

// decode reads the request's body, one JSON value, into v. Numbers in values of
// no fixed type are kept as written.
func decode(r *http.Request, v any) error {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	// encoding/json would replace text that is not UTF-8, and find what was not saved.
	if !utf8.Valid(data) {
		return invalid("the body is not UTF-8")
	}
	if err := unmarshal(data, v); err != nil {
		return invalid("the body is malformed: %v", err)
	}
	return nil
}

func origin(r *http.Request) store.Origin {
	return store.Origin{
		Version:  r.Header.Get(store.HeaderVersion),
		Node:     r.Header.Get(store.HeaderNode),
		Workflow: r.Header.Get(store.HeaderWorkflow),
	}
}
