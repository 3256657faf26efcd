package remote

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/browser"
	"krt.dev/kn-krt/pkg/cli/hint"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/dashboard"
	"krt.dev/kn-krt/pkg/dashboard/bound"
	"krt.dev/kn-krt/pkg/dashboard/guard"
	"krt.dev/kn-krt/pkg/dashboard/link"
	"krt.dev/kn-krt/pkg/dashboard/promql"
	"krt.dev/kn-krt/pkg/image/artifact"

	view "krt.dev/kn-krt/pkg/dashboard/cluster"
)

type dashboardOptions struct {
	streams  term.Streams
	all      bool
	port     int
	readOnly bool
	open     bool
	images   imageFlags
	traces   link.Trace
	numbers  promql.Setting
}

func newDashboardCommand(s term.Streams) *cobra.Command {
	o := dashboardOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "dashboard",
		Short: "Show versions in a browser",
		Long: `Serve the dashboard on this machine until it is interrupted: the versions of a namespace
with their workflows, states, requests and logs, and what can be done with them. Everything
is read and done with your own rights on the cluster.

Only this machine can reach it, and only the browser that was opened with the printed link,
which works once. A browser that is to be opened by --open must be able to read a file in
the folder for temporary files; otherwise open the link by hand.

Versions are created from uploaded bundles, stopped, if images can be pushed to --registry,
or to $KO_DOCKER_REPO.`,
		Example: `  kn-krt dashboard
  kn-krt dashboard -n pricing --open
  kn-krt dashboard -A --read-only --port 8090`,
		Args: term.Arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.port < 0 || o.port > 65535 {
				return term.UsageError(cmd, "--port is not a port number")
			}
			if o.all && cmd.Flags().Changed("namespace") {
				return term.UsageError(cmd, "--namespace and --all-namespaces cannot be combined")
			}
			return connected(cmd, func(ctx context.Context, c *Cluster) error { return runDashboard(ctx, cmd, c, o) })
		},
	}
	NamespaceFlag(cmd)
	o.images.addFlags(cmd)
	flags := cmd.Flags()
	flags.BoolVarP(&o.all, "all-namespaces", "A", false, "show the versions of all namespaces that you may read")
	flags.IntVar(&o.port, "port", 0, "port of this machine to serve on (default: any that is free)")
	flags.BoolVar(&o.readOnly, "read-only", false, "refuse everything that changes something")
	flags.Var(&o.traces, "trace-url", link.TraceUsage)
	flags.Var(&o.numbers, "prometheus-url", promql.Usage)
	flags.BoolVar(&o.open, "open", false, "also open it in the browser")
	return cmd
}

func runDashboard(ctx context.Context, cmd *cobra.Command, c *Cluster, o dashboardOptions) error {
	if _, err := c.User(ctx); err != nil { // a cluster that is not there is reported here, not in a page
		return err
	}
	listeners, err := listenHere(o.port)
	if err != nil {
		return term.WithHint(fmt.Errorf("cannot serve the dashboard: %w", err),
			"Name another port with --port N; without it, one that is free is used.")
	}
	at := func(namespace string) hint.Place {
		return hint.Place{Program: c.program, Namespace: namespace, Explicit: true}
	}
	shown := view.Options{
		Hint: func(namespace string, err error) string { return at(namespace).Text(err) },
		Artifacts: &artifact.Cache{
			Pause:   artifact.PagePause,
			Options: artifact.Options{Keychain: authn.DefaultKeychain, Insecure: o.images.insecure},
		},
		SignIn: func(registry string) string { return "sign in to it: docker login " + registry },
		Unkept: func(v *v1alpha1.Version) string { return at(v.Namespace).Unkept(v) },
	}
	shown.Prometheus = o.numbers.Client
	where := "all namespaces"
	if !o.all {
		shown.Namespaces = []string{c.Namespace()}
		where = fmt.Sprintf("namespace '%s'", c.Namespace())
	}
	source := view.New(c.Client, shown)
	defer source.Close()
	tokens := guard.NewTokens("")
	pages := dashboard.New(dashboard.Options{
		Sources: dashboard.One(source), Title: strings.TrimPrefix(c.Host(), "https://"), Traces: o.traces, ReadOnly: o.readOnly,
		Creating: o.creating(cmd, c),
	})
	defer pages.Close() // no bundle that was uploaded is left; ctx has ended, unless it cannot be served
	serving := serve(ctx, guard.Site(guard.Loopback(), tokens.Handler(pages)), listeners)

	link := "http://" + listeners[0].Addr().String() + "/" + tokens.Query()
	fmt.Fprintf(o.streams.Out, "The dashboard of %s is at:\n%s\n\nThe link works once, within 10 minutes. Press Ctrl-C to end the "+
		"dashboard.\n", where, link)
	if o.open {
		remove, err := browser.Open(ctx, link)
		if err != nil {
			fmt.Fprintf(o.streams.Err, "Warning: cannot open a browser: %v\n", err)
		}
		defer remove()
	}
	return serving()
}

// listenHere listens on a port of this machine, 0 for any, by both of its addresses if it has
// IPv6.
func listenHere(port int) ([]net.Listener, error) {
	four, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, err
	}
	six, err := net.Listen("tcp", fmt.Sprintf("[::1]:%d", four.Addr().(*net.TCPAddr).Port))
	if err != nil {
		return []net.Listener{four}, nil //nolint:nilerr // a machine may have no IPv6; the printed link is of IPv4
	}
	return []net.Listener{four, six}, nil
}

// patience is how long requests may take to end when the dashboard ends. Streams end at once.
const patience = 3 * time.Second

// serve serves until ctx ends, which is not an error. The returned function waits for that.
func serve(ctx context.Context, h http.Handler, listeners []net.Listener) (wait func() error) {
	server := &http.Server{
		Handler:           h,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       bound.Connection,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute, // of what the guard refuses; pages have their own
		IdleTimeout:       2 * time.Minute,
	}
	ended := make(chan error, len(listeners))
	for _, l := range listeners {
		go func() { ended <- server.Serve(l) }()
	}
	return func() error {
		var err error
		select {
		case err = <-ended:
		case <-ctx.Done():
		}
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		if server.Shutdown(ending) != nil {
			_ = server.Close() // what is still open is cut
		}
		return err
	}
}
