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

// maxAnswerBytes bounds one answer. Versions limit messages themselves; this
// only keeps a wrong server from filling the memory.
const maxAnswerBytes = 256 << 20

// remote is a running version, seen from outside.
type remote struct {
	conn    *grpc.ClientConn
	address string

	mu      sync.Mutex
	dialErr error // why the last connection failed
}

// method is an rpc of a remote version and the types that its messages need.
type method struct {
	desc  protoreflect.MethodDescriptor
	types *dynamicpb.Types
}

// path is the method as gRPC names it: /package.Service/Method.
func (m method) path() string {
	return "/" + string(m.desc.Parent().FullName()) + "/" + string(m.desc.Name())
}

// dialVersion prepares a connection to address; the first call opens it.
func dialVersion(address string) (*remote, error) {
	r := &remote{address: address}
	conn, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(r.dial),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswerBytes)))
	if err != nil {
		return nil, fmt.Errorf("cannot use address %q: %w", address, err)
	}
	r.conn = conn
	return r, nil
}

func (r *remote) Close() error { return r.conn.Close() }

// dial remembers why a connection failed: gRPC gives it as prose only.
func (r *remote) dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dialErr = err
	return conn, err
}

// describe asks the version what it offers.
func (r *remote) describe(ctx context.Context) (describe.Version, error) {
	var response structpb.Struct
	err := r.conn.Invoke(ctx, describe.Path, &emptypb.Empty{}, &response)
	return describe.Read(&response), err
}

// lookup finds the rpc of the workflow that o names.
func (r *remote) lookup(ctx context.Context, o invokeOptions) (method, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	v, err := r.describe(ctx)
	if err != nil {
		return method{}, r.unreachable(o.program, err)
	}
	i := slices.IndexFunc(v.Workflows, func(w describe.Workflow) bool { return isCalled(w, o.workflow) })
	if i < 0 {
		return method{}, unknownWorkflow(v, o.workflow)
	}
	m, err := r.reflectMethod(ctx, v.Workflows[i].RPC)
	if err != nil {
		return method{}, fmt.Errorf("cannot learn the messages of workflow %q: %w", v.Workflows[i].Name, err)
	}
	return m, nil
}

// isCalled reports whether name means this workflow: by its own name, or its
// rpc's as a manifest may write it (Method, Service.Method, full name).
func isCalled(w describe.Workflow, name string) bool {
	if name == w.Name {
		return true
	}
	rpc := strings.ReplaceAll(w.RPC, "/", ".")
	name = strings.ReplaceAll(strings.TrimPrefix(name, "/"), "/", ".")
	return name != "" && (rpc == name || strings.HasSuffix(rpc, "."+name))
}

// unreachable explains why a version cannot be asked what it offers.
func (r *remote) unreachable(program string, err error) error {
	r.mu.Lock()
	dialErr := r.dialErr
	r.mu.Unlock()
	switch {
	case errors.Is(dialErr, syscall.ECONNREFUSED):
		return term.WithHint(fmt.Errorf("no version answers at %s: connection refused", r.address),
			"Start one with '%[1]s run', or name another place with --address; one on a cluster with '%[1]s invoke VERSION WORKFLOW'.", program)
	case dialErr != nil:
		return term.WithHint(fmt.Errorf("cannot reach a version at %s: %w", r.address, dialErr),
			"Name the version's gRPC address with --address HOST:PORT.")
	case status.Code(err) == codes.Unimplemented:
		return term.WithHint(fmt.Errorf("what listens at %s is no version: it does not know %s", r.address, describe.Path),
			"Name the version's gRPC address with --address HOST:PORT.")
	case status.Code(err) == codes.Canceled:
		return fmt.Errorf("cannot ask the version at %s: %w", r.address, context.Canceled)
	default:
		return term.WithHint(fmt.Errorf("what listens at %s does not answer as a version: %s", r.address, status.Convert(err).Message()),
			"Name the version's gRPC address (not its web address) with --address HOST:PORT.")
	}
}

func unknownWorkflow(v describe.Version, name string) error {
	if len(v.Workflows) == 0 {
		return fmt.Errorf("version %q offers no workflow", v.Name)
	}
	names := make([]string, len(v.Workflows))
	for i, w := range v.Workflows {
		names[i] = w.Name
	}
	return term.WithHint(fmt.Errorf("version %q has no workflow %q%s", v.Name, name, spelling.Hint(name, names)),
		"It has: %s", strings.Join(names, ", "))
}

// completeWorkflows names the workflows of the version at address for a shell;
// none if there is no such version.
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
