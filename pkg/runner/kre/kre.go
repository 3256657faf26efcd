// Package kre is the API of KRT V1's kre-go over [runner]: a node written for
// github.com/konstellation-io/kre-runners/kre-go, or for that module by one of its
// older paths, builds with it unchanged. The kn-krt command replaces that module by
// this one; in other builds, change the import. New nodes import package runner
// itself.
//
// It has every name that the code of a node can use, with these differences: a context
// belongs to one call instead of to all; Measurement.Save, Prediction.Save and
// Prediction.SaveError return an error; the constructors of the original's own runner
// (NewRunner, NewHandlerContext and others) are missing, because they need connections
// to NATS and MongoDB. Use [Adapt] and package runnertest to test a handler.
//
// As the original did, a node handles one message at a time, unless KRT_WORKERS
// (workers in krt.yml) allows more.
package kre

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/anypb"

	"krt.dev/kn-krt/pkg/runner"
)

type (
	// HandlerInit runs once, before the node is ready.
	HandlerInit func(ctx *HandlerContext)
	// Handler runs for each message that reaches the node.
	Handler func(ctx *HandlerContext, data *anypb.Any) (proto.Message, error)
	// DB saves and finds the documents of the version.
	DB = runner.DB
	// QueryData is a query of HandlerContext.DB.Find: values by field.
	QueryData = runner.QueryData
	// SaveMetricErr is the reason why a prediction has no values.
	SaveMetricErr = runner.SaveMetricErr
)

// The reasons for Prediction.SaveError.
const (
	ErrMissingValues = runner.ErrMissingValues
	ErrNewLabels     = runner.ErrNewLabels
)

// ISO8601 is the layout, for package time, of the times the original wrote.
const ISO8601 = "2006-01-02T15:04:05.000000"

// AnyHandler is a handler of any version of kre-go. Until 1.8 it took and returned
// JSON; the proto.Message that it returned was that of github.com/golang/protobuf until
// 2.1.0, and has been that of google.golang.org/protobuf since.
type AnyHandler interface {
	Handler |
		func(*HandlerContext, *anypb.Any) (proto.Message, error) |
		func(*HandlerContext, *anypb.Any) (protoadapt.MessageV1, error) |
		func(*HandlerContext, []byte) (any, error)
}

// Start runs the node until the process gets SIGTERM or SIGINT. See [runner.Start].
func Start[H AnyHandler](handlerInit HandlerInit, handler H) {
	init, current := Adapt(handlerInit, handler)
	runner.StartWith(runner.Options{InTurn: true}, init, current)
}

// Adapt returns a node's functions as those of package runner, so that package
// runnertest can test them. HandlerInit may be nil.
func Adapt[H AnyHandler](handlerInit HandlerInit, handler H) (runner.HandlerInit, runner.Handler) {
	if handlerInit == nil {
		return nil, current(handler)
	}
	return func(ctx *runner.HandlerContext) { handlerInit(newContext(ctx)) }, current(handler)
}

// current returns h as a handler of the runner.
func current[H AnyHandler](h H) runner.Handler {
	switch h := any(h).(type) {
	case func(*HandlerContext, *anypb.Any) (proto.Message, error):
		return Handler(h).current
	case func(*HandlerContext, *anypb.Any) (protoadapt.MessageV1, error):
		return func(ctx *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
			m, err := h(newContext(ctx), data)
			if m == nil {
				return nil, err
			}
			return protoadapt.MessageV2Of(m), err
		}
	case func(*HandlerContext, []byte) (any, error):
		return jsonHandler{h, finder(protos)}.current
	default:
		return h.(Handler).current // the only one left
	}
}

func (h Handler) current(ctx *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
	return h(newContext(ctx), data)
}
