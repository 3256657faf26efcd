package telemetry

import (
	"strings"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"krt.dev/kn-krt/pkg/runner/clip"
)

// maxText is the longest text of an error in a span, in bytes.
const maxText = 1024

func failed(message string) *tracepb.Status {
	return &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR, Message: readable(message)}
}

// readable is the text of an error within its bounds, and as protobuf requires it.
func readable(message string) string {
	return clip.Text(strings.ToValidUTF8(message[:min(len(message), 2*maxText)], "\uFFFD"), maxText)
}

// text is an attribute of the batch, the same each time.
func (b *batch) text(key, value string) *commonpb.KeyValue {
	at := Attribute{key, value}
	a := b.texts[at]
	if a == nil {
		a = text(key, value)
		b.texts[at] = a
	}
	return a
}

// text is an attribute, in one allocation.
func text(key, value string) *commonpb.KeyValue {
	a := &struct {
		of   commonpb.KeyValue
		any  commonpb.AnyValue
		text commonpb.AnyValue_StringValue
	}{}
	a.text.StringValue = strings.ToValidUTF8(value, "\uFFFD") // a client's own id may be anything
	a.any.Value = &a.text
	a.of.Key, a.of.Value = key, &a.any
	return &a.of
}

func number(key string, value int) *commonpb.KeyValue {
	a := &struct {
		of     commonpb.KeyValue
		any    commonpb.AnyValue
		number commonpb.AnyValue_IntValue
	}{}
	a.number.IntValue = int64(value)
	a.any.Value = &a.number
	a.of.Key, a.of.Value = key, &a.any
	return &a.of
}

func truth(key string, value bool) *commonpb.KeyValue {
	a := &struct {
		of    commonpb.KeyValue
		any   commonpb.AnyValue
		truth commonpb.AnyValue_BoolValue
	}{}
	a.truth.BoolValue = value
	a.any.Value = &a.truth
	a.of.Key, a.of.Value = key, &a.any
	return &a.of
}
