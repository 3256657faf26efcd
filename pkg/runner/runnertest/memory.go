package runnertest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/runner/store/query"
)

// pageDocuments is how many documents a page has: few, so that tests have several.
const pageDocuments = 1000

// memory is a store in memory. It finds what the real one finds, by package query, and
// has no limits.
type memory struct {
	mu           sync.Mutex
	measurements []store.Measurement
	predictions  []store.Prediction
	documents    map[string][]document
	ids          map[string]bool // collection and id
}

// document is a document as it was saved, and its id.
type document struct {
	id   any
	data map[string]any
}

// whole returns the document as the store returns it.
func (d document) whole() map[string]any {
	whole := maps.Clone(d.data)
	whole[store.KeyID] = d.id
	return whole
}

// Measurements returns the measurements that the node has saved, in order.
func (r *Runner) Measurements() []store.Measurement {
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	return slices.Clone(r.store.measurements)
}

// Predictions returns the predictions that the node has saved, in order.
func (r *Runner) Predictions() []store.Prediction {
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	return slices.Clone(r.store.predictions)
}

// Documents reads into res, a pointer to a slice, the documents of the
// collection coll, in the order and with the fields with which they were saved; DB.Find
// shows the ids that the store adds.
func (r *Runner) Documents(coll string, res any) {
	r.t.Helper()
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	all := []map[string]any{}
	for _, d := range r.store.documents[coll] {
		all = append(all, d.data)
	}
	data, err := json.Marshal(all)
	if err == nil {
		err = json.Unmarshal(data, res)
	}
	if err != nil {
		r.t.Fatalf("cannot read the collection %q: %v", coll, err)
	}
}

// SaveDocument saves a document, which encoding/json must write as an object, in the
// collection coll, for the node to find.
func (r *Runner) SaveDocument(coll string, data any) {
	r.t.Helper()
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	raw, err := json.Marshal(data)
	if err == nil {
		_, err = r.store.save(coll, raw)
	}
	if err != nil {
		r.t.Fatalf("cannot save in the collection %q: %v", coll, err)
	}
}

// ServeHTTP responds as the store does.
func (m *memory) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, status, err := m.serve(r)
	if err != nil {
		body, status = store.Failure{Error: err.Error()}, http.StatusBadRequest
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func (m *memory) serve(r *http.Request) (response any, status int, err error) {
	text, err := io.ReadAll(r.Body)
	if err == nil {
		err = store.CheckText(text)
	}
	if err != nil {
		return nil, 0, err
	}
	r.Body = io.NopCloser(bytes.NewReader(text))
	m.mu.Lock()
	defer m.mu.Unlock()
	coll, isColl := strings.CutPrefix(r.URL.Path, store.PathCollections)
	coll, isFind := strings.CutSuffix(coll, "/find")
	switch {
	case r.URL.Path == store.PathMeasurements:
		response, err = add(r, &m.measurements)
	case r.URL.Path == store.PathPredictions:
		response, err = add(r, &m.predictions)
	case isColl && isFind:
		response, err = m.find(r, coll)
		return response, http.StatusOK, err
	case isColl:
		var body struct{ Data json.RawMessage }
		if err = json.NewDecoder(r.Body).Decode(&body); err == nil {
			response, err = m.save(coll, body.Data)
		}
	default:
		err = fmt.Errorf("no such path: %q", r.URL.Path)
	}
	return response, http.StatusCreated, err
}

func add[T any](r *http.Request, to *[]T) (struct{}, error) {
	var v T
	err := json.NewDecoder(r.Body).Decode(&v)
	if p, ok := any(&v).(*store.Prediction); ok {
		p.Mirror = r.Header.Get(store.HeaderMirror) == "1"
	}
	if err == nil {
		*to = append(*to, v)
	}
	return struct{}{}, err
}

// save needs m.mu.
func (m *memory) save(coll string, raw []byte) (store.Saved, error) {
	data, err := decodeObject(raw)
	if err != nil || data == nil {
		return store.Saved{}, errors.New("data: missing: a document is a JSON object")
	}
	if m.documents == nil {
		m.documents, m.ids = map[string][]document{}, map[string]bool{}
	}
	whole := maps.Clone(data)
	if err := store.CheckID(whole[store.KeyID]); err != nil {
		return store.Saved{}, err
	}
	id := store.DocumentID(whole)
	key := fmt.Sprintf("%s %T %s", coll, whole[store.KeyID], id)
	if m.ids[key] {
		return store.Saved{}, errors.New("a document with this _id is in the collection already")
	}
	m.ids[key] = true
	m.documents[coll] = append(m.documents[coll], document{whole[store.KeyID], data})
	return store.Saved{ID: id}, nil
}

// find returns a page of documents. The cursor is how many were looked at before.
func (m *memory) find(r *http.Request, coll string) (any, error) {
	var body struct {
		Query  json.RawMessage
		Limit  int
		Cursor string
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return nil, err
	}
	raw, err := decodeObject(body.Query)
	if err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	q, err := query.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	seen, _ := strconv.Atoi(body.Cursor)
	found := []map[string]any{}
	response := map[string]any{}
	for ; seen < len(m.documents[coll]); seen++ {
		whole := m.documents[coll][seen].whole()
		if !q.Match(whole) {
			continue
		}
		if body.Limit > 0 && len(found) == min(body.Limit, pageDocuments) {
			response["next"] = strconv.Itoa(seen)
			break
		}
		found = append(found, whole)
	}
	response["documents"] = found
	return response, nil
}

// decodeObject decodes a JSON object, or null as an empty one, with its numbers
// as they are written.
func decodeObject(raw []byte) (map[string]any, error) {
	var object map[string]any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	err := decoder.Decode(&object)
	return object, err
}
