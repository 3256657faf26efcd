// Package local is the verb run, which runs a whole version on this machine.
package local

import (
	"context"
	"io"
	"log/slog"
	"math"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/bundle"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/dashboard/link"
	"krt.dev/kn-krt/pkg/entrypoint/measure"
	"krt.dev/kn-krt/pkg/entrypoint/web"
	"krt.dev/kn-krt/pkg/krt/configvalue"
	"krt.dev/kn-krt/pkg/local"
	"krt.dev/kn-krt/pkg/runner/environment"
)

// RunnerVerb is the hidden verb that runs a Python node, in an image that kn-krt made, so that
// no other program needs to be installed.
const RunnerVerb = "__runner"

type runOptions struct {
	streams term.Streams
	program string
	path    string

	set      []string
	fromFile []string
	envFiles []string

	ports           local.Ports
	stateDir        string
	noReload        bool
	noDashboard     bool
	requestTimeout  time.Duration
	startTimeout    time.Duration
	maxMessageBytes int
	webOrigins      []string

	measure string
	quiet   bool
	verbose bool
	noColor bool
	output  string
	traces  link.Trace
}

const runLong = `Run a whole version on this machine, without a cluster: the same entrypoint as on a
cluster, and each node's runner in a process of its own. Go nodes are built first (a
prebuilt program named as src runs as it is). The default is the version in the current
folder.

Every config variable and file in the manifest needs a value before anything starts.
The value of a variable comes from --set, then --env-file, then the environment; the
content of a file comes from --set-from-file only. Nodes inherit the environment of this
command, except PORT and KRT_*.

A node is restarted when its code changes; when the manifest or a proto changes, the
whole version is checked again. No request in flight is dropped. If new code does not
start, the previous code keeps running. A node whose process ends is started again, after
pauses of up to 5 seconds.

Each request prints a line: the workflow, the result, how long it took, the milliseconds
in each node, and the request's id, which the nodes' log lines can carry too; for a failure
also the node and the error.

Ctrl-C stops everything in order, within 5 seconds; a second Ctrl-C stops it at once. It
stops in the same order when what reads its output has ended, as in "kn-krt run | head".
Measurements, predictions and documents are kept in a state folder below $XDG_STATE_HOME
(else ~/.local/state). Nothing is written to the version's own folder. How long requests
took is measured as well, as workflow_elapsed_time and node_elapsed_time: by default for
each 10 seconds.

The dashboard, at /_krt/ of the web port, shows the version in a browser of this machine:
workflows and nodes with their states, requests, logs and documentation. It is there before
the nodes are ready.

The last 256 requests are kept with what each node received and returned: see the command
requests, and invoke --inspect. Only this machine can read them.

Exits with 0 if all went well, with 1 if something did not start or a node keeps exiting.`

func newRunCommand(s term.Streams) *cobra.Command {
	o := runOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "run [DIR|krt.yml|FILE.krt]",
		Short: "Run a version on this machine",
		Long:  runLong,
		Example: `  kn-krt run
  kn-krt run price-estimator --set OUTPUT_PRICE_CURRENCY=EUR
  kn-krt run my-version.krt --env-file .env --set-from-file HTTPS_CERT=cert.pem
  kn-krt run --grpc-port 0 --web-port 0 -o json`,
		Args: term.Arguments(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, origin := range o.webOrigins {
				if err := web.CheckOrigin(origin); err != nil {
					return term.UsageError(cmd, "--web-origin: %v", err)
				}
			}
			o.program, o.path = cmd.Root().DisplayName(), bundle.PathArgument(args)
			config, err := o.config(cmd)
			if err != nil {
				return err
			}
			return runRun(cmd.Context(), o, config)
		},
	}
	o.addFlags(cmd)
	return cmd
}

// defaultGRPC and defaultWeb are the ports of a run, unless others are named.
const defaultGRPC, defaultWeb = 9000, 8080

