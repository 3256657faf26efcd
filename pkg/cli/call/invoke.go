// Package call is the verb invoke: it calls a workflow of a running version over gRPC,
// without its protos. How a version on a cluster is reached is passed in as a [Versions].
package call

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"krt.dev/kn-krt/pkg/cli/requests"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/invocation"
	"krt.dev/kn-krt/pkg/schema"
)

// maxRequest is how large the JSON of a request may be, in bytes.
const maxRequest = 64 << 20

// DefaultAddress is the gRPC address of a local run, unless its flags set another.
const DefaultAddress = "127.0.0.1:9000"

type invokeOptions struct {
	streams  term.Streams
	program  string
	workflow string
	data     string
	address  string
	timeout  time.Duration
	trace    bool
	inspect  bool
	files    credentialFiles
	output   string
	// inspection is the inspection address of a local run; "" for that of the run at address.
	inspection string
	// send waits for no response; web is the web address for that, "" for that of the run at address.
	send bool
	web  string
	// requests reaches the requests that the version keeps.
	requests func() (*requests.Running, error)
}

// Versions is how versions on a cluster are reached.
type Versions interface {
	requests.Versions

	// Reach forwards a port of this machine to the named version, or to the published one
	// if version is "", until release is called.
	Reach(cmd *cobra.Command, version string) (address string, release func(), err error)

	// ReachWeb does so for the version's web port.
	ReachWeb(cmd *cobra.Command, version string) (requests.Web, error)
}

const invokeLong = `Call a workflow of a running version over gRPC and print the response as JSON.

With VERSION, the version on the cluster is called, through a port that is forwarded
during the call; with -n alone, the version that is published in that namespace.
Otherwise the version that runs on this machine, or at --address, is called.

The request is JSON. No .proto file is needed, because the version describes its
messages. WORKFLOW is the name of a workflow or of its rpc.

With --trace, a line for each node follows the response: when it had the request, how long
the request waited there for its turn (░), and how long the handler ran (█). With -o json
the output is then {"response": …, "took": …, "steps": […]}, in seconds.

With --inspect, the request is shown step by step, as 'requests NAME ID' does: what each node
received and returned. On a cluster the version must allow it (entrypoint.inspect in krt.yml).
The work behind an early reply is waited for as long as --timeout, or 5 seconds. With -o json
the output has it as "request".

With --async, the response is not waited for: the request is sent as an event (Prefer: respond-async), and
its id is printed once the version has accepted it; 'result ID -w' prints what comes of it, if the version
keeps results. If it fails, it becomes a dead letter. WORKFLOW is the workflow's name then.

If the workflow returns a stream, each of its messages is printed when it comes, as JSON on a line
of its own. With -o json, what --trace and --inspect add, and an error, are a last line:
{"messages": 3, "took": …, "steps": […]} or {"error": …, "messages": 3}.`

// NewCommand returns the verb invoke. Versions on a cluster are reached through c.
func NewCommand(s term.Streams, c Versions) *cobra.Command {
	o := invokeOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "invoke [VERSION] WORKFLOW",
		Short: "Call a workflow of a running version",
		Long:  invokeLong,
		Example: `  kn-krt invoke greet -d '{"name": "Ana"}'
  kn-krt invoke greet -d @request.json --timeout 5s
  echo '{"name": "Ana"}' | kn-krt invoke greet -d - --address 127.0.0.1:9100

  kn-krt invoke greet --trace
  kn-krt invoke greet --inspect -d '{"name": "Ana"}'
  kn-krt invoke greet --async -d '{"name": "Ana"}'
  kn-krt invoke write -d '{"text": "Once"}' | jq --unbuffered -r .text

  # On a cluster
  kn-krt invoke greeter-v1 greet -d '{"name": "Ana"}'
  kn-krt invoke greet -n kre -d '{"name": "Ana"}'`,
		Args: term.Arguments(cobra.RangeArgs(1, 2)),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			return complete(cmd, c, args, typed)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(cmd); err != nil {
				return err
			}
			o.program, o.workflow = cmd.Root().DisplayName(), args[len(args)-1]
			if len(args) == 1 && !c.Named(cmd) {
				if o.send {
					return o.sendHere(cmd)
				}
				o.requests = func() (*requests.Running, error) {
					return requests.Local(cmd.Context(), o.program, o.inspection, o.address)
				}
				var err error
				if o.address, err = o.here(cmd); err != nil {
					return err
				}
				return runInvoke(cmd.Context(), o)
			}
			if cmd.Flag("address").Changed || cmd.Flag("inspect-address").Changed || o.web != "" {
				return term.UsageError(cmd, "addresses cannot be combined with VERSION or with flags for a cluster")
			}
			version := ""
			if len(args) == 2 {
				version = args[0]
			}
			return o.callOn(cmd, c, version)
		},
	}
	c.Flags(cmd)
	flags := cmd.Flags()
	flags.StringVarP(&o.data, "data", "d", "{}", "the request: JSON, @FILE, or - for standard input")
	flags.StringVar(&o.address, "address", DefaultAddress,
		"an address of a version on this machine, any of those that 'run' printed, or a gRPC address elsewhere; "+
			"by default that of the only version that runs on this machine, else this one")
	flags.DurationVar(&o.timeout, "timeout", 0, "how long to wait for the response (default: as long as the version does)")
	flags.BoolVar(&o.trace, "trace", false, "also print how long each node took")
	flags.BoolVar(&o.inspect, "inspect", false, "also print what each node received and returned")
	flags.StringVar(&o.inspection, "inspect-address", "",
		"the inspection address of a version on this machine; implies --inspect (default: that of the run at --address)")
	o.addAsyncFlags(flags)
	o.files.addFlags(flags)
	term.OutputFlag(cmd, &o.output)
	return cmd
}

