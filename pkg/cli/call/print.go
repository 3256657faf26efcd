package call

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/legible"
)

// printMessage writes m as JSON, indented for people, on one line with -o json, and what else
// was asked for.
func printMessage(ctx context.Context, o invokeOptions, m proto.Message, types *dynamicpb.Types, also more) error {
	text, err := messageJSON(m, types)
	if err != nil {
		return err
	}
	if o.output == term.OutputJSON {
		return o.printLine(ctx, text, also)
	}
	// protobuf-go varies its white space on purpose; ours is stable.
	var out bytes.Buffer
	if err := json.Indent(&out, text, "", "  "); err != nil {
		return fmt.Errorf("cannot write the response as JSON: %w", err)
	}
	out.WriteByte('\n')
	if also.trace != nil {
		out.WriteString("\n" + also.trace.text())
	}
	if _, err := out.WriteTo(o.streams.Out); err != nil || !o.inspect {
		return err
	}
	i, err := o.shown(ctx, also)
	if err != nil {
		return err
	}
	_, err = io.WriteString(o.streams.Out, "\n"+i.text(o.streams))
	return err
}

// shown is the request whose response was received; nil if it is not to be shown.
func (o invokeOptions) shown(ctx context.Context, also more) (i *inspected, err error) {
	if o.inspect {
		if i, err = o.inspected(ctx, also.id, codes.OK); err != nil {
			err = fmt.Errorf("the response was received, but the request cannot be shown: %w", err)
		}
	}
	return i, err
}

// messageJSON is a message as JSON, with what a terminal does not print escaped.
func messageJSON(m proto.Message, types *dynamicpb.Types) ([]byte, error) {
	text, err := protojson.MarshalOptions{Resolver: types, EmitDefaultValues: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("cannot write the response as JSON: %w", err)
	}
	return legible.PrintableJSON(text), nil
}

// printLine prints the response and what else was asked for as JSON on one line.
func (o invokeOptions) printLine(ctx context.Context, response []byte, also more) error {
	i, err := o.shown(ctx, also)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if also.trace != nil || o.inspect {
		err = writeWith(&out, response, also.trace, i)
	} else {
		err = json.Compact(&out, response)
		out.WriteByte('\n')
	}
	if err != nil {
		return fmt.Errorf("cannot write the response as JSON: %w", err)
	}
	_, err = out.WriteTo(o.streams.Out)
	return err
}
