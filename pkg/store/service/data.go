package service

import (
	"errors"
	"io"
	"net/http"

	"krt.dev/kn-krt/pkg/credential"
	"krt.dev/kn-krt/pkg/data"
	"krt.dev/kn-krt/pkg/runner/store/query"
	"krt.dev/kn-krt/pkg/store"
)

// owned serves what owners of a namespace may do besides what nodes may: see package data.
func (a *api) owned() http.Handler {
	mux := http.NewServeMux()
	for pattern, serve := range map[string]func(*http.Request, credential.Holder) (any, error){
		"GET " + data.PathCollections: a.collections,
		"POST " + data.PathDelete:     a.delete,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			h, _ := r.Context().Value(holderKey{}).(credential.Holder)
			if h.Role != credential.Owner {
				refuse(w, &store.Problem{Status: http.StatusForbidden, Text: "the credential of a node does not allow this"})
				return
			}
			r.Body = http.MaxBytesReader(w, r.Body, maxBodyBytes)
			response, err := serve(r, h)
			if err != nil {
				var p *store.Problem
				if !errors.As(err, &p) && r.Context().Err() == nil {
					a.log.Error("store request failed", "path", r.URL.Path, "error", err)
				}
				refuse(w, err)
				return
			}
			respond(w, http.StatusOK, response)
		})
	}
	return mux
}

func (a *api) collections(r *http.Request, h credential.Holder) (any, error) {
	found := []data.Collection{}
	if a.backends.Documents != nil {
		sizes, err := a.backends.Documents.Collections(r.Context(), h.Namespace)
		if err != nil {
			return nil, err
		}
		for _, size := range sizes {
			found = append(found, data.Collection{Name: size.Name, Documents: size.Documents})
		}
	}
	return map[string]any{"collections": found}, nil
}

func (a *api) delete(r *http.Request, h credential.Holder) (any, error) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, store.Refuse("the body cannot be read: %v", err)
	}
	var d data.Deletion
	if err := store.Decode(text, &d); err != nil {
		return nil, store.Refuse("the body is malformed: %v", err)
	}
	n, err := a.deleted(r, h, d)
	return map[string]int64{"deleted": n}, err
}

func (a *api) deleted(r *http.Request, h credential.Holder, d data.Deletion) (int64, error) {
	if err := d.Check(); err != nil {
		return 0, store.Refuse("%v", err)
	}
	of := store.Selection{Runtime: h.Namespace, Name: d.Name}
	switch d.Kind {
	case data.Documents:
		q, err := query.Parse(d.Query)
		if err != nil {
			return 0, store.Refuse("query: %v", err)
		}
		return a.backends.Documents.DeleteDocuments(r.Context(), store.Collection{Runtime: h.Namespace, Name: d.Collection}, q)
	case data.Predictions:
		return a.backends.Predictions.DeletePredictions(r.Context(), of)
	case data.Measurements:
		if kept, ok := a.backends.Measurements.(store.Measurements); ok {
			return kept.DeleteMeasurements(r.Context(), of)
		}
	}
	return 0, store.Refuse("this store keeps no measurements that can be deleted")
}
