package mongo

import (
	"context"
	"errors"
	"math"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"krt.dev/kn-krt/pkg/store"
)

// add adds a group to counts.
func add(c *store.Counts, g group) {
	predicted, truth := plain(g.Values.Predicted), plain(g.Values.True)
	c.Total += g.Count
	switch plain(g.Values.Error) {
	case "missing_values":
		c.Missing += g.Count
	case "new_labels":
		c.New += g.Count
	case "":
		if predicted == "" || truth == "" {
			return
		}
		c.Labelled += g.Count
		if predicted == truth {
			c.Correct += g.Count
		}
		a, aOK := store.NumberOf(predicted)
		b, bOK := store.NumberOf(truth)
		if aOK && bOK {
			difference := math.Abs(a - b)
			c.Numbers += g.Count
			c.Absolute += float64(g.Count) * difference
			c.Squared += float64(g.Count) * difference * difference
		}
	}
}

// CountPredictions counts predictions in intervals of step. The database counts those with
// the same values in one interval after the other, by the index on their dates; intervals
// without any are passed over.
func (s *Store) CountPredictions(ctx context.Context, of store.Selection, step time.Duration) (found []store.Counts, err error) {
	c, err := s.predictions(ctx, of.Runtime)
	if err != nil {
		return nil, err
	}
	if step == 0 {
		one := store.Counts{Start: time.Unix(0, 0).UTC()}
		err := groups(ctx, c, selection(of), nil, func(g group) { add(&one, g) })
		if one.Total > 0 {
			found = append(found, one)
		}
		return found, s.failure(err)
	}
	for of.To.IsZero() || of.From.Before(of.To) {
		start, ok, err := first(ctx, c, of, step)
		if err != nil || !ok {
			return found, s.failure(err)
		}
		if !start.Add(step).After(of.From) { // a date of another program that is not in UTC
			start = of.From.Truncate(step)
		}
		one, part := store.Counts{Start: start}, within(of, start, start.Add(step))
		if err := groups(ctx, c, selection(part), nil, func(g group) { add(&one, g) }); err != nil {
			return nil, s.failure(err)
		}
		found, of.From = append(found, one), start.Add(step)
	}
	return found, nil
}

// within is the part of a selection in an interval of time.
func within(of store.Selection, start, end time.Time) store.Selection {
	if of.From.Before(start) {
		of.From = start
	}
	if of.To.IsZero() || of.To.After(end) {
		of.To = end
	}
	return of
}

// first returns the start of the interval of the first prediction that is selected.
func first(ctx context.Context, c *mongo.Collection, of store.Selection, step time.Duration) (start time.Time, ok bool, err error) {
	raw, err := c.FindOne(ctx, selection(of), options.FindOne().SetSort(bson.D{{Key: keyDate, Value: 1}}).
		SetProjection(bson.D{{Key: keyDate, Value: 1}})).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return start, false, nil
	}
	if err != nil {
		return start, false, err
	}
	date, err := time.Parse(time.RFC3339Nano, text(raw, keyDate))
	seconds := int64(step / time.Second)
	since := date.Unix() - ((date.Unix()%seconds)+seconds)%seconds
	return time.Unix(since, 0).UTC(), true, err
}

// labelled is a filter for the selected predictions without an error that have both values.
func labelled(of store.Selection) bson.D {
	absent := bson.A{"", nil}
	return bson.D{{Key: "$and", Value: bson.A{
		selection(of), bson.D{{Key: keyError, Value: bson.D{{Key: "$in", Value: absent}}}},
		bson.D{{Key: keyPredicted, Value: bson.D{{Key: "$nin", Value: absent}}}},
		bson.D{{Key: keyTrue, Value: bson.D{{Key: "$nin", Value: absent}}}},
	}}}
}

// CountPairs returns the pairs of values, the most frequent ones first.
func (s *Store) CountPairs(ctx context.Context, of store.Selection, limit int) (found []store.Pair, err error) {
	c, err := s.predictions(ctx, of.Runtime)
	if err != nil {
		return nil, err
	}
	order := []bson.D{
		{{Key: "$sort", Value: bson.D{{Key: "n", Value: -1}, {Key: "_id.t", Value: 1}, {Key: "_id.p", Value: 1}}}},
		{{Key: "$limit", Value: limit}},
	}
	err = groups(ctx, c, labelled(of), order, func(g group) {
		truth, predicted := store.LabelOf(plain(g.Values.True)), store.LabelOf(plain(g.Values.Predicted))
		found = append(found, store.Pair{True: truth, Predicted: predicted, Count: g.Count})
	})
	return found, s.failure(err)
}
