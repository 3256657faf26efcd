package store

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"krt.dev/kn-krt/pkg/data"
	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/runner/store/query"
)

const (
	maxCollectionName = 120 // bytes, as in MongoDB
	maxDocumentDepth  = 100 // as in MongoDB; SQLite reads 1,000
	// maxExponent is beyond those of floating point. PostgreSQL writes numbers with all their
	// digits, so ten characters with a larger exponent become 130 kB.
	maxExponent = 400
)

func (s *Server) saveDocument(r request) (any, error) {
	coll, err := r.collection()
	if err != nil {
		return nil, err
	}
	var body struct {
		Data any `json:"data"`
	}
	if err := r.decode(&body); err != nil {
		return nil, err
	}
	if body.Data == nil {
		return nil, Refuse("data: missing: a document is a JSON object")
	}
	fields, isObject := body.Data.(map[string]any)
	if !isObject {
		return nil, Refuse("data: a document is a JSON object")
	}
	if depth(fields) > maxDocumentDepth {
		return nil, Refuse("data: more than %d levels of objects and arrays", maxDocumentDepth)
	}
	if n, is := hugeNumber(fields); is {
		return nil, Refuse("data: the number %.40q: its exponent is not within %d and %d", n, -maxExponent, maxExponent)
	}
	document := Document(fields)
	if err := wire.CheckID(document[wire.KeyID]); err != nil {
		return nil, Refuse("%v", err)
	}
	if s.backends.Documents == nil {
		return nil, notKept("documents")
	}
	id := wire.DocumentID(document)
	return saved{ID: id}, s.backends.Documents.SaveDocument(r.Context(), r.from, coll, document)
}

func (s *Server) findDocuments(r request) (any, error) {
	coll, err := r.collection()
	if err != nil {
		return nil, err
	}
	var body wire.FindRequest
	if err := r.body(&body, true); err != nil {
		return nil, err
	}
	return s.find(r, coll, body)
}

// findOwned finds documents of a collection that the body names.
func (s *Server) findOwned(r request) (any, error) {
	var body data.FindRequest
	if err := r.body(&body, true); err != nil {
		return nil, err
	}
	return s.find(r, body.Collection, body.FindRequest)
}

func (s *Server) find(r request, coll string, body wire.FindRequest) (any, error) {
	q, err := query.Parse(body.Query)
	if err != nil {
		return nil, Refuse("query: %v", err)
	}
	if s.backends.Documents == nil {
		return nil, notKept("documents")
	}
	page, err := s.page(body.Limit, body.Cursor)
	if err != nil {
		return nil, err
	}
	found, err := s.backends.Documents.FindDocuments(r.Context(), Collection{r.from.Runtime, coll}, q, page)
	if err == nil && body.Limit == 0 && found.Next != "" {
		return nil, s.tooMany()
	}
	return found, err
}

// page is the page that a request selects; a limit of zero is all at once.
func (s *Server) page(limit int, cursor string) (Page, error) {
	page := Page{Limit: s.options.MaxResults, Bytes: s.options.MaxResultBytes, Cursor: cursor}
	switch {
	case limit < 0:
		return page, Refuse("limit: %d is less than 1", limit)
	case limit > 0:
		page.Limit = min(limit, page.Limit)
		page.Until = time.Now().Add(s.options.PageTime)
	case cursor != "":
		return page, Refuse("cursor: requires a limit")
	}
	return page, nil
}

// listed returns the page that the parameters of a list select.
func (s *Server) listed(r request) (page Page, paged bool, err error) {
	limit := 0
	if text := r.values.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 {
			return Page{}, false, Refuse("limit: %q is not a number of 1 and above", text)
		}
	}
	page, err = s.page(limit, r.values.Get("cursor"))
	return page, limit > 0, err
}

func (s *Server) tooMany() error {
	return Refuse("more than %d results or %d bytes: narrow the query", s.options.MaxResults, s.options.MaxResultBytes)
}

func notKept(what string) error {
	return &Problem{http.StatusNotImplemented, fmt.Sprintf("this store keeps no %s", what)}
}

func (r request) collection() (string, error) {
	coll := r.PathValue("coll")
	if !utf8.ValidString(coll) {
		return "", Refuse("collection %q: the name is not UTF-8", coll)
	}
	if coll == "." || coll == ".." { // a path with one means another path
		return "", Refuse("collection %q: that name cannot be used", coll)
	}
	if len(coll) > maxCollectionName || strings.ContainsRune(coll, 0) {
		return "", Refuse("collection %q: a name has 1 to %d bytes, none of them 0", coll, maxCollectionName)
	}
	return coll, nil
}

// hugeNumber returns a number in v whose exponent is too large, if there is one.
func hugeNumber(v any) (n json.Number, is bool) {
	switch v := v.(type) {
	case []any:
		for _, element := range v {
			if n, is = hugeNumber(element); is {
				return n, true
			}
		}
	case map[string]any:
		for _, member := range v {
			if n, is = hugeNumber(member); is {
				return n, true
			}
		}
	case json.Number:
		if i := strings.IndexAny(string(v), "eE"); i >= 0 {
			exponent, err := strconv.Atoi(string(v[i+1:]))
			return v, err != nil || exponent > maxExponent || exponent < -maxExponent
		}
	}
	return "", false
}

// depth is how deep objects and arrays are nested in v.
func depth(v any) int {
	most := 0
	switch v := v.(type) {
	case []any:
		for _, element := range v {
			most = max(most, depth(element))
		}
	case map[string]any:
		for _, member := range v {
			most = max(most, depth(member))
		}
	default:
		return 0
	}
	return most + 1
}
