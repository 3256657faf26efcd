package krt

import (
	"krt.dev/kn-krt/pkg/schema/fieldpath"
)

// Form returns the table of a manifest's fields, as a [FieldMap]. [Parse] has its keys and bounds from
// it; [JSONSchema] and the reference in the docs are made of it, too.
// What a table cannot say, such as that a workflow's nodes are declared and that files exist, is
// checked by Parse and [Load] alone. The caller may change what it gets.
func Form() *Field {
	return &Field{
		Doc:  "A version of KRT V1: a gRPC contract, nodes, and workflows that chain them.",
		Kind: FieldMap, Required: true,
		Fields: []Field{
			{Key: "krtVersion", Doc: "The format of the manifest. v1 is the only one.", Values: []string{"v1"}, Default: "v1", High: MaxName},
			{Key: "version", Doc: "The name of the version.", Required: true, Examples: []string{"price-estimator-v3"},
				Pattern: versionPattern.String(), Refused: reservedVersions.String(), High: MaxName, read: maxDescription,
				Rule: `may contain only a to z, 0 to 9 and "-", must begin with a letter, must end with a letter or digit, ` +
					"and must not be active-entrypoint"},
			{Key: "description", Doc: "What the version does, for people.", Required: true, High: maxDescription,
				Examples: []string{"New room price predictions."}},
			entrypointForm(),
			configForm(),
			{Key: "nodes", Doc: "The nodes, each of them code that handles one message at a time and returns the next.", Kind: FieldList,
				Required: true, Low: 1, High: MaxNodes, Element: nodeForm()},
			{Key: "workflows", Doc: "The workflows: each ties an rpc of the contract to nodes in order.", Kind: FieldList, Required: true,
				Low: 1, High: MaxWorkflows, Element: workflowForm()},
		},
	}
}

func entrypointForm() Field {
	return Field{Key: "entrypoint", Doc: "What clients can call.", Kind: FieldMap, Required: true, Fields: []Field{
		{Key: "proto", Doc: "The path of the proto that is the contract, from the bundle's root. Its imports are relative to the root, too.",
			Required: true, Pattern: protoForm, Refused: outsideForm, High: maxPath, Examples: []string{"public_input.proto"},
			Rule: "must be the path of a .proto file in the bundle, relative to its root and with slashes"},
		{Key: "image", Doc: "Accepted and ignored: kn-krt runs its own entrypoint.", Pattern: imagePattern.String(), High: maxImage,
			Rule: "must be an image reference", Examples: []string{"konstellation/kre-entrypoint:1.6.0"}},
		{Key: "backgroundTimeout", Doc: "How long work may continue after an early reply, and for asynchronous requests. " +
			"On a cluster, Knative ends each call of a node after 600s, unless the setting revision-timeout allows more or the entrypoint " +
			"calls the node's only pod directly.",
			Kind: FieldDuration, Addition: true, MaxDuration: maxBackground, Default: "1h", Examples: []string{"2h"}, High: maxVariable},
		{Key: "warmUp", Doc: "Whether nodes at zero are woken ahead: all of a workflow by its first event, and all of the version before it is " +
			"published. Without it, the cluster's setting warm-up decides.", Kind: FieldBoolean, Addition: true},
		{Key: "inspect", Doc: "Keeps messages of requests in the entrypoint, where people can read them. Without it, messages are never kept " +
			"on a cluster.",
			Kind: FieldMap, Addition: true, Fields: []Field{
				{Key: "share", Doc: "The percentage of requests whose messages are kept without being asked for.", Kind: FieldInteger, High: 100,
					Default: "0", Examples: []string{"5"}},
				{Key: "payloadBytes", Doc: "How much is kept of a message: a number of bytes, or with a unit such as 64Ki; 1Ki to 1Mi.",
					Kind: FieldBytes, Low: leastPayload, High: mostPayload, Default: "64Ki", Examples: []string{"64Ki"}, read: MaxName},
				{Key: "redact", Doc: "Paths of fields whose values are never kept. Each must be in a message of the bundle's protos.",
					Kind: FieldList, High: fieldpath.MaxPaths, Unique: true, Element: &Field{
						Required: true, Pattern: fieldpath.Pattern(), High: fieldpath.MaxLength, read: maxDescription,
						Rule: "must be the path of a field, such as card.number", Examples: []string{"card.number"}}},
			}},
	}}
}

func configForm() Field {
	name := &Field{Required: true, Pattern: variablePattern.String(), Refused: reservedVariables.String(), High: maxVariable,
		Rule: `may contain only A to Z, 0 to 9 and "_", must begin and end with a letter or digit, and must not be reserved for the platform`}
	return Field{Key: "config", Doc: "What must have a value before the version starts.", Kind: FieldMap, Fields: []Field{
		{Key: "variables", Doc: "Names of environment variables of the nodes.", Kind: FieldList, High: MaxVariables, Unique: true,
			Element: name.like("OUTPUT_PRICE_CURRENCY")},
		{Key: "files", Doc: "Names of environment variables that hold the path of a file; its content for nodes on a runner of the original " +
			"platform.", Kind: FieldList, High: MaxFiles, Unique: true, Element: name.like("HTTPS_CERT")},
	}}
}

// like returns a copy of f with other examples.
func (f *Field) like(examples ...string) *Field {
	other := *f
	other.Examples = examples
	return &other
}

// nameForm is the name of a node or workflow.
func nameForm() *Field {
	return &Field{Required: true, Pattern: namePattern.String(), High: MaxName, read: maxDescription,
		Rule: `may contain only a to z, 0 to 9 and "-", and must begin and end with a letter or digit`}
}

func workflowForm() *Field {
	name, step := nameForm().like("ny-room-price"), nameForm().like("etl")
	step.Refused, step.Rule = reservedNodes.String(), "must be the name of a node"
	name.Key, name.Doc = "name", "The name of the workflow."
	return &Field{Doc: "A workflow.", Kind: FieldMap, Required: true, Fields: []Field{
		*name,
		{Key: "entrypoint", Doc: "The rpc that calls the workflow: its name, with its service, or in full. It takes one " +
			"request and returns one response, or a stream of them, and each workflow needs one of its own.",
			Required: true, High: maxRPC, Examples: []string{"MakePrediction"}},
		{Key: "sequential", Doc: "The names of the nodes that a request passes, in order; each at most once.", Kind: FieldList,
			Required: true, Low: 1, High: MaxSteps, Unique: true, Element: step},
	}}
}
