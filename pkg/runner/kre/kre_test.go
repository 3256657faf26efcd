package kre

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"krt.dev/kn-krt/pkg/runner"
	"krt.dev/kn-krt/pkg/runner/kre/simplelogger"
	"krt.dev/kn-krt/pkg/runner/runnertest"
)

type ticket struct {
	ID   string `json:"id"`
	Open bool   `json:"open"`
}

// The node below names everything that nodes written for kre-go did.

func handlerInit(ctx *HandlerContext) {
	ctx.Logger.Info("[worker init]")
	ctx.Set("greeting", "Hello")
	ctx.Set("limit", 7)
	ctx.Set("rate", 0.5)
	ctx.Set("model", []string{"a"})
}

func handler(ctx *HandlerContext, data *anypb.Any) (proto.Message, error) {
	req := &wrapperspb.StringValue{}
	if err := anypb.UnmarshalTo(data, req, proto.UnmarshalOptions{}); err != nil {
		return nil, err
	}
	if ctx.GetInt("limit") != 7 || ctx.GetFloat("rate") != 0.5 || ctx.Get("model").([]string)[0] != "a" {
		return nil, errors.New("a value was lost")
	}
	if ctx.GetRequestID() == "" {
		return nil, errors.New("no request id")
	}
	switch req.Value {
	case "early":
		if err := ctx.EarlyReply(wrapperspb.String("soon")); err != nil {
			return nil, err
		}
	case "older name":
		if err := ctx.Reply(wrapperspb.String("soon")); err != nil {
			return nil, err
		}
	case "exit":
		ctx.SetEarlyExit()
		return wrapperspb.String("the end"), nil
	case "save":
		return save(ctx)
	case "log":
		logAll(ctx.Logger)
	}
	return wrapperspb.String(ctx.GetString("greeting") + " " + ctx.Path("x")), nil
}

// As a node starts, with both generations of handlers.
var _ = []func(){
	func() { Start(handlerInit, handler) },
	func() { Start(nil, asV1(nil, nil)) },
}

func save(ctx *HandlerContext) (proto.Message, error) {
	ctx.Measurement.Save("calls", map[string]interface{}{"count": 1}, map[string]string{"kind": "test"}) //nolint:errcheck // as in kre-go
	ctx.Prediction.Save(time.Now(), "low", "high")                                                       //nolint:errcheck // as in kre-go
	ctx.Prediction.SaveError(ErrMissingValues)                                                           //nolint:errcheck // as above
	ctx.Prediction.SaveError(ErrNewLabels)                                                               //nolint:errcheck // as above
	ctx.Metrics.Save(time.Now(), "low", "high")                                                          //nolint:errcheck // as above
	ctx.SaveMetric(time.Now(), "low", "high")
	ctx.SaveMetricError(ErrNewLabels)
	if err := SaveMetricErr("other").IsValid(); err == nil {
		return nil, errors.New("every reason is valid")
	}
	if err := ctx.DB.Save("tickets", ticket{ID: "1", Open: true}); err != nil {
		return nil, err
	}
	var found []*ticket
	if err := ctx.DB.Find("tickets", QueryData{"id": "1"}, &found); err != nil {
		return nil, err
	}
	return wrapperspb.String(found[0].ID), nil
}

func logAll(l *simplelogger.SimpleLogger) {
	var i simplelogger.SimpleLoggerInterface = l
	i.Debug("line 1")
	i.Info("line 2")
	i.Warn("line 3")
	i.Error("line 4")
	i.Debugf("line %d", 5)
	i.Infof("line %d", 6)
	i.Warnf("line %d", 7)
	i.Errorf("line %d", 8)
}

