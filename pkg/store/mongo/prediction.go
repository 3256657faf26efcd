package mongo

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/store"
)

// dateFormat is that of the original's dates, which are text: they sort as such.
const dateFormat = "2006-01-02T15:04:05.000000Z"

// Fields of a prediction. The original's have no node and no workflow.
const (
	keyDate      = "date"
	keyError     = "error"
	keyPredicted = "predictedValue"
	keyTrue      = "trueValue"
	keyExtra     = "extra"
	keyVersionID = "versionId"
	keyVersion   = "versionName"
	keyNode      = "node"
	keyWorkflow  = "workflow"
	keyMirror    = "mirror" // true, or not there
)

func (s *Store) predictions(ctx context.Context, runtime string) (*mongo.Collection, error) {
	return s.collection(ctx, runtime, predictions)
}

// SavePredictions keeps predictions, all or none.
func (s *Store) SavePredictions(ctx context.Context, list []store.Prediction) error {
	if err := s.learn(ctx); err != nil {
		return err
	}
	byRuntime := map[string][]any{}
	for _, p := range list {
		document, err := s.encodePrediction(p)
		if err != nil {
			return err
		}
		byRuntime[p.Runtime] = append(byRuntime[p.Runtime], document)
	}
	for runtime, documents := range byRuntime {
		c, err := s.predictions(ctx, runtime)
		if err != nil {
			return err
		}
		if err := s.insert(ctx, c, documents); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) encodePrediction(p store.Prediction) (bson.D, error) {
	e := &encoder{dialect: s.known.Load().dialect}
	document := bson.D{
		{Key: wire.KeyID, Value: bson.NewObjectID()}, {Key: keyDate, Value: p.Date.UTC().Format(dateFormat)},
		{Key: keyError, Value: p.Error}, {Key: keyPredicted, Value: p.PredictedValue}, {Key: keyTrue, Value: p.TrueValue},
		{Key: keyExtra, Value: e.value(p.Extra)}, {Key: keyVersionID, Value: p.Version}, {Key: keyVersion, Value: p.Version},
		{Key: keyNode, Value: p.Node}, {Key: keyWorkflow, Value: p.Workflow},
	}
	if p.Mirror {
		document = append(document, bson.E{Key: keyMirror, Value: true})
	}
	if !e.changed {
		return document, nil
	}
	extra, err := store.Encode(p.Extra)
	return append(document, bson.E{Key: keyOurs, Value: ours{JSON: string(extra)}}), err
}

// insert adds documents with ids. Those of an attempt before are there already; when it
// fails in the end, what was added is removed.
func (s *Store) insert(ctx context.Context, c *mongo.Collection, documents []any) error {
	err := s.retry(ctx, func(bool) error {
		if err := s.index(ctx, c, bson.D{{Key: keyDate, Value: 1}, {Key: keyVersion, Value: 1}}); err != nil {
			return err
		}
		_, err := c.InsertMany(ctx, documents, options.InsertMany().SetOrdered(false))
		if mongo.IsDuplicateKeyError(err) {
			return nil
		}
		return err
	})
	if err == nil || len(documents) == 1 {
		return err
	}
	ids := bson.A{}
	for _, document := range documents {
		if fields, ok := document.(bson.D); ok {
			ids = append(ids, fields[0].Value)
		}
	}
	_, _ = c.DeleteMany(ctx, bson.D{{Key: wire.KeyID, Value: bson.D{{Key: "$in", Value: ids}}}})
	return err
}

// selection is a filter for what is selected of a runtime.
func selection(of store.Selection) bson.D {
	var met bson.A
	date := func(operator string, t time.Time) {
		if !t.IsZero() {
			met = append(met, bson.D{{Key: keyDate, Value: bson.D{{Key: operator, Value: t.UTC().Format(dateFormat)}}}})
		}
	}
	date("$gte", of.From)
	date("$lt", of.To)
	if of.Version != "" {
		met = append(met, bson.D{{Key: keyVersion, Value: of.Version}})
	}
	switch of.Mirrored {
	case store.MirroredNot:
		met = append(met, bson.D{{Key: keyMirror, Value: bson.D{{Key: "$ne", Value: true}}}})
	case store.MirroredOnly:
		met = append(met, bson.D{{Key: keyMirror, Value: true}})
	}
	if len(met) == 0 {
		return bson.D{}
	}
	return bson.D{{Key: "$and", Value: met}}
}

// ListPredictions returns a page of predictions in the order of their dates.
func (s *Store) ListPredictions(
	ctx context.Context, of store.Selection, page store.Page,
) (found store.Listed[store.Prediction], err error) {
	found.Items = []store.Prediction{}
	c, err := s.predictions(ctx, of.Runtime)
	if err != nil {
		return found, err
	}
	met := selection(of)
	if page.Cursor != "" {
		date, text, ok := strings.Cut(page.Cursor, "/")
		id, err := bson.ObjectIDFromHex(text)
		if !ok || err != nil {
			return found, store.BadCursor()
		}
		after := bson.D{{Key: "$or", Value: bson.A{
			bson.D{{Key: keyDate, Value: bson.D{{Key: "$gt", Value: date}}}},
			bson.D{{Key: keyDate, Value: date}, {Key: wire.KeyID, Value: bson.D{{Key: "$gt", Value: id}}}},
		}}}
		met = bson.D{{Key: "$and", Value: bson.A{met, after}}}
	}
	order := bson.D{{Key: keyDate, Value: 1}, {Key: wire.KeyID, Value: 1}}
	cursor, err := c.Find(ctx, met, s.sorted(order, page.Limit+1).SetLimit(int64(page.Limit)+1))
	if err != nil {
		return found, s.failure(err)
	}
	defer func() { _ = cursor.Close(context.WithoutCancel(ctx)) }()
	size, last := 0, ""
	for cursor.Next(ctx) {
		p, err := prediction(of.Runtime, cursor.Current)
		if err != nil {
			return found, s.failure(err)
		}
		size += len(cursor.Current)
		cursor.SetBatchSize(batch(len(found.Items)+1, size))
		if len(found.Items) == page.Limit || len(found.Items) > 0 && size > page.Bytes {
			found.Next = last
			return found, nil
		}
		found.Items = append(found.Items, p)
		id, _ := cursor.Current.Lookup(wire.KeyID).ObjectIDOK()
		last = text(cursor.Current, keyDate) + "/" + id.Hex()
	}
	return found, s.failure(cursor.Err())
}

// text is the text of a field; empty if it has none.
func text(raw bson.Raw, key string) string {
	value := raw.Lookup(key)
	switch value.Type {
	case bson.TypeString:
		return value.StringValue()
	case bson.TypeDouble, bson.TypeInt32, bson.TypeInt64, bson.TypeBoolean:
		w := &writer{lenient: true}
		_ = w.value(value)
		return string(w.text)
	}
	return ""
}

// prediction reads one, also one that the original wrote.
func prediction(runtime string, raw bson.Raw) (p store.Prediction, err error) {
	p = store.Prediction{
		Prediction: wire.Prediction{PredictedValue: text(raw, keyPredicted), TrueValue: text(raw, keyTrue), Error: text(raw, keyError)},
		Runtime:    runtime, Version: text(raw, keyVersion), Node: text(raw, keyNode), Workflow: text(raw, keyWorkflow),
	}
	if p.Date, err = time.Parse(time.RFC3339Nano, text(raw, keyDate)); err != nil {
		return p, fmt.Errorf("the prediction %s has no date: %w", raw.Lookup(wire.KeyID), err)
	}
	p.Date = p.Date.UTC()
	p.Mirror, _ = raw.Lookup(keyMirror).BooleanOK()
	p.Extra, err = extra(raw)
	return p, err
}

func extra(raw bson.Raw) (value any, err error) {
	if own, err := raw.LookupErr(keyOurs, "json"); err == nil {
		err = store.Decode([]byte(own.StringValue()), &value)
		return value, err
	}
	found := raw.Lookup(keyExtra)
	if found.IsZero() {
		return nil, nil
	}
	w := &writer{}
	if err := w.value(found); err != nil {
		return nil, err
	}
	err = store.Decode(w.text, &value)
	return value, err
}

// group is how many predictions have the same values.
type group struct {
	Values struct {
		Predicted any `bson:"p"`
		True      any `bson:"t"`
		Error     any `bson:"e"`
	} `bson:"_id"`
	Count int64 `bson:"n"`
}

// plain is a value as text, as in [text].
func plain(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case nil:
		return ""
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(value)
}

// groups has the database count the predictions that a filter selects, by their values, and
// calls take for each group.
func groups(ctx context.Context, c *mongo.Collection, met bson.D, further []bson.D, take func(group)) error {
	stages := append([]bson.D{
		{{Key: "$match", Value: met}},
		{{Key: "$group", Value: bson.D{
			{Key: "_id", Value: bson.D{{Key: "p", Value: "$" + keyPredicted}, {Key: "t", Value: "$" + keyTrue}, {Key: "e", Value: "$" + keyError}}},
			{Key: "n", Value: bson.D{{Key: "$sum", Value: 1}}},
		}}},
	}, further...)
	cursor, err := c.Aggregate(ctx, stages, options.Aggregate().SetAllowDiskUse(true))
	if err != nil {
		return err
	}
	defer func() { _ = cursor.Close(context.WithoutCancel(ctx)) }()
	for cursor.Next(ctx) {
		var g group
		if err := cursor.Decode(&g); err != nil {
			return err
		}
		take(g)
	}
	return cursor.Err()
}
