package call

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/entrypoint/describe"
	"krt.dev/kn-krt/pkg/krt/spelling"
)

// maxResponseBytes bounds one response. Versions limit messages themselves; this only keeps
// a wrong server from filling the memory.
const maxResponseBytes = 256 << 20

// connection is a connection to a running version.
type connection struct {
	conn    *grpc.ClientConn
	address string

	mu      sync.Mutex
	dialErr error // why the last connection failed
}

// method is an rpc of a version and the types that its messages need.
type method struct {
	desc  protoreflect.MethodDescriptor
	types *dynamicpb.Types
}

// path is the method as gRPC names it: /package.Service/Method.
func (m method) path() string {
	return "/" + string(m.desc.Parent().FullName()) + "/" + string(m.desc.Name())
}

// dialVersion prepares a connection to address; the first call opens it.
func dialVersion(address string) (*connection, error) {
	r := &connection{address: address}
	conn, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(r.dial),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxResponseBytes)))
	if err != nil {
		return nil, fmt.Errorf("cannot use address %q: %w", address, err)
	}
	r.conn = conn
	return r, nil
}

func (r *connection) Close() error { return r.conn.Close() }

// dial records why it failed, because gRPC returns that only as text.
func (r *connection) dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dialErr = err
	return conn, err
}

// describe reads the version's name and workflows.
func (r *connection) describe(ctx context.Context) (describe.Version, error) {
	var response structpb.Struct
	err := r.conn.Invoke(ctx, describe.Path, &emptypb.Empty{}, &response)
	return describe.Read(&response), err
}

// lookup returns the rpc of the workflow that o names.
func (r *connection) lookup(ctx context.Context, o invokeOptions) (method, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	v, err := r.describe(ctx)
	if err != nil {
		return method{}, r.unreachable(o.program, err)
	}
	i := slices.IndexFunc(v.Workflows, func(w describe.Workflow) bool { return isNamed(w, o.workflow) })
	if i < 0 {
		return method{}, unknownWorkflow(v, o.workflow)
	}
	m, err := r.reflectMethod(ctx, v.Workflows[i].RPC)
	if err != nil {
		return method{}, fmt.Errorf("cannot read the messages of workflow %q: %w", v.Workflows[i].Name, err)
	}
	return m, nil
}

// isNamed reports whether name is the workflow's name, or its rpc's as a manifest may
// write it (Method, Service.Method, full name).
func isNamed(w describe.Workflow, name string) bool {
	if name == w.Name {
		return true
	}
	rpc := strings.ReplaceAll(w.RPC, "/", ".")
	name = strings.ReplaceAll(strings.TrimPrefix(name, "/"), "/", ".")
	return name != "" && (rpc == name || strings.HasSuffix(rpc, "."+name))
}

// unreachable explains why describe failed.
func (r *connection) unreachable(program string, err error) error {
	r.mu.Lock()
	dialErr := r.dialErr
	r.mu.Unlock()
	switch {
	case errors.Is(dialErr, syscall.ECONNREFUSED):
		return term.WithHint(fmt.Errorf("no version is running at %s: connection refused", r.address),
			"Start one with '%[1]s run', name another address with --address, "+
				"or call a version on a cluster with '%[1]s invoke VERSION WORKFLOW'.", program)
	case dialErr != nil:
		return term.WithHint(fmt.Errorf("cannot reach a version at %s: %w", r.address, dialErr),
			"Name the version's gRPC address with --address HOST:PORT.")
	case status.Code(err) == codes.Unimplemented:
		return term.WithHint(fmt.Errorf("the server at %s is not a version: it does not implement %s", r.address, describe.Path),
			"Name the version's gRPC address with --address HOST:PORT.")
	case status.Code(err) == codes.Canceled:
		return fmt.Errorf("cannot describe the version at %s: %w", r.address, context.Canceled)
	default:
		return term.WithHint(fmt.Errorf("the server at %s does not respond as a version does: %s", r.address, status.Convert(err).Message()),
			"Name the version's gRPC address (not its web address) with --address HOST:PORT.")
	}
}

func unknownWorkflow(v describe.Version, name string) error {
	if len(v.Workflows) == 0 {
		return term.WithCode(term.ExitNotFound, fmt.Errorf("version %q has no workflows", v.Name))
	}
	names := make([]string, len(v.Workflows))
	for i, w := range v.Workflows {
		names[i] = w.Name
	}
	return term.FailAs(term.ExitNotFound, fmt.Errorf("version %q has no workflow %q%s", v.Name, name, spelling.Hint(name, names)),
		"Its workflows: %s", strings.Join(names, ", "))
}

// completeWorkflows returns the workflows of the version at address for a shell, each with
// its rpc; none if no version is running there.
func completeWorkflows(ctx context.Context, address string) []string {
	r, err := dialVersion(address)
	if err != nil {
		return nil
	}
	defer r.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	v, err := r.describe(ctx)
	if err != nil {
		return nil
	}
	names := make([]string, len(v.Workflows))
	for i, w := range v.Workflows {
		names[i] = w.Name + "\t" + w.RPC
	}
	return names
}
