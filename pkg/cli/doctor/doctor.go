// Package doctor is the verb doctor: whether a cluster can run versions, and what is missing.
package doctor

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/remote"
	"krt.dev/kn-krt/pkg/cli/term"
)

type doctorOptions struct {
	streams  term.Streams
	registry string
	insecure bool
	output   string
}

// finding is what a look at one thing says.
type finding struct {
	State string `json:"-"` // a sign
	// Word is the sign as a program reads it.
	Word  string `json:"state"`
	About string `json:"about"`
	Text  string `json:"text"`
	// Mend is the command that changes it.
	Mend string `json:"mend,omitempty"`
}

// NewCommand is the verb doctor.
func NewCommand(s term.Streams) *cobra.Command {
	o := doctorOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look at whether a cluster can run versions, and say how to mend what is missing",
		Long: `Look at the cluster, its Knative, kn-krt's own parts, the registry and your rights in
the namespace. Each thing that is missing is told with the command that mends it.

++ good, !! keeps versions from running,  I only some versions need it, ?? cannot be
looked at. Exits 1 if there is any !!.`,
		Example: `  kn-krt doctor
  kn-krt doctor -n kre --registry registry.example.com/team -o json`,
		Args: term.Arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := term.CheckOutput(cmd, o.output); err != nil {
				return err
			}
			c, err := remote.Connect(cmd)
			if err != nil {
				return err
			}
			return runDoctor(cmd.Context(), c, o)
		},
	}
	remote.NamespaceFlag(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.registry, "registry", "", "registry and path that node images are pushed to (default: $KO_DOCKER_REPO)")
	flags.BoolVar(&o.insecure, "insecure-registry", false, "use plain HTTP for the registry; always allowed for one on this machine")
	term.OutputFlag(cmd, &o.output)
	return cmd
}

// errSick is returned when the findings that are printed already have an !!.
var errSick = errors.New("the cluster cannot run versions")

func runDoctor(ctx context.Context, c *remote.Cluster, o doctorOptions) error {
	d := &doctor{c: c}
	// Without an answer to this there is none to the rest.
	if err := d.cluster(ctx); err != nil {
		return err
	}
	for _, look := range []func(context.Context){
		d.kinds, d.controller, d.settings, d.serving, d.eventing, d.channel, d.graphics, d.features, d.rights,
	} {
		look(ctx)
	}
	d.images(ctx, o)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := o.print(d.findings); err != nil {
		return err
	}
	for _, f := range d.findings {
		if f.State == term.MarkBad {
			return term.Printed(errSick)
		}
	}
	return nil
}

func (o *doctorOptions) print(findings []finding) error {
	if o.output == term.OutputJSON {
		words := map[string]string{term.MarkGood: "good", term.MarkBad: "bad", term.MarkInfo: "info", term.MarkUnknown: "unknown"}
		for i := range findings {
			findings[i].Word = words[findings[i].State]
		}
		return term.PrintJSON(o.streams.Out, findings)
	}
	width := 0
	for _, f := range findings {
		width = max(width, len(f.About))
	}
	for _, f := range findings {
		fmt.Fprintf(o.streams.Out, "%s %-*s  %s\n", o.streams.Paint(f.State), width, f.About, f.Text)
		if f.Mend != "" {
			fmt.Fprintf(o.streams.Out, "   %-*s  %s\n", width, "", f.Mend)
		}
	}
	return nil
}

// doctor gathers findings.
type doctor struct {
	c        *remote.Cluster
	findings []finding
}

func (d *doctor) good(about, format string, args ...any) {
	d.findings = append(d.findings, finding{State: term.MarkGood, About: about, Text: fmt.Sprintf(format, args...)})
}

// found adds a finding with the command that mends it, if there is one.
func (d *doctor) found(state, about, text, mend string) {
	d.findings = append(d.findings, finding{State: state, About: about, Text: text, Mend: mend})
}

// unknown says that something could not be looked at, and why.
func (d *doctor) unknown(about string, err error) {
	d.found(term.MarkUnknown, about, fmt.Sprintf("cannot be looked at: %v", err), "")
}
