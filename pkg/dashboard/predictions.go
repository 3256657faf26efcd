package dashboard

import (
	"cmp"
	"context"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/prediction"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/data/quality"
)

const (
	// predictionSamples is how many dots a scatter has about.
	predictionSamples = 500
	// predictionsPatience is how long the page waits for the store, which may count millions.
	predictionsPatience = 20 * time.Second
)

// predictionsView is how good the version's predictions were, next to those of another one.
type predictionsView struct {
	source.Ref
	// Problem is why nothing can be shown; nil if something can.
	Problem *failure
	// None says that no version of the namespace has saved predictions.
	None bool
	// Ranges are links to times that can be chosen, From and To the ends of the present one as
	// their inputs have them.
	Ranges   []rangeLink
	Range    prediction.Range
	From, To string
	// With is the version to compare with; Versions are those that can be chosen.
	With     string
	Versions []versionChoice
	// Saved is what the version has saved at any time; nil if nothing.
	Saved *quality.Version
	// Report is nil without predictions in the time.
	Report *prediction.Report
	// Outside is how many the version has saved outside the time of the report.
	Outside int64
	// Incomplete is why something is missing, such as a scatter.
	Incomplete string
}

// versionChoice is a version that can be compared with.
type versionChoice struct {
	Name    string
	Current bool
}

func predictionsPage() page {
	return page{
		name: "predictions", path: "predictions", title: "Predictions", tab: "Predictions",
		view: func(r *request) (any, error) { return viewPredictions(r) },
	}
}

// viewPredictions reads what the page shows. What the source refuses, or the store, is part of it.
func viewPredictions(r *request) (*predictionsView, error) {
	v := &predictionsView{Ref: r.ref, With: r.URL.Query().Get("with")}
	ctx, cancel := context.WithTimeout(r.Context(), predictionsPatience)
	defer cancel()
	saved, end, err := r.source.Predictions(ctx, r.ref)
	if err == nil {
		defer end()
		err = v.read(ctx, r, saved)
	}
	if err != nil {
		v.Problem, err = inPage(err)
	}
	return v, err
}

func (v *predictionsView) read(ctx context.Context, r *request, from source.Predictions) error {
	versions, unknown := from.Versions(ctx, quality.Selected{})
	v.None = unknown == nil && len(versions) == 0
	first, last := v.choices(versions)
	over, err := prediction.ParseRange(r.URL.Query(), time.Now(), first, last)
	if err != nil {
		return err
	}
	v.Range = over
	v.From, v.To = over.Input()
	for _, one := range prediction.Ranges() {
		path := r.link.Page(v.Ref, "predictions", "range", one.Name, "with", v.With)
		v.Ranges = append(v.Ranges, rangeLink{Text: one.Text, Path: path, Current: one.Name == over.Name})
	}
	if unknown == nil && v.Saved == nil && v.With == "" {
		return nil
	}
	if err := v.report(ctx, from); err != nil {
		return cmp.Or(unknown, err)
	}
	if unknown != nil { // to count all of a large database may take too long, a part of it not
		v.Incomplete = unknown.Error()
	}
	return nil
}

// choices takes the versions that have saved predictions, and returns when the version, and the
// one that it is compared with, have saved their first and last ones; zero if they are none.
func (v *predictionsView) choices(versions []quality.Version) (first, last time.Time) {
	for _, one := range versions {
		switch {
		case one.Name == v.Name:
			v.Saved = &one
		case one.Name == prediction.Visible(one.Name): // else it is no name of a version
			v.Versions = append(v.Versions, versionChoice{one.Name, one.Name == v.With})
		}
		if one.Name != v.Name && one.Name != v.With {
			continue
		}
		if first.IsZero() || one.First.Before(first) {
			first = one.First
		}
		if one.Last.After(last) {
			last = one.Last
		}
	}
	return first, last
}

// report reads the summaries of the version, and of the one that it is compared with.
func (v *predictionsView) report(ctx context.Context, from source.Predictions) error {
	names := []string{v.Name}
	if v.With != "" {
		names = append(names, v.With)
	}
	var total int64
	subjects := make([]prediction.Subject, 0, len(names))
	for _, name := range names {
		of := quality.Selected{From: v.Range.From, To: v.Range.To, Version: name}
		summary, err := from.Summary(ctx, of, v.Range.Per(), prediction.MaxClasses)
		if err != nil {
			return err
		}
		if v.Saved != nil && name == v.Name {
			v.Outside = max(0, v.Saved.Total-summary.Total)
		}
		subject := prediction.Subject{Version: name, Summary: summary}
		if summary.Numbers != nil {
			if subject.Samples, err = from.Samples(ctx, of, predictionSamples); err != nil {
				v.Incomplete = err.Error()
			}
		}
		subjects, total = append(subjects, subject), total+summary.Total
	}
	if total > 0 {
		v.Report = prediction.Make(subjects, v.Range)
	}
	return nil
}
