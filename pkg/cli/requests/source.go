package requests

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/inspection"
)

// Source is the requests that a running version keeps.
type Source interface {
	// List returns those that f selects, newest first.
	List(ctx context.Context, f inspection.Filter) ([]inspection.Request, error)
	// Get returns one with its messages. The error is an [inspection.StatusError] of 404 if
	// there is none.
	Get(ctx context.Context, id string) (*inspection.Request, error)
	// Follow calls each for the newest Limit that f selects, and then for new ones, until ctx
	// is done or the version ends.
	Follow(ctx context.Context, f inspection.Filter, each func(inspection.Line) error) error
}

// Running is a running version, and what hints about it need.
type Running struct {
	Source

	// Show is what to type to see a request again, without its id: "kn-krt requests one".
	Show string
	// Unkept is what to do so that messages of requests are kept, in sentences.
	Unkept string
}

// Versions is how versions on a cluster are reached.
type Versions interface {
	// Flags gives cmd the flags that name a place on a cluster.
	Flags(cmd *cobra.Command)
	// Named reports whether such a flag was given, or one of the root command's.
	Named(cmd *cobra.Command) bool
	// Requests reaches the named version, or the published one if version is "". It checks
	// that the version has the workflow and node that f names.
	Requests(cmd *cobra.Command, version string, f inspection.Filter) (*Running, error)
	// Complete suggests versions for the first argument, workflows of that version for the second.
	Complete(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective)
	// CompleteNames suggests names that the version of the first argument has: of its "node"s
	// or "workflow"s.
	CompleteNames(cmd *cobra.Command, args []string, kind string) ([]string, cobra.ShellCompDirective)
}

// Local reaches the requests of a version that runs on this machine: at address, if that is
// not "", else of the only run that is found, or of the one that is listed with the address of,
// if that is not "".
func Local(ctx context.Context, program, address, of string) (*Running, error) {
	show := program + " requests"
	if address != "" {
		show += " --address " + hostPort(address)
	}
	address, err := reach(ctx, address, of)
	if err != nil {
		return nil, err
	}
	from, err := clientAt(address)
	if err != nil {
		return nil, err
	}
	return &Running{
		Source: local{from, address, program}, Show: show,
		Unkept: fmt.Sprintf("A version that runs by '%s run' keeps them, unless it was started with --inspect-port off.", program),
	}, nil
}

// clientAt returns a client of the inspection port at an address of this machine, which a proxy cannot reach.
func clientAt(address string) (*inspection.Client, error) {
	return inspection.New("http://"+address, &http.Client{Transport: &http.Transport{DialContext: dial}})
}

// Port returns a client of the inspection port of a version on this machine: at that address, if it is not
// "", else of the only run that is found.
func Port(ctx context.Context, program, at string) (*inspection.Client, error) {
	address, err := reach(ctx, at, "")
	if err != nil {
		return nil, err
	}
	from, err := clientAt(address)
	if err != nil || at == "" {
		return from, err
	}
	// Of a run with a state folder of its own no other address than the one that was typed is known.
	timed, cancel := context.WithTimeout(ctx, localTimeout)
	defer cancel()
	if _, err := from.List(timed, inspection.Filter{Limit: 1}); err != nil && elsewhere(err) {
		return nil, local{from, address, program}.explain(ctx, err)
	}
	return from, nil
}

const (
	// dialTimeout is how long the version may take to accept a connection.
	dialTimeout = 5 * time.Second
	// localTimeout is how long it may take to respond.
	localTimeout = 30 * time.Second
)

// local is a version on this machine.
type local struct {
	from             *inspection.Client
	address, program string
}

// List implements Source.
func (l local) List(ctx context.Context, f inspection.Filter) ([]inspection.Request, error) {
	ctx, cancel := context.WithTimeout(ctx, localTimeout)
	defer cancel()
	list, err := l.from.List(ctx, f)
	return list, l.explain(ctx, err)
}

// Get implements Source.
func (l local) Get(ctx context.Context, id string) (*inspection.Request, error) {
	ctx, cancel := context.WithTimeout(ctx, localTimeout)
	defer cancel()
	r, err := l.from.Get(ctx, id)
	return r, l.explain(ctx, err)
}

// Follow implements Source.
func (l local) Follow(ctx context.Context, f inspection.Filter, each func(inspection.Line) error) error {
	return l.explain(ctx, l.from.Follow(ctx, f, each))
}

// explain adds to an error what to do about it.
func (l local) explain(ctx context.Context, err error) error {
	var dial *net.OpError
	switch {
	case err == nil, errors.Is(ctx.Err(), context.Canceled):
		return err
	case elsewhere(err):
		return term.WithHint(fmt.Errorf("%s is not the inspection port of a version", l.address),
			"Name the address that '%s run' printed after \"inspect\".", l.program)
	case NotKept(err):
		return term.FailAs(term.ExitNotFound, err, "'%s requests' lists those that are kept.", l.program)
	case errors.As(err, &dial) && dial.Op == "dial":
		return term.WithHint(fmt.Errorf("no version keeps requests at %s: %w", l.address, dial.Err),
			"Start one with '%[1]s run', name an address that it printed with --address, "+
				"or read the requests of a version on a cluster with '%[1]s requests VERSION'.", l.program)
	}
	return err
}

// elsewhere reports whether err is what another port responds with: it is not HTTP/1.1, as at a
// gRPC port, not the JSON of requests, or that there is no such page.
func elsewhere(err error) bool {
	var refused *inspection.StatusError
	if errors.As(err, &refused) {
		return refused.Code != http.StatusBadRequest && !strings.Contains(refused.Text, "kept") && refused.Code < http.StatusInternalServerError
	}
	return errors.As(err, new(*json.SyntaxError)) || strings.Contains(err.Error(), "malformed HTTP")
}

// NotKept reports whether err is that a request is not kept, or not yet.
func NotKept(err error) bool {
	var refused *inspection.StatusError
	return errors.As(err, &refused) && refused.Code == http.StatusNotFound
}
