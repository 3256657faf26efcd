package store

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"krt.dev/kn-krt/pkg/data"
	wire "krt.dev/kn-krt/pkg/runner/store"
)

// route is one request that the API has.
type route struct {
	pattern string
	serve   func(request) (any, error)
	// allowed are the parameters that its URL may have; those in several may be repeated.
	allowed []string
}

// several are the parameters that may be repeated.
var several = []string{"by", "tag"}

// routes are those of nodes.
func (s *Server) routes() []route {
	return []route{
		{"POST " + wire.PathMeasurements, s.saveMeasurement, nil},
		{"GET " + wire.PathMeasurements, s.listMeasurements, []string{"name", "from", "to", "limit", "cursor"}},
		{"POST " + wire.PathPredictions, s.savePrediction, nil},
		{"GET " + wire.PathPredictions, s.listPredictions, []string{"version", "mirror", "from", "to", "limit", "cursor"}},
		{"GET " + wire.PathSummary, s.summarize, []string{"version", "mirror", "from", "to", "per", "classes"}},
		{"GET " + wire.PathVersions, s.versions, []string{"mirror", "from", "to"}},
		{"GET " + wire.PathSamples, s.sampled, []string{"version", "mirror", "from", "to", "limit"}},
		{"GET " + wire.PathChart, s.charted, []string{"name", "field", "from", "to", "step", "aggregate", "by", "tag"}},
		{"POST " + wire.PathCollections + "{coll}", s.saveDocument, nil},
		{"POST " + wire.PathCollections + "{coll}/find", s.findDocuments, nil},
	}
}

// ownedRoutes are those of owners besides.
func (s *Server) ownedRoutes() []route {
	return []route{
		{"GET " + data.PathCollections, s.collections, nil},
		{"POST " + data.PathFind, s.findOwned, nil},
		{"POST " + data.PathCount, s.countSelected, nil},
		{"POST " + data.PathDelete, s.deleteSelected, nil},
	}
}

// parameters reads those of a request's URL. One that the request does not have would be ignored
// otherwise, and more would be found, or deleted, than was meant.
func (r route) parameters(req *http.Request) (url.Values, error) {
	values, err := url.ParseQuery(req.URL.RawQuery)
	if err != nil {
		return nil, Refuse("the parameters are malformed: %v", err)
	}
	for name, all := range values {
		if !slices.Contains(r.allowed, name) {
			return nil, Refuse("%.60q is not a parameter of %s%s", name, req.URL.Path, r.has())
		}
		if len(all) > 1 && !slices.Contains(several, name) {
			return nil, Refuse("%s: there are %d of it", name, len(all))
		}
	}
	return values, nil
}

func (r route) has() string {
	if len(r.allowed) == 0 {
		return ", which has none"
	}
	return fmt.Sprintf(": %s", strings.Join(r.allowed, ", "))
}
