package dashboard

import (
	"context"
	"errors"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/prediction"
	"krt.dev/kn-krt/pkg/dashboard/source"
)

// predictionsPatience is how long the page waits for the store, which may count millions.
const predictionsPatience = 20 * time.Second

// predictionsView is how good the version's predictions were.
type predictionsView struct {
	source.Ref
	*prediction.Page
	// Problem is why not all can be shown, Next what to do about it.
	Problem, Next string
	// Ranges are links to times that can be chosen; none if nothing could be read.
	Ranges []rangeLink
}

// rangeLink is a time that can be chosen.
type rangeLink struct {
	Text, Path string
	Current    bool
}

func predictionsPage() page {
	return page{
		name: "predictions", path: "predictions", title: "Predictions", tab: "Predictions",
		view: func(r *request) (any, error) { return viewPredictions(r) },
	}
}

// viewPredictions reads what the page shows. What the source refuses, or the store, is part of it.
func viewPredictions(r *request) (*predictionsView, error) {
	v := &predictionsView{Ref: r.ref, Page: &prediction.Page{}}
	ctx, cancel := context.WithTimeout(r.Context(), predictionsPatience)
	defer cancel()
	saved, end, err := r.source.Predictions(ctx, r.ref)
	if err == nil {
		defer end()
		v.Page, err = prediction.Read(ctx, saved, r.ref.Name, r.URL.Query(), time.Now())
	}
	if v.From != "" {
		for _, name := range prediction.Ranges() {
			path := r.link.Page(v.Ref, "predictions", "range", name, "with", v.With)
			v.Ranges = append(v.Ranges, rangeLink{prediction.RangeText(name), path, name == v.Range.Name})
		}
	}
	var refused *source.RefusedError
	var missing *source.NotFoundError
	switch {
	case errors.As(err, &missing):
		return nil, err
	case errors.As(err, &refused):
		v.Problem, v.Next = refused.Text, refused.Next
	case err != nil:
		v.Problem = err.Error()
	}
	return v, nil
}
