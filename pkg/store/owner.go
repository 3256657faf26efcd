package store

import (
	"context"
	"net/http"

	"krt.dev/kn-krt/pkg/data"
	"krt.dev/kn-krt/pkg/runner/store/query"
)

// countPage is how many documents are read at a time to count those that meet a query.
const countPage = 1000

// Owned returns what the owner of a runtime may do besides what nodes may: see package
// data. It does not check who sends a request.
func (s *Server) Owned() http.Handler {
	mux := http.NewServeMux()
	for _, one := range s.ownedRoutes() {
		// No QueryTime: much may have to be deleted, and who asks for it waits.
		mux.HandleFunc(one.pattern, func(w http.ResponseWriter, r *http.Request) { s.respond(w, r, one) })
	}
	return mux
}

func (s *Server) collections(r request) (any, error) {
	found := []data.Collection{}
	if s.backends.Documents != nil {
		sizes, err := s.backends.Documents.Collections(r.Context(), r.from.Runtime)
		if err != nil {
			return nil, err
		}
		for _, size := range sizes {
			found = append(found, data.Collection{Name: size.Name, Documents: size.Documents})
		}
	}
	return map[string]any{"collections": found}, nil
}

// target is what a deletion is about: of documents a collection and a query, of the other
// kinds a selection.
type target struct {
	kind data.Kind
	in   Collection
	q    query.Query
	of   Selection
}

// selection reads a deletion, and returns an error if this store has nothing that it could delete.
func (s *Server) selection(r request) (of target, err error) {
	var d data.Deletion
	if _, err := r.body(&d, true); err != nil {
		return of, err
	}
	if err := d.Check(); err != nil {
		return of, Refuse("%v", err)
	}
	of = target{kind: d.Kind, in: Collection{r.from.Runtime, d.Collection}, of: Selection{Runtime: r.from.Runtime, Name: d.Name}}
	kept := false
	switch d.Kind {
	case data.Documents:
		kept = s.backends.Documents != nil
	case data.Predictions:
		kept = s.backends.Predictions != nil
	case data.Measurements:
		_, kept = s.backends.Measurements.(Measurements)
	}
	if !kept {
		return of, Refuse("this store keeps no %s that can be deleted", d.Kind)
	}
	if of.q, err = query.Parse(d.Query); err != nil {
		return of, Refuse("query: %v", err)
	}
	return of, nil
}

func (s *Server) deleteSelected(r request) (any, error) {
	of, err := s.selection(r)
	if err != nil {
		return nil, err
	}
	var n int64
	switch of.kind {
	case data.Documents:
		n, err = s.backends.Documents.DeleteDocuments(r.Context(), of.in, of.q)
	case data.Predictions:
		n, err = s.backends.Predictions.DeletePredictions(r.Context(), of.of)
	case data.Measurements:
		n, err = s.backends.Measurements.(Measurements).DeleteMeasurements(r.Context(), of.of)
	}
	return map[string]int64{"deleted": n}, err
}

func (s *Server) countSelected(r request) (any, error) {
	of, err := s.selection(r)
	if err != nil {
		return nil, err
	}
	var n int64
	switch of.kind {
	case data.Documents:
		n, err = s.countDocuments(r.Context(), of.in, of.q)
	case data.Predictions:
		var all []Counts
		all, err = s.backends.Predictions.CountPredictions(r.Context(), of.of, 0)
		for _, one := range all {
			n += one.Total
		}
	case data.Measurements:
		n, err = s.backends.Measurements.(Measurements).CountMeasurements(r.Context(), of.of)
	}
	return map[string]int64{"count": n}, err
}

// countDocuments counts the documents of a collection that meet q. Only a query makes it read them.
func (s *Server) countDocuments(ctx context.Context, in Collection, q query.Query) (n int64, err error) {
	if len(q) == 0 {
		sizes, err := s.backends.Documents.Collections(ctx, in.Runtime)
		for _, size := range sizes {
			if size.Name == in.Name {
				n += size.Documents
			}
		}
		return n, err
	}
	page := Page{Limit: countPage, Bytes: s.options.MaxResultBytes}
	for {
		found, err := s.backends.Documents.FindDocuments(ctx, in, q, page)
		n += int64(len(found.Documents))
		if err != nil || found.Next == "" {
			return n, err
		}
		page.Cursor = found.Next
	}
}
