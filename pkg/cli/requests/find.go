package requests

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/legible"
	"krt.dev/kn-krt/pkg/local/running"
)

// errSeveral is returned if it is not clear which local run is meant.
var errSeveral = errors.New("several versions run on this machine")

// AddressUsage is the help of the flag --address: it means the same for every verb.
const AddressUsage = "an address of a version on this machine, any of those that 'run' printed (default: the one that runs)"

// find returns the inspection address of a local run: of the one that is listed with an address, if that
// is not "". It is the default if none is found, because one with a state folder of its own may be there.
func find(ctx context.Context, address string) (string, error) {
	runs, err := running.List(ctx)
	if err != nil {
		return "", err
	}
	if address != "" {
		runs = serving(runs, address)
	}
	return only(runs)
}

// serving returns those of runs that are listed with an address, in the place of runs.
func serving(runs []running.Run, address string) []running.Run {
	return slices.DeleteFunc(runs, func(r running.Run) bool { return !r.Serves(address) })
}

// only returns the inspection address of the only one of runs that has one, the default if there is none.
func only(runs []running.Run) (string, error) {
	var found []running.Run
	silent := ""
	for _, r := range runs {
		if r.Inspection == "" {
			silent = legible.Line(r.Version, maxName)
			continue
		}
		found = append(found, r)
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
	return "", Several(found)
}

// reach returns the inspection address that address names; if that is "", what [find] does for of.
func reach(ctx context.Context, address, of string) (string, error) {
	if address == "" {
		return find(ctx, of)
	}
	return named(ctx, address)
}

// named returns the inspection address that an --address names: that of the run which is listed with it, else
// itself, because a run with a state folder of its own is not listed.
func named(ctx context.Context, address string) (string, error) {
	address = hostPort(address)
	runs, _ := running.List(ctx) // if they cannot be listed, none is
	if runs = serving(runs, address); len(runs) == 0 {
		return address, nil
	}
	return only(runs)
}

// Several is the error that it is not clear which of these runs is meant.
func Several(runs []running.Run) error {
	names := make([]string, len(runs))
	for i, r := range runs {
		names[i] = fmt.Sprintf("--address %s  (%s in %s)", grpcOf(r), legible.Line(r.Version, maxName), legible.Line(r.Path, maxErrorText))
	}
	return term.WithHint(errSeveral, "Name one:\n  %s", strings.Join(names, "\n  "))
}

// GRPCAt returns the gRPC address that an --address names: that of the run which is listed with it, else itself.
func GRPCAt(ctx context.Context, address string) string {
	address = hostPort(address)
	runs, _ := running.List(ctx) // if they cannot be listed, none is
	if runs = serving(runs, address); len(runs) == 0 {
		return address
	}
	return grpcOf(runs[0])
}

// GRPC returns the gRPC address of the only version that is found to run on this machine. If none
// is found, or one of several has the address usual, it is that.
func GRPC(ctx context.Context, usual string) (string, error) {
	runs, err := running.List(ctx)
	if err != nil {
		return "", err
	}
	switch {
	case len(runs) == 0, slices.ContainsFunc(runs, func(r running.Run) bool { return r.ServesGRPC(usual) }):
		return usual, nil
	case len(runs) > 1:
		return "", Several(runs)
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

// LocalWeb returns where the version that runs on this machine with an address can be reached.
func LocalWeb(ctx context.Context, program, address string) (Web, error) {
	runs, err := running.List(ctx)
	if err != nil {
		return Web{}, err
	}
	at := slices.IndexFunc(runs, func(r running.Run) bool { return r.Serves(address) && r.Web != "" })
	if at < 0 {
		return Web{}, term.WithHint(fmt.Errorf("the web address of the version at %s is not known", address),
			"Start one with '%s run', or name the web address that it printed with --web-address.", program)
	}
	result := program + " result"
	if len(runs) > 1 {
		result += " --address " + grpcOf(runs[at])
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

// hostPort is the host and port of an address, which may be a URL that a run prints.
func hostPort(address string) string {
	address, _ = strings.CutPrefix(address, "http://")
	host, path, _ := strings.Cut(address, "/")
	switch page, _, _ := strings.Cut(path, "/"); {
	case path == "", page == "requests", page == "_krt", page == "metrics":
		return host
	}
	return address
}

// Names reports whether an --address names a run.
func Names(address string, r running.Run) bool { return r.Serves(hostPort(address)) }

// NotOnCluster adds to err, because of which the version called name cannot be reached on a cluster, what
// else was meant perhaps: the version that runs on this machine, or an ID of what cmd shows.
func NotOnCluster(cmd *cobra.Command, name string, err error) error {
	switch verb := cmd.CommandPath(); {
	case runsHere(cmd.Context(), name):
		return term.AlsoHint(err, "NAME is of a version on a cluster. For the one that runs on this machine, leave NAME out: '%s'.", verb)
	case cmd.Flags().NArg() == 1 && beginsID(name): // with another argument, that is the ID, or the workflow of an invoke
		return term.AlsoHint(fmt.Errorf("%q is not the ID of what is kept here, nor a version: %w", legible.Line(name, maxName), err),
			"'%s' lists what is kept here.", verb)
	}
	return err
}

// runsHere reports whether a version of that name runs on this machine.
func runsHere(ctx context.Context, name string) bool {
	runs, err := running.List(ctx)
	return err == nil && slices.ContainsFunc(runs, func(r running.Run) bool { return r.Version == name })
}
