package runner_test

import (
	"net/http"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"krt.dev/kn-krt/pkg/runner"
)

func TestValuesAreShared(t *testing.T) {
	r := start(t, nil, func(ctx *runner.HandlerContext) {
		ctx.Set("text", "a")
		ctx.Set("int", 7)
		ctx.Set("float", 1.5)
	}, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		equal(t, "Get", ctx.Get("int"), 7)
		equal(t, "GetString", ctx.GetString("text"), "a")
		equal(t, "GetInt", ctx.GetInt("int"), 7)
		equal(t, "GetFloat", ctx.GetFloat("float"), 1.5)
		equal(t, "Get of nothing", ctx.Get("none"), nil)
		equal(t, "GetString of nothing", ctx.GetString("none"), "")
		equal(t, "GetInt of a string", ctx.GetInt("text"), -1)
		equal(t, "GetFloat of an int", ctx.GetFloat("int"), -1)
		return value(""), nil
	})
	equal(t, "status", r.post(t, message("")).status, http.StatusOK)
	contains(t, "log", r.log.String(), `key \"none\": not set`)
	contains(t, "log", r.log.String(), `key \"text\": it is a string, not a int`)
}

func TestCallsKnowThemselves(t *testing.T) {
	r := start(t, map[string]string{"KRT_WORKFLOW_NAME": "only"}, func(ctx *runner.HandlerContext) {
		equal(t, "workflow in init", ctx.Workflow(), "only")
		equal(t, "request in init", ctx.RequestID(), "")
		equal(t, "trace in init", ctx.TraceParent(), "")
		equal(t, "reply in init", ctx.EarlyReply(value("")) == nil, false)
		equal(t, "context in init", ctx.Context().Err(), nil)
	}, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		equal(t, "workflow", ctx.GetWorkflow(), "flow")
		equal(t, "request", ctx.GetRequestID(), "c1")
		equal(t, "node", ctx.Node(), "model")
		equal(t, "version", ctx.Version(), "v1")
		equal(t, "trace in context", runner.TraceParent(ctx.Context()), ctx.TraceParent())
		deadline, ok := ctx.Context().Deadline()
		equal(t, "deadline", ok && time.Until(deadline) < time.Hour, true)
		ctx.Logger.Infof("%d%%", 50)
		ctx.Logger.Warn("100%s")
		ctx.Logger.Debug("not shown")
		return value(ctx.TraceParent()), nil
	})
	in := message("")
	out := r.post(t, in).event
	equal(t, "trace", stringOf(t, out), ofStep(t, out, in.Trace.Parent))
	contains(t, "log", r.log.String(), "level=INFO msg=50% node=model workflow=flow correlationid=c1")
	contains(t, "log", r.log.String(), "level=WARN msg=100%s node=model")
}

func TestReplyIsRetried(t *testing.T) {
	handler := func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		ctx.SetEarlyExit()
		return value("exit"), nil
	}
	r := start(t, nil, nil, handler)
	r.refuse, r.refuseWith = 2, http.StatusServiceUnavailable
	equal(t, "status", r.post(t, message("")).status, http.StatusAccepted)
	equal(t, "reply", stringOf(t, r.reply(t)), "exit")
}

func TestReplyRefusedIsFinal(t *testing.T) {
	var err error
	r := start(t, nil, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		err = ctx.EarlyReply(value("reply"))
		return value(""), nil
	})
	r.refuse, r.refuseWith = 1, http.StatusBadRequest
	equal(t, "status", r.post(t, message("")).status, http.StatusOK)
	contains(t, "error", err.Error(), "status 400")
	equal(t, "posts", len(r.replies), 0)
}

func TestReplyEndsAtTheDeadline(t *testing.T) {
	r := start(t, map[string]string{"KRT_REPLY_URL": "http://127.0.0.1:1"}, nil,
		func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
			ctx.SetEarlyExit()
			return value("exit"), nil
		})
	in := message("")
	in.Deadline = time.Now().Add(200 * time.Millisecond)
	equal(t, "status", r.post(t, in).status, http.StatusAccepted)
}

func TestWithoutStore(t *testing.T) {
	r := start(t, nil, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		if err := ctx.Measurement.Save("loss", map[string]any{"value": 0.5}, map[string]string{"set": "test"}); err != nil {
			return nil, err
		}
		equal(t, "prediction", ctx.Prediction.Save(time.Now(), "cat", "dog"), nil)
		equal(t, "prediction error", ctx.Prediction.SaveError(runner.ErrNewLabels), nil)
		equal(t, "wrong prediction error", ctx.Prediction.SaveError("bad") == nil, false)
		contains(t, "save", ctx.DB.Save("c", 1).Error(), "no store configured: set KRT_STORE")
		contains(t, "find", ctx.DB.Find("c", nil, nil).Error(), "no store configured: set KRT_STORE")
		return value(""), nil
	})
	in := message("")
	equal(t, "status", r.post(t, in).status, http.StatusOK)
	contains(t, "log", r.log.String(), "msg=measurement node=model workflow=flow correlationid=c1 trace_id="+in.Trace.ID()+" span_id=")
	contains(t, "log", r.log.String(), " name=loss fields=map[value:0.5] tags=map[set:test]")
	contains(t, "log", r.log.String(), "predicted_value=cat true_value=dog")
	contains(t, "log", r.log.String(), "error=new_labels")
}