// here returns the gRPC address of a version that --address names, or of the one that runs on this machine.
func (o invokeOptions) here(cmd *cobra.Command) (string, error) {
	if cmd.Flag("address").Changed {
		return requests.GRPCAt(cmd.Context(), o.address), nil
	}
	return requests.GRPC(cmd.Context(), DefaultAddress)
}

// callOn calls the named version on the cluster, or the published one if version is "".
func (o invokeOptions) callOn(cmd *cobra.Command, c Versions, version string) error {
	if o.send {
		return o.sendOn(cmd, c, version)
	}
	return runInvokeOn(cmd, o, c, version)
}

// unreached adds to err that a version which was named may be meant that runs on this machine.
func unreached(cmd *cobra.Command, c Versions, version string, err error) error {
	if c.Named(cmd) {
		return err
	}
	return requests.NotOnCluster(cmd, version, err)
}

// runInvokeOn calls the named version on the cluster, or the published one if version is "".
func runInvokeOn(cmd *cobra.Command, o invokeOptions, c Versions, version string) error {
	address, release, err := c.Reach(cmd, version)
	if err != nil {
		return unreached(cmd, c, version, err)
	}
	defer release()
	o.address = address
	o.requests = func() (*requests.Running, error) { return c.Requests(cmd, version, inspection.Filter{}) }
	return runInvoke(cmd.Context(), o)
}

// complete suggests versions and workflows of the local run, then workflows of the named version.
func complete(cmd *cobra.Command, c Versions, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	switch {
	case len(args) == 1:
		return c.Complete(cmd, args, typed)
	case len(args) > 1:
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	address := cmd.Flag("address").Value.String()
	if cmd.Flag("address").Changed {
		return completeWorkflows(cmd.Context(), requests.GRPCAt(cmd.Context(), address)), cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	if address, err := requests.GRPC(cmd.Context(), address); err == nil {
		names = completeWorkflows(cmd.Context(), address)
	}
	versions, directive := c.Complete(cmd, args, typed)
	return append(names, versions...), directive
}

func runInvoke(ctx context.Context, o invokeOptions) error {
	text, by, err := o.input()
	if err != nil {
		return err
	}
	r, err := dialVersion(o.address, by)
	if err != nil {
		return err
	}
	defer r.Close()

	method, err := r.lookup(ctx, o)
	if err != nil {
		return err
	}
	request := dynamicpb.NewMessage(method.Desc.Input())
	if err := decodeRequest(text, request, method.Types); err != nil {
		return err
	}
	if method.Desc.IsStreamingServer() {
		return o.stream(ctx, r, method, request)
	}
	response := dynamicpb.NewMessage(method.Desc.Output())
	m, err := o.call(ctx, r, method, request, response)
	if err != nil {
		return callError(ctx, o, err, m)
	}
	return printMessage(ctx, o, response, method.Types, m)
}

// more is what was asked for besides the response.
type more struct {
	trace    *trace // nil unless it was asked for
	id       string // of the request, if the version has returned it
	streamed *streamed
}

// more is what has come of a call besides its response.
func (o invokeOptions) more(r invocation.Result) more {
	also := more{id: r.ID}
	if o.trace {
		also.trace = &trace{took: r.Took, steps: r.Steps, reported: r.Reported}
	}
	return also
}

// limited is ctx with --timeout.
func (o invokeOptions) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	if o.timeout > 0 {
		return context.WithTimeout(ctx, o.timeout)
	}
	return ctx, func() {}
}

// call sends request and reads response, no longer than --timeout.
func (o invokeOptions) call(ctx context.Context, r *connection, m invocation.Method, request, response proto.Message) (more, error) {
	ctx, cancel := o.limited(ctx)
	defer cancel()
	result, err := r.Call(ctx, m, invocation.Wish{Trace: o.trace, Inspect: o.inspect}, request, response)
	return o.more(result), err
}

// decodeRequest reads JSON into request; an error names the place and the field.
func decodeRequest(text []byte, request proto.Message, types *dynamicpb.Types) error {
	options := protojson.UnmarshalOptions{Resolver: types}
	desc, err := request.ProtoReflect().Descriptor(), options.Unmarshal(text, request)
	if err == nil {
		if err = schema.CheckDepth(text, request.ProtoReflect()); err != nil {
			return fmt.Errorf("cannot send the request: %w", err)
		}
		return nil
	}
	return term.WithHint(
		fmt.Errorf("cannot read the request as %s: %s", desc.FullName(), schema.JSONError(text, err)),
		"Fields of %s: %s", desc.FullName(), cmp.Or(fieldList(desc), "none"))
}

func fieldList(desc protoreflect.MessageDescriptor) string {
	fields := make([]string, desc.Fields().Len())
	for i := range fields {
		fields[i] = desc.Fields().Get(i).JSONName()
	}
	return strings.Join(fields, ", ")
}
