package saved

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/requests"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/data"
	"krt.dev/kn-krt/pkg/legible"
	"krt.dev/kn-krt/pkg/local"
	"krt.dev/kn-krt/pkg/local/running"
)

// Place is where something was saved.
type Place struct {
	*data.Client

	// Name names it in a sentence: `namespace "kre"`.
	Name string
	// End ends the connection to it.
	End func() error
}

// Cluster is how data on a cluster is reached.
type Cluster interface {
	// Flags gives cmd the flags that name a place on a cluster.
	Flags(cmd *cobra.Command)
	// Named reports whether such a flag was given, or one of the root command's.
	Named(cmd *cobra.Command) bool
	// Data reaches what the versions of the namespace have saved that cmd's flags name.
	Data(cmd *cobra.Command) (*Place, error)
}

// errNone is returned if no local run is found.
var errNone = errors.New("no version runs on this machine")

// maxName limits what a message has of a name or path, in bytes.
const maxName = 300

// where is the flags that name a version on this machine.
type where struct {
	path, state, address string
	// create is true if the state folder need not exist.
	create bool
}

func (w *where) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&w.path, "path", "",
		"the version on this machine, also if it has stopped: its folder, manifest or packed bundle (default: the one that runs)")
	cmd.Flags().StringVar(&w.address, "address", "", requests.AddressUsage)
	cmd.Flags().StringVar(&w.state, "state-dir", "", "the folder that 'run' was given with --state-dir")
}

// open reaches the place that cmd's flags name.
func (w *where) open(cmd *cobra.Command, c Cluster) (*Place, error) {
	switch {
	case w.path != "" && w.state != "", w.address != "" && w.path+w.state != "":
		return nil, term.UsageError(cmd, "--path, --address and --state-dir exclude each other")
	case c.Named(cmd) && w.path+w.state+w.address != "":
		return nil, term.UsageError(cmd, "--path, --address and --state-dir cannot be combined with flags for a cluster")
	case c.Named(cmd):
		return c.Data(cmd)
	}
	dir, name := w.state, fmt.Sprintf("state folder %q", w.state)
	switch {
	case w.path != "":
		var err error
		if dir, err = local.StateDir(w.path); err != nil {
			return nil, term.WithHint(err, "Name its state folder with --state-dir.")
		}
		name = fmt.Sprintf("local version %q", w.path)
	case dir == "":
		return w.current(cmd.Context(), cmd.Root().DisplayName())
	}
	client, end, err := local.Data(cmd.Context(), dir, w.create)
	if errors.Is(err, local.ErrRunning) {
		err = term.WithHint(err, "Wait until it is ready, or stop it.")
	}
	return &Place{Client: client, Name: name, End: end}, err
}

// current reaches the data of the version that runs on this machine, at the address that is named, if one is.
func (w *where) current(ctx context.Context, program string) (*Place, error) {
	runs, err := running.List(ctx)
	if err != nil {
		return nil, err
	}
	var found []running.Run
	for _, r := range runs {
		if r.Store != "" && (w.address == "" || requests.Names(w.address, r)) {
			found = append(found, r)
		}
	}
	switch len(found) {
	case 0:
		if w.address != "" {
			return nil, term.WithHint(fmt.Errorf("%w with the address %q", errNone, legible.Line(w.address, maxName)),
				"Name the folder of its data with --state-dir, if it was started with that flag.")
		}
		return nil, term.WithHint(errNone,
			"Name one that has stopped with --path, or a namespace of a cluster: '%s %s -n NAMESPACE'.", program, verb)
	case 1:
		return &Place{
			Client: data.Local(found[0].Store), End: func() error { return nil },
			Name: fmt.Sprintf("the local run of %s", legible.Line(found[0].Version, maxName)),
		}, nil
	}
	return nil, requests.Several(found)
}
