package source

import (
	"context"

	"krt.dev/kn-krt/pkg/data/quality"
)

// Predictors have the predictions that versions saved. It is a part of [Source].
type Predictors interface {
	// Predictions opens what versions of the same namespace have saved; end closes it. Where there
	// is no store, or the user has no right to it, the error is a [*RefusedError].
	Predictions(ctx context.Context, ref Ref) (p Predictions, end func(), err error)
}

// Predictions are those of one namespace. An owner's client of the store has them, see pkg/data.
type Predictions interface {
	// Versions lists the versions that have saved predictions, those with the latest first.
	Versions(ctx context.Context, of quality.Selected) ([]quality.Version, error)
	// Summary says how good the selected predictions were, in intervals per "hour" or "day", with
	// at most so many classes.
	Summary(ctx context.Context, of quality.Selected, per string, classes int) (*quality.Summary, error)
	// Samples returns about limit of the selected predictions of numbers, spread over the time.
	Samples(ctx context.Context, of quality.Selected, limit int) ([]quality.Sample, error)
}
