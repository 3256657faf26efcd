package mongo

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"krt.dev/kn-krt/pkg/letter"
	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/store"
)

// letters is the collection of letters, in the database of each runtime. It is not one of documents.
const letters = "krtLetters"

// Fields of a letter. Its id is of kind, version and ID; meta is the letter as JSON but for its data.
// Times are nanoseconds since 1970.
const (
	keyKind    = "kind"
	keyOf      = "version"
	keyLetter  = "letter"
	keyTime    = "time"
	keyExpires = "expires"
	keyBytes   = "bytes"
	keySize    = "size"
	keySuccess = "success" // of a result that is not a failure
	keyHolder  = "holder"  // of a claim, its CausationID
	keyMeta    = "meta"
	keyData    = "data"
)

// letterID is the "_id" of a letter: no name has a space.
func letterID(k letter.Kind, version, id string) string {
	return string(k) + " " + version + " " + id
}

func (s *Store) letters(ctx context.Context, runtime string) (*mongo.Collection, error) {
	return s.collection(ctx, runtime, letters)
}

// SaveLetter keeps a letter. It may be repeated.
func (s *Store) SaveLetter(ctx context.Context, runtime string, l letter.Letter) error {
	c, err := s.letters(ctx, runtime)
	if err != nil {
		return err
	}
	id, bytes, size, data := letterID(l.Kind, l.Version, l.ID), l.Bytes(), int64(len(l.Data)), l.Data
	l.Data = nil
	meta, err := json.Marshal(l)
	if err != nil {
		return err
	}
	document := bson.D{
		{Key: wire.KeyID, Value: id}, {Key: keyKind, Value: string(l.Kind)}, {Key: keyOf, Value: l.Version}, {Key: keyLetter, Value: l.ID},
		{Key: keyWorkflow, Value: l.Workflow}, {Key: keyTime, Value: l.Time.UnixNano()}, {Key: keyExpires, Value: store.Expiry(l).UnixNano()},
		{Key: keyBytes, Value: bytes}, {Key: keySize, Value: size}, {Key: keyMeta, Value: string(meta)},
		{Key: keySuccess, Value: l.Kind == letter.Result && l.Status == nil}, {Key: keyHolder, Value: l.CausationID},
		{Key: keyData, Value: bson.Binary{Data: data}},
	}
	return s.alone(ctx, l.Kind, func() error { return s.replace(ctx, c, l, document) })
}

// replace writes the document of a letter in place of the one that it replaces.
func (s *Store) replace(ctx context.Context, c *mongo.Collection, l letter.Letter, document bson.D) error {
	met := replaced(l, letterID(l.Kind, l.Version, l.ID))
	return s.retry(ctx, func(bool) error {
		for _, keys := range indexes() {
			if err := s.index(ctx, c, keys); err != nil {
				return err
			}
		}
		_, err := c.ReplaceOne(ctx, met, document, options.Replace().SetUpsert(true))
		if len(met) > 1 && mongo.IsDuplicateKeyError(err) {
			return store.NotReplaced(l)
		}
		return err
	})
}

// indexes are those of letters. The last one has all that a count needs.
func indexes() []bson.D {
	return []bson.D{
		{{Key: keyKind, Value: 1}, {Key: keyTime, Value: -1}, {Key: wire.KeyID, Value: -1}},
		{{Key: keyKind, Value: 1}, {Key: keyOf, Value: 1}, {Key: keyTime, Value: -1}, {Key: wire.KeyID, Value: -1}},
		{{Key: keyExpires, Value: 1}},
		{{Key: keyKind, Value: 1}, {Key: keyOf, Value: 1}, {Key: keyWorkflow, Value: 1}, {Key: keyExpires, Value: 1}, {Key: keyBytes, Value: 1},
			{Key: keyTime, Value: 1}},
	}
}

// newestFirst is the order of a list of letters: ids are as old as it matters where times are equal.
func newestFirst() bson.D {
	return bson.D{{Key: keyTime, Value: -1}, {Key: wire.KeyID, Value: -1}}
}

// lettersOf is a filter for letters.
func lettersOf(of store.LetterSelection) bson.D {
	if of.Kind != "" && of.Version != "" && of.ID != "" {
		return bson.D{{Key: wire.KeyID, Value: letterID(of.Kind, of.Version, of.ID)}, {Key: keyExpires, Value: expiry(of)}}
	}
	met := bson.D{{Key: keyExpires, Value: expiry(of)}}
	for _, one := range []struct{ key, value string }{
		{keyKind, string(of.Kind)}, {keyOf, of.Version}, {keyWorkflow, of.Workflow}, {keyLetter, of.ID},
	} {
		if one.value != "" {
			met = append(met, bson.E{Key: one.key, Value: one.value})
		}
	}
	if !of.Before.IsZero() {
		met = append(met, bson.E{Key: keyTime, Value: bson.D{{Key: "$lt", Value: of.Before.UnixNano()}}})
	}
	return met
}

func expiry(of store.LetterSelection) bson.D {
	if of.Expired.IsZero() {
		return bson.D{{Key: "$gt", Value: time.Now().UnixNano()}}
	}
	return bson.D{{Key: "$lte", Value: of.Expired.UnixNano()}}
}

// stored is a letter as a find reads it.
type stored struct {
	ID   string      `bson:"_id"`
	Time int64       `bson:"time"`
	Size int64       `bson:"size"`
	Meta string      `bson:"meta"`
	Data bson.Binary `bson:"data"`
}

func (s stored) letter() (l letter.Letter, err error) {
	err = json.Unmarshal([]byte(s.Meta), &l)
	if len(s.Data.Data) > 0 {
		l.Data = s.Data.Data
	}
	return l, err
}

