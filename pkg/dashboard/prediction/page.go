package prediction

import (
	"cmp"
	"context"
	"net/url"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/data/quality"
)

// samples is how many dots a scatter has about.
const samples = 500

// Page is what is shown of a version's predictions, next to those of another one.
type Page struct {
	// None says that no version of the namespace has saved predictions.
	None bool
	// Range is the time, and From and To are its ends as their inputs have them; zero if nothing
	// could be read.
	Range    Range
	From, To string
	// With is the version to compare with, empty for none; Versions are those that can be chosen.
	With     string
	Versions []Choice
	// Saved is what the version has saved at any time; nil if nothing, or if that is not known.
	Saved *quality.Version
	// Report is nil without predictions in the time.
	Report *Report
	// Incomplete is why something is missing, such as a scatter.
	Incomplete string
}

// Choice is a version that can be compared with.
type Choice struct {
	Name    string
	Current bool
}

// Read reads what the page of a version shows: the version in the parameter "with" is compared with
// it, for the time of [ParseRange]. With an error the page has what was read before it.
func Read(ctx context.Context, from source.Predictions, version string, parameters url.Values, now time.Time) (*Page, error) {
	p := &Page{With: parameters.Get("with")}
	versions, unknown := from.Versions(ctx, quality.Selected{})
	p.None = unknown == nil && len(versions) == 0
	first, last := p.choices(version, versions)
	over, err := ParseRange(parameters, now, first, last)
	if err != nil {
		over, _ = ParseRange(nil, now, first, last) // so that another one can be chosen
	}
	p.Range = over
	p.From, p.To = over.Input()
	if err != nil {
		return p, err
	}
	if unknown == nil && p.Saved == nil && p.With == "" {
		return p, nil
	}
	if err := p.report(ctx, from, version); err != nil {
		return p, cmp.Or(unknown, err)
	}
	if unknown != nil { // to count all of a large database may take too long, a part of it not
		p.Incomplete = unknown.Error()
	}
	return p, nil
}

// choices takes the versions that have saved predictions, and returns when the version, and the
// one that it is compared with, have saved their first and last ones; zero if there are none.
func (p *Page) choices(version string, all []quality.Version) (first, last time.Time) {
	for _, one := range all {
		switch {
		case one.Name == version:
			p.Saved = &one
		case one.Name == Visible(one.Name): // else it is not the name of a version
			p.Versions = append(p.Versions, Choice{one.Name, one.Name == p.With})
		}
		if one.Name != version && one.Name != p.With {
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
func (p *Page) report(ctx context.Context, from source.Predictions, version string) error {
	names := []string{version}
	if p.With != "" {
		names = append(names, p.With)
	}
	var total int64
	subjects := make([]Subject, 0, len(names))
	for _, name := range names {
		of := quality.Selected{From: p.Range.From, To: p.Range.To, Version: name}
		summary, err := from.Summary(ctx, of, p.Range.Per(), MaxClasses)
		if err != nil {
			return err
		}
		subject := Subject{Version: name, Summary: summary}
		if summary.Numbers != nil {
			if subject.Samples, err = from.Samples(ctx, of, samples); err != nil {
				p.Incomplete = err.Error()
			}
		}
		subjects, total = append(subjects, subject), total+summary.Total
	}
	if total > 0 {
		p.Report = Make(subjects, p.Range)
	}
	return nil
}