func TestNodeOfTheOriginal(t *testing.T) {
	init, current := Adapt(handlerInit, handler)
	r := runnertest.New(t, init, current, runnertest.BasePath("/bundle"))
	text := &wrapperspb.StringValue{}

	r.Call(wrapperspb.String("")).Message(text)
	equal(t, text.Value, "Hello /bundle/x")
	for _, way := range []string{"early", "older name"} {
		r.Call(wrapperspb.String(way)).EarlyReply(text)
		equal(t, text.Value, "soon")
	}
	r.Call(wrapperspb.String("exit")).EarlyExit(text)
	equal(t, text.Value, "the end")
	r.Call(wrapperspb.String("save")).Message(text)
	equal(t, text.Value, "1")
	equal(t, len(r.Measurements()), 1)
	equal(t, len(r.Predictions()), 6)
	equal(t, r.Predictions()[2].Error, string(ErrNewLabels))
	r.Call(wrapperspb.String("log")).Message(text)
	for _, line := range []string{"line 2", "line 3", "line 4", "line 6", "line 7", "line 8"} {
		equal(t, strings.Contains(r.Log(), line), true)
	}
}

func TestHandlersOfEveryGeneration(t *testing.T) {
	init, _ := Adapt(handlerInit, handler)
	for name, h := range map[string]runner.Handler{
		"named":             current(Handler(handler)),
		"google.golang.org": current(handler),
		"golang/protobuf":   current(asV1(wrapperspb.String("Hello /x"), nil)),
	} {
		t.Run(name, func(t *testing.T) {
			text := &wrapperspb.StringValue{}
			runnertest.New(t, init, h, runnertest.BasePath("/")).Call(wrapperspb.String("")).Message(text)
			equal(t, text.Value, "Hello /x")
		})
	}
}

func TestFailuresOfOldHandlers(t *testing.T) {
	for name, c := range map[string]struct {
		handler runner.Handler
		want    string
	}{
		"error":       {current(asV1(nil, errors.New("no model"))), "error in 'node': no model"},
		"no message":  {current(asV1(nil, nil)), "error in 'node': the handler returned no message"},
		"nil pointer": {current(asV1((*wrapperspb.StringValue)(nil), nil)), "error in 'node': the handler returned no message"},
	} {
		t.Run(name, func(t *testing.T) {
			f := runnertest.New(t, nil, c.handler).Call(wrapperspb.String("")).Failure()
			equal(t, f != nil, true)
			equal(t, f.Text, c.want)
		})
	}
}

func TestHandlersOfJSON(t *testing.T) {
	set, err := proto.Marshal(&descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{
		protodesc.ToFileDescriptorProto(wrapperspb.File_google_protobuf_wrappers_proto),
	}})
	equal(t, err, nil)
	handle := func(ctx *HandlerContext, data []byte) (any, error) {
		in := struct{ Value any }{}
		if err := json.Unmarshal(data, &in); err != nil {
			return nil, err
		}
		ctx.SetValueString("last", fmt.Sprint(in.Value))
		switch in.Value {
		case "fail":
			return nil, errors.New("no model")
		case "list":
			return []int{1, 2}, nil
		case "no JSON":
			return math.NaN(), nil
		}
		return struct {
			Z    any    `json:"z"`
			Path string `json:"a"`
		}{in.Value, ctx.GetPath("x") + ctx.GetValueString("last")}, nil
	}
	r := runnertest.New(t, nil, jsonHandler{handle, finder(string(set))}.current, runnertest.BasePath("/b"))
	object := &structpb.Struct{}
	r.Call(wrapperspb.Int64(0)).Message(object) // a default is there
	equal(t, object.AsMap(), map[string]any{"z": 0.0, "a": "/b/x0"})
	sent, _ := structpb.NewStruct(map[string]any{"Value": "ha"})
	r.Call(sent).Message(object)
	equal(t, object.AsMap(), map[string]any{"z": "ha", "a": "/b/xha"})
	list := &structpb.Value{}
	r.Call(wrapperspb.String("list")).Message(list)
	equal(t, list.AsInterface(), []any{1.0, 2.0})
	for in, want := range map[string]string{
		"fail":    "error in 'node': no model",
		"no JSON": "error in 'node': cannot write the handler's result as JSON: json: unsupported value: NaN",
	} {
		equal(t, r.Call(wrapperspb.String(in)).Failure().Text, want)
	}
	r = runnertest.New(t, nil, current(handle))
	equal(t, r.Call(wrapperspb.String("x")).Failure().Text, "error in 'node': cannot read the message as JSON for the handler: "+
		"the message google.protobuf.StringValue is not in the version's protos: it cannot be converted to a dict")
}

