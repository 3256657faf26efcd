package kre

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"krt.dev/kn-krt/pkg/runner/runnertest"
)

func TestDocumentsAreSavedByTheirBSONNames(t *testing.T) {
	type doc struct {
		Name  string    `bson:"name"`
		Other int       `json:"other" bson:"ignored"`
		At    time.Time `bson:"at"`
		ID    string    `bson:"_id"`
		Beds  []*bed    `bson:"beds_of_room,omitempty"`
		Any   any
	}
	saved := doc{Name: "x", Other: 1 << 53, At: time.Unix(0, 0).UTC(), Beds: []*bed{{Wide: true}, nil}, Any: bed{Wide: true}}
	r := runnertest.New(t, nil, current(func(ctx *HandlerContext, _ *anypb.Any) (proto.Message, error) {
		if err := ctx.DB.Save("docs", &saved); err != nil {
			return nil, err
		}
		var found []doc
		equal(t, ctx.DB.Find("docs", QueryData{"name": "x", "other": 1 << 53}, &found), nil)
		equal(t, len(found), 1)
		equal(t, found[0].Name, "x")
		equal(t, found[0].Beds, saved.Beds)
		return wrapperspb.String("found"), ctx.DB.Save("docs", map[string]any{"Name": "y"})
	}))
	r.Call(wrapperspb.String("")).Message(&wrapperspb.StringValue{})
	var all []map[string]any
	r.Documents("docs", &all)
	delete(all[0], "_id")
	equal(t, all[0], map[string]any{
		"name": "x", "other": float64(1 << 53), "at": "1970-01-01T00:00:00Z", "ID": "", "Any": map[string]any{"is_wide": true},
		"beds_of_room": []any{map[string]any{"is_wide": true}, nil},
	})
	equal(t, all[1]["Name"], "y")
}
