package requests

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/legible"
	"krt.dev/kn-krt/pkg/local/running"
)

// errSeveral is returned if it is not clear which local run is meant.
var errSeveral = errors.New("several versions run on this machine")

// find returns the inspection address of a local run: the default if none is found, because
// one with a state folder of its own may be there.
func find(ctx context.Context, grpc string) (string, error) {
	runs, err := running.List(ctx)
	if err != nil {
		return "", err
	}
	var found []running.Run
	silent := ""
	for _, r := range runs {
		switch {
		case grpc != "" && !r.Serves(grpc):
		case r.Inspection == "":
			silent = legible.Line(r.Version, maxName)
		default:
			found = append(found, r)
		}
	}
	switch len(found) {
	case 0:
		if silent != "" {
			return "", term.WithHint(fmt.Errorf("version %q has no inspection port", silent), "Start it without --inspect-port off.")
		}
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(inspection.Port)), nil
	case 1:
		return found[0].Inspection, nil
	}
	return "", several(found, func(r running.Run) string { return r.Inspection })
}

// several is the error that it is not clear which run is meant; address is what names one.
func several(runs []running.Run, address func(running.Run) string) error {
	names := make([]string, len(runs))
	for i, r := range runs {
		names[i] = fmt.Sprintf("--address %s  (%s in %s)", address(r), legible.Line(r.Version, maxName), legible.Line(r.Path, maxErrorText))
	}
	return term.WithHint(errSeveral, "Name one:\n  %s", strings.Join(names, "\n  "))
}

// GRPC returns the gRPC address of the only version that is found to run on this machine. If none
// is found, or one of several has the address usual, it is that.
func GRPC(ctx context.Context, usual string) (string, error) {
	runs, err := running.List(ctx)
	if err != nil {
		return "", err
	}
	switch {
	case len(runs) == 0, slices.ContainsFunc(runs, func(r running.Run) bool { return r.Serves(usual) }):
		return usual, nil
	case len(runs) > 1:
		return "", several(runs, grpcOf)
	}
	return grpcOf(runs[0]), nil
}

// Web is where the web port of a version can be reached.
type Web struct {
	// Address is host:port.
	Address string
	// Result is what to type to fetch the result of a request, before its id.
	Result string
	// Release is to be called once the address is not used any more.
	Release func()
}

// LocalWeb returns where the version that runs on this machine with a gRPC address can be reached.
func LocalWeb(ctx context.Context, program, grpc string) (Web, error) {
	runs, err := running.List(ctx)
	if err != nil {
		return Web{}, err
	}
	at := slices.IndexFunc(runs, func(r running.Run) bool { return r.Serves(grpc) && r.Web != "" })
	if at < 0 {
		return Web{}, term.WithHint(fmt.Errorf("the web address of the version at %s is not known", grpc),
			"Start one with '%s run', or name the web address that it printed with --web-address.", program)
	}
	result := program + " result"
	if address := runs[at].Inspection; address != "" && len(runs) > 1 {
		result += " --address " + address
	}
	return Web{Address: reachable(runs[at].Web), Result: result, Release: func() {}}, nil
}

// grpcOf is the address at which a run can be called from this machine.
func grpcOf(r running.Run) string { return reachable(r.GRPC) }

// reachable is a listen address as it can be reached from this machine.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip.IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return address
}

// hostPort is the host and port of an inspection address, which may be the URL that a run prints.
func hostPort(address string) string {
	address = strings.TrimPrefix(address, "http://")
	return strings.TrimSuffix(strings.TrimSuffix(address, "/"), "/requests")
}

// runsHere reports whether a version of that name runs on this machine.
func runsHere(ctx context.Context, name string) bool {
	runs, err := running.List(ctx)
	return err == nil && slices.ContainsFunc(runs, func(r running.Run) bool { return r.Version == name })
}
