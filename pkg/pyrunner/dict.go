package pyrunner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/krt/usercode"
	"krt.dev/kn-krt/pkg/runner"
	"krt.dev/kn-krt/pkg/runner/dict"
	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/pkg/schema"
)

// dictName is used in frames instead of a message's full name if the data is the JSON
// of a dict.
const dictName = "{}"

// findGeneration records whether the node's handler takes and returns dicts, and with
// which descriptors incoming messages are decoded.
func (n *node) findGeneration(ctx context.Context) {
	bundle := os.DirFS(n.config.base)
	src, err := filepath.Rel(n.config.base, n.config.handler)
	if err != nil || !fs.ValidPath(filepath.ToSlash(src)) {
		bundle, src = os.DirFS(filepath.Dir(n.config.handler)), filepath.Base(n.config.handler)
	}
	root := os.DirFS(n.config.base)
	manifest := krt.ManifestIn(root)
	self, _ := manifest.Node(n.config.node)
	generation := usercode.PythonGeneration(bundle, filepath.ToSlash(src), self.Image)
	n.log.Debug("the handler " + generation.String())
	if n.config.dicts = generation.Dicts; !n.config.dicts {
		return
	}
	protos, err := schema.CompileAll(ctx, root, schema.Options{Entry: krt.EntrypointProto(root)})
	if err != nil && manifest.Entrypoint.Proto != "" {
		// Another proto of the bundle may be wrong: the messages of clients are in this one.
		protos, err = schema.Compile(ctx, root, manifest.Entrypoint.Proto, schema.Options{})
	}
	if err != nil {
		n.log.Warn("cannot convert messages to dicts: the bundle's protos cannot be read", "error", err)
		return
	}
	n.protos = protos.Registry()
}

// forHandler returns in as the handler takes it.
func (n *node) forHandler(in *event.Event) (*event.Event, error) {
	if !n.config.dicts {
		return in, nil
	}
	data, err := dict.Decode(in.Message, in.Data, n.message, dict.Growth*n.config.maxMessageBytes)
	switch {
	case errors.Is(err, dict.ErrTooLarge):
		return nil, runner.Failed(code.Code_RESOURCE_EXHAUSTED, event.ReasonTooLarge, err)
	case err != nil:
		return nil, err
	}
	taken := *in
	taken.Message, taken.Data = dictName, data
	return &taken, nil
}

// message finds a message by its full name; nil if there is none.
func (n *node) message(name string) protoreflect.MessageDescriptor {
	for _, files := range []*protoregistry.Files{n.protos, protoregistry.GlobalFiles} {
		if files == nil {
			continue
		}
		found, err := files.FindDescriptorByName(protoreflect.FullName(name))
		if m, ok := found.(protoreflect.MessageDescriptor); err == nil && ok {
			return m
		}
	}
	return nil
}

// output returns what a node sends for m: a dict becomes the message that carries it.
func (m encoded) output(limit int) (runner.Output, error) {
	if m.name != dictName {
		return runner.Output{Message: m.name, Data: m.data}, nil
	}
	name, data, err := dict.Encode(m.data)
	switch {
	case err != nil:
		return runner.Output{}, runner.Failed(code.Code_INTERNAL, event.ReasonWrongOutput, err)
	case len(data) > limit:
		err = fmt.Errorf("the dict has %d bytes as a message, the limit is %d%s", len(data), limit, event.LimitNamed)
		return runner.Output{}, runner.Failed(code.Code_RESOURCE_EXHAUSTED, event.ReasonTooLarge, err)
	}
	return runner.Output{Message: name, Data: data}, nil
}