// ReadLetter returns a letter.
func (s *Store) ReadLetter(ctx context.Context, of store.LetterSelection, hold func(int64) error) (l letter.Letter, err error) {
	c, err := s.letters(ctx, of.Runtime)
	if err != nil {
		return l, err
	}
	var found stored
	find := func(met bson.D, key string) error {
		return s.retry(ctx, func(bool) error {
			err := c.FindOne(ctx, met, options.FindOne().SetProjection(bson.D{{Key: keyMeta, Value: 1}, {Key: key, Value: 1}})).Decode(&found)
			if errors.Is(err, mongo.ErrNoDocuments) {
				return store.ErrNoLetter
			}
			return err
		})
	}
	met := lettersOf(of)
	if err := find(met, keySize); err != nil {
		return l, err
	}
	if err := hold(found.Size); err != nil {
		return l, err
	}
	// One that has taken its place since may be larger than what is held.
	if err := find(append(met, bson.E{Key: keySize, Value: bson.D{{Key: "$lte", Value: found.Size}}}), keyData); err != nil {
		return l, err
	}
	return found.letter()
}

// ListLetters returns a page of letters, newest first.
func (s *Store) ListLetters(ctx context.Context, of store.LetterSelection, page store.Page) (found store.Listed[letter.Letter], err error) {
	c, err := s.letters(ctx, of.Runtime)
	if err != nil {
		return found, err
	}
	met := lettersOf(of)
	if page.Cursor != "" {
		at, id, err := store.LetterMark(page.Cursor)
		if err != nil {
			return found, err
		}
		met = bson.D{{Key: "$and", Value: bson.A{met, bson.D{{Key: "$or", Value: bson.A{
			bson.D{{Key: keyTime, Value: bson.D{{Key: "$lt", Value: at}}}},
			bson.D{{Key: keyTime, Value: at}, {Key: wire.KeyID, Value: bson.D{{Key: "$lt", Value: id}}}},
		}}}}}}
	}
	cursor, err := c.Find(ctx, met, s.sorted(newestFirst(), page.Limit+1).SetLimit(int64(page.Limit)+1).
		SetProjection(bson.D{{Key: keyTime, Value: 1}, {Key: keyMeta, Value: 1}}))
	if err != nil {
		return found, s.failure(err)
	}
	defer func() { _ = cursor.Close(context.WithoutCancel(ctx)) }()
	size, last := 0, ""
	for cursor.Next(ctx) {
		var one stored
		if err := cursor.Decode(&one); err != nil {
			return found, s.failure(err)
		}
		if size += len(one.Meta); len(found.Items) == page.Limit || len(found.Items) > 0 && size > page.Bytes {
			found.Next = last
			return found, nil
		}
		l, err := one.letter()
		if err != nil {
			return found, err
		}
		found.Items, last = append(found.Items, l), store.LetterCursor(one.Time, one.ID)
	}
	return found, s.failure(cursor.Err())
}

// CountLetters counts letters. They are counted here, of what an index has: FerretDB sums no fields and
// has no minimum of a group.
func (s *Store) CountLetters(ctx context.Context, of store.LetterSelection) (found []letter.Count, err error) {
	c, err := s.letters(ctx, of.Runtime)
	if err != nil {
		return nil, err
	}
	fields := bson.D{{Key: wire.KeyID, Value: 0}, {Key: keyKind, Value: 1}, {Key: keyOf, Value: 1}, {Key: keyWorkflow, Value: 1},
		{Key: keyBytes, Value: 1}, {Key: keyTime, Value: 1}}
	cursor, err := c.Find(ctx, lettersOf(of), options.Find().SetProjection(fields))
	if err != nil {
		return nil, s.failure(err)
	}
	defer func() { _ = cursor.Close(context.WithoutCancel(ctx)) }()
	counts := map[counted]*letter.Count{}
	for cursor.Next(ctx) {
		var one struct {
			Of    counted `bson:",inline"`
			Bytes int64   `bson:"bytes"`
			Time  int64   `bson:"time"`
		}
		if err := cursor.Decode(&one); err != nil {
			return nil, s.failure(err)
		}
		at := time.Unix(0, one.Time).UTC()
		sum := counts[one.Of]
		if sum == nil {
			sum = &letter.Count{Kind: one.Of.Kind, Version: one.Of.Version, Workflow: one.Of.Workflow, Oldest: at}
			counts[one.Of] = sum
		}
		sum.Letters, sum.Bytes = sum.Letters+1, sum.Bytes+one.Bytes
		if at.Before(sum.Oldest) {
			sum.Oldest = at
		}
	}
	for _, sum := range counts {
		found = append(found, *sum)
	}
	slices.SortFunc(found, func(a, b letter.Count) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Workflow, b.Workflow))
	})
	return found, s.failure(cursor.Err())
}

// counted is what letters are counted by.
type counted struct {
	Kind     letter.Kind `bson:"kind"`
	Version  string      `bson:"version"`
	Workflow string      `bson:"workflow"`
}

// DropLetters deletes the oldest letters.
func (s *Store) DropLetters(ctx context.Context, of store.LetterSelection, n int) (int64, error) {
	c, err := s.letters(ctx, of.Runtime)
	if err != nil {
		return 0, err
	}
	n = min(n, maxBatch)
	oldest := s.sorted(bson.D{{Key: keyTime, Value: 1}, {Key: wire.KeyID, Value: 1}}, n).SetLimit(int64(n))
	return s.deleteFound(ctx, c, lettersOf(of), oldest)
}

// DeleteLetters deletes the selected letters, in databases in which there are letters.
func (s *Store) DeleteLetters(ctx context.Context, of store.LetterSelection, part store.Part) (store.Deleted, error) {
	return s.deleteAll(ctx, of.Runtime, part, s.letters, lettersOf(of))
}