func TestASecondReplyFails(t *testing.T) {
	r := runnertest.New(t, nil, current(func(ctx *HandlerContext, _ *anypb.Any) (proto.Message, error) {
		if err := ctx.EarlyReply(wrapperspb.String("first")); err != nil {
			return nil, err
		}
		return wrapperspb.String(ctx.Reply(wrapperspb.String("second")).Error()), nil
	}))
	result, text := r.Call(wrapperspb.String("")), &wrapperspb.StringValue{}
	result.EarlyReply(text)
	equal(t, text.Value, "first")
	result.Message(text)
	equal(t, text.Value, "error the message was replied previously")
}

// room is a document whose names in bson the node does not know in JSON.
type room struct {
	ID     string `bson:"_id"`
	Number int    `json:"number" bson:"room_number"`
	Street string
	Beds   []*bed `bson:"beds_of_room"`
}

type bed struct {
	Wide bool `bson:"is_wide"`
}

func TestDocumentsAreFoundByTheirBSONNames(t *testing.T) {
	r := runnertest.New(t, nil, current(func(ctx *HandlerContext, _ *anypb.Any) (proto.Message, error) {
		var found []*room
		if err := ctx.GetData("rooms", QueryData{"room_number": 7}, &found); err != nil {
			return nil, err
		}
		equal(t, len(found), 1)
		equal(t, len(found[0].ID), 24)
		found[0].ID = ""
		equal(t, *found[0], room{Number: 7, Street: "Elm", Beds: []*bed{{Wide: true}, {}}})
		var maps []map[string]any
		equal(t, ctx.DB.Find("rooms", nil, &maps), nil)
		equal(t, maps[0]["room_number"], 7.0)
		equal(t, ctx.DB.Find("rooms", nil, maps) != nil, true)
		return wrapperspb.String("found"), ctx.SaveData("rooms", room{Number: 8})
	}))
	r.SaveDocument("rooms", map[string]any{
		"room_number": 7, "street": "Elm", "beds_of_room": []any{map[string]any{"is_wide": true}, map[string]any{}}, "hidden": "x",
	})
	r.Call(wrapperspb.String("")).Message(&wrapperspb.StringValue{})
	var saved []map[string]any
	r.Documents("rooms", &saved)
	equal(t, saved[1]["number"], 8.0)
}

// asV1 is a handler as it was written with github.com/golang/protobuf/proto.
func asV1(m protoadapt.MessageV1, err error) func(*HandlerContext, *anypb.Any) (protoadapt.MessageV1, error) {
	return func(*HandlerContext, *anypb.Any) (protoadapt.MessageV1, error) { return m, err }
}

func TestLoggerOfTheOriginal(t *testing.T) {
	for level, want := range map[simplelogger.LogLevel]int{
		simplelogger.LevelError: 2, simplelogger.LevelWarn: 4, simplelogger.LevelInfo: 6, simplelogger.LevelDebug: 8,
	} {
		var out bytes.Buffer
		logAll(simplelogger.NewWithWriter(level, &out))
		equal(t, strings.Count(out.String(), "\n"), want)
		line := strings.SplitN(out.String(), " ", 2)
		_, err := time.Parse(time.RFC3339Nano, line[0])
		equal(t, err, nil)
	}
	var out bytes.Buffer
	simplelogger.NewWithWriter(simplelogger.LevelInfo, &out).Warnf("a\r\nb\n%d%%", 7)
	equal(t, out.String()[strings.Index(out.String(), " "):], " WARN a b 7%\n")
}

func equal(t *testing.T, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
}
