package call

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/entrypoint/describe"
	"krt.dev/kn-krt/pkg/invocation"
	"krt.dev/kn-krt/pkg/krt/spelling"
)

// connection is a connection to the version at an address.
type connection struct {
	*invocation.Connection
	address string
}

// dialVersion prepares a connection to address; the first call opens it.
func dialVersion(address string, by invocation.Credentials) (*connection, error) {
	c, err := invocation.Dial(address, by)
	return &connection{c, address}, err
}

// lookup returns the rpc of the workflow that o names.
func (r *connection) lookup(ctx context.Context, o invokeOptions) (invocation.Method, error) {
	ctx, cancel := context.WithTimeout(ctx, invocation.LookupTimeout)
	defer cancel()
	v, err := r.Describe(ctx)
	if err != nil {
		return invocation.Method{}, r.unreachable(o.program, err)
	}
	i := slices.IndexFunc(v.Workflows, func(w describe.Workflow) bool { return isNamed(w, o.workflow) })
	if i < 0 {
		return invocation.Method{}, unknownWorkflow(v, o.workflow)
	}
	m, err := r.Method(ctx, v.Workflows[i].RPC)
	if err != nil {
		return invocation.Method{}, fmt.Errorf("cannot read the messages of workflow %q: %w", v.Workflows[i].Name, err)
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
	dialErr := r.DialError()
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
	case invocation.NewFailure(err).Unauthenticated():
		return term.WithHint(fmt.Errorf("the version at %s refuses the client: %s", r.address, status.Convert(err).Message()), credentialsHint)
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
	r, err := dialVersion(address, invocation.Credentials{})
	if err != nil {
		return nil
	}
	defer r.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	v, err := r.Describe(ctx)
	if err != nil {
		return nil
	}
	names := make([]string, len(v.Workflows))
	for i, w := range v.Workflows {
		names[i] = w.Name + "\t" + w.RPC
	}
	return names
}