func (o *runOptions) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringArrayVar(&o.set, "set", nil, "value of a config variable, as NAME=VALUE (may be repeated)")
	bundle.EnvFileFlag(cmd, &o.envFiles)
	flags.StringArrayVar(&o.fromFile, "set-from-file", nil, "content of a config file, as NAME=PATH (may be repeated)")
	ports := [2]int{0, math.MaxUint16}
	o.ports.GRPC, o.ports.Web, o.maxMessageBytes = defaultGRPC, defaultWeb, environment.DefaultMaxMessageBytes
	term.HostVar(flags, &o.ports.Host, "listen", "127.0.0.1", "address of the gRPC and web ports, without a port")
	term.RangeVar(flags, &o.ports.GRPC, "grpc-port", ports, "gRPC port; 0 is any free port")
	term.RangeVar(flags, &o.ports.Web, "web-port", ports, "port for JSON, Connect, gRPC-Web and CloudEvents; 0 is any free port")
	inspectFlag(cmd, &o.ports)
	term.RangeVar(flags, &o.ports.Reply, "reply-port", ports, "port for replies of nodes and for metrics; 0 is any free port")
	term.PositiveVar(flags, &o.requestTimeout, "timeout", 30*time.Second, "how long a request may take")
	term.PositiveVar(flags, &o.startTimeout, "start-timeout", 5*time.Minute, "how long a node may take to become ready")
	term.RangeVar(flags, &o.maxMessageBytes, "max-message-bytes", [2]int{1, environment.MostMessageBytes},
		"size of the largest message, in bytes")
	flags.StringArrayVar(&o.webOrigins, "web-origin", nil,
		"web origin, such as https://app.example.com, whose pages may call the version; * allows any (may be repeated)")
	flags.StringVar(&o.stateDir, "state-dir", "",
		"folder for data that is kept between runs (default: one below $XDG_STATE_HOME or ~/.local/state)")
	o.measure = string(measure.Aggregated)
	term.Choice{Name: "measurements", Usage: "measurements to save of each request and node", Of: measure.Modes()}.AddTo(cmd, &o.measure)
	flags.BoolVar(&o.noReload, "no-reload", false, "do not reload when files change")
	flags.BoolVar(&o.noDashboard, "no-dashboard", false, "do not serve the dashboard at /_krt/ of the web port")
	flags.Var(&o.traces, "trace-url", link.TraceUsage)
	flags.BoolVarP(&o.quiet, "quiet", "q", false, "do not print a line for each request")
	flags.BoolVarP(&o.verbose, "verbose", "v", false, "also print the state folder and the entrypoint's debug lines")
	flags.BoolVar(&o.noColor, "no-color", false, "no colours, as with NO_COLOR")
	term.OutputFlag(cmd, &o.output)
}

// config reads the flags with config values.
func (o *runOptions) config(cmd *cobra.Command) (configvalue.Source, error) {
	set, err := term.Pairs(cmd, "--set", o.set)
	if err != nil {
		return configvalue.Source{}, err
	}
	files, err := term.Pairs(cmd, "--set-from-file", o.fromFile)
	return configvalue.Source{Set: set, EnvFiles: o.envFiles, Files: files}, err
}

func runRun(ctx context.Context, o runOptions, config configvalue.Source) error {
	ctx, kill, release := interrupts(ctx)
	defer release()
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	box, printed := newOutbox(o.streams.Out, o.dropped, leave), o
	printed.streams.Out = box
	level := slog.LevelInfo
	if o.verbose {
		level = slog.LevelDebug
	}
	reporter, dashboard := o.dashboard(newConsole(printed))
	err := local.Run(ctx, o.path, local.Options{
		Config:          config,
		Ports:           o.ports,
		Reporter:        reporter,
		Dashboard:       dashboard,
		Alone:           true,
		StateDir:        o.stateDir,
		NoReload:        o.noReload,
		Output:          files(o.streams.Out, o.streams.Err),
		StartTimeout:    o.startTimeout,
		RequestTimeout:  o.requestTimeout,
		MaxMessageBytes: o.maxMessageBytes,
		WebOrigins:      o.webOrigins,
		LogLevel:        level,
		Requests:        !o.quiet,
		Measurements:    measure.Mode(o.measure),
		Kill:            kill,
	})
	box.end(outboxPatience)
	return o.explain(err)
}

// files are those of writers that are files.
func files(writers ...io.Writer) (all []*os.File) {
	for _, w := range writers {
		if file, ok := w.(*os.File); ok {
			all = append(all, file)
		}
	}
	return all
}

// interrupts returns a context that the first signal cancels, and a channel that
// the second closes. Later signals end the program, whatever it waits for. Until release, what is written
// to a pipe that nobody reads fails, instead of ending the program before it has put its things in order.
func interrupts(parent context.Context) (ctx context.Context, kill <-chan struct{}, release func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	// Not signal.Ignore: the processes of nodes would inherit that. Nobody receives it, since any connection
	// that a client has left brings it, too.
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE)
	killed, over := make(chan struct{}), make(chan struct{})
	go func() {
		for _, act := range []func(){cancel, func() { signal.Stop(signals); close(killed) }} {
			select {
			case <-signals:
				act()
			case <-over:
				return
			}
		}
	}()
	return ctx, killed, func() { signal.Stop(signals); signal.Stop(broken); close(over); cancel() }
}
