package store

import (
	"context"
	"net/http"
	"time"

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
		// No QueryTime: what takes long ends by DeleteTime, with what it has done.
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

	cursor string // where it goes on
}

// selection reads a deletion, and returns an error if this store has nothing that it could delete.
func (s *Server) selection(r request) (of target, err error) {
	var d data.Deletion
	if err := r.body(&d, true); err != nil {
		return of, err
	}
	if err := d.Check(); err != nil {
		return of, Refuse("%v", err)
	}
	of = target{
		kind: d.Kind, cursor: d.Cursor, in: Collection{r.from.Runtime, d.Collection},
		of: Selection{Runtime: r.from.Runtime, Name: d.Name},
	}
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

// deleteSelected deletes what it can within DeleteTime: the client goes on at its end.
func (s *Server) deleteSelected(r request) (any, error) {
	of, err := s.selection(r)
	if err != nil {
		return nil, err
	}
	var done Deleted
	part := Part{Until: time.Now().Add(s.options.DeleteTime), Cursor: of.cursor}
	switch of.kind {
	case data.Documents:
		done, err = s.backends.Documents.DeleteDocuments(r.Context(), of.in, of.q, part)
	case data.Predictions:
		done, err = s.backends.Predictions.DeletePredictions(r.Context(), of.of, part)
	case data.Measurements:
		done, err = s.backends.Measurements.(Measurements).DeleteMeasurements(r.Context(), of.of, part)
	}
	return data.Deleted{Deleted: done.Count, Next: done.Next}, err
}

// countSelected counts what would be deleted; documents of a query within DeleteTime.
func (s *Server) countSelected(r request) (any, error) {
	of, err := s.selection(r)
	if err != nil {
		return nil, err
	}
	var n data.Counted
	switch of.kind {
	case data.Documents:
		n, err = s.countDocuments(r.Context(), of)
	case data.Predictions:
		var all []Counts
		all, err = s.backends.Predictions.CountPredictions(r.Context(), of.of, 0)
		for _, one := range all {
			n.Count += one.Total
		}
	case data.Measurements:
		n.Count, err = s.backends.Measurements.(Measurements).CountMeasurements(r.Context(), of.of)
	}
	return n, err
}

// countDocuments counts the documents of a collection that meet a query. Only a query makes it
// read them.
func (s *Server) countDocuments(ctx context.Context, of target) (n data.Counted, err error) {
	if len(of.q) == 0 {
		sizes, err := s.backends.Documents.Collections(ctx, of.in.Runtime)
		for _, size := range sizes {
			if size.Name == of.in.Name {
				n.Count += size.Documents
			}
		}
		return n, err
	}
	part := Part{Until: time.Now().Add(s.options.DeleteTime)}
	page := Page{Limit: countPage, Bytes: s.options.MaxResultBytes, Until: part.Until, Cursor: of.cursor}
	for {
		found, err := s.backends.Documents.FindDocuments(ctx, of.in, of.q, page)
		n.Count += int64(len(found.Documents))
		if err != nil || found.Next == "" {
			return n, err
		}
		if page.Cursor = found.Next; part.Over() {
			n.Next = found.Next
			return n, nil
		}
	}
}
