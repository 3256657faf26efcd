// Package doctor is the verb doctor: whether a cluster can run versions, and what is missing.
package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/hint"
	"krt.dev/kn-krt/pkg/cli/local"
	"krt.dev/kn-krt/pkg/cli/remote"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/cluster/diagnosis"
	"krt.dev/kn-krt/pkg/legible"
	"krt.dev/kn-krt/pkg/render"
)

type doctorOptions struct {
	streams  term.Streams
	registry string
	insecure bool
	local    bool
	output   string
}

// NewCommand is the verb doctor.
func NewCommand(s term.Streams) *cobra.Command {
	o := doctorOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check whether a cluster, or this machine, can run versions, and how to fix what is missing",
		Long: `Check the cluster, its Knative, kn-krt's controller and settings, the registry and your
rights in the namespace; then whether anything collects metrics and traces. Whatever is
missing is listed with the command that fixes it. With --local, check this machine instead:
Go, Python, ports, folders, the clock, and whether changed files can be noticed.

++ good, !! no version can run,  I some versions cannot run, or cannot be seen as well,
?? cannot be checked. Exits 1 if there is any !!.`,
		Example: `  kn-krt doctor
  kn-krt doctor --local
  kn-krt doctor -n kre --registry registry.example.com/team -o json`,
		Args: term.Arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.local {
				return local.Diagnose(cmd.Context(), s, cmd.Root().DisplayName(), o.output)
			}
			c, err := remote.Connect(cmd)
			if err != nil {
				return err
			}
			return c.Hint(runDoctor(cmd.Context(), c, o))
		},
	}
	remote.NamespaceFlag(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.registry, "registry", "", "registry and path that node images are pushed to (default: $KO_DOCKER_REPO)")
	flags.BoolVar(&o.insecure, "insecure-registry", false, "use plain HTTP for the registry; always allowed for one on this machine")
	flags.BoolVar(&o.local, "local", false, "check whether this machine can run versions, without a cluster")
	term.OutputFlag(cmd, &o.output)
	return cmd
}

// errUnfit is returned when a row that is printed already has an !!.
var errUnfit = errors.New("the cluster cannot run versions")

func runDoctor(ctx context.Context, c *remote.Cluster, o doctorOptions) error {
	findings, err := c.Diagnose(ctx)
	if err != nil {
		return err
	}
	var rows []term.Check
	for i := range findings {
		f := &findings[i]
		rows = append(rows, term.Check{State: term.CheckState(f.Result), About: f.Subject, Text: f.Text, Fix: command(c, f)})
	}
	rows = append(rows, o.checkRegistry(ctx))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := o.streams.PrintChecks(rows, o.output); err != nil {
		return err
	}
	if slices.ContainsFunc(rows, func(r term.Check) bool { return r.State == term.CheckBad }) {
		return term.Printed(errUnfit)
	}
	return nil
}

// knativeRelease is where the newest release of a half of Knative has its files.
const knativeRelease = "https://github.com/knative/%[1]s/releases/latest/download/%[1]s"

// command is what to type to fix what was found; "" if nothing is known to.
func command(c *remote.Cluster, f *diagnosis.Finding) string {
	switch f.Fix {
	case diagnosis.FixInstall, diagnosis.FixInstallServing, diagnosis.FixInstallEventing, diagnosis.FixInstallQueue:
		return install(f.Fix)
	case diagnosis.FixPods:
		return fmt.Sprintf("kubectl -n %s describe pods -l %s", f.Namespace, f.Selector)
	case diagnosis.FixSettings:
		if f.Values != nil {
			return patch(render.SystemNamespace, render.SettingsName, f.Values)
		}
		return fmt.Sprintf("kubectl -n %s edit configmap %s", render.SystemNamespace, render.SettingsName)
	case diagnosis.FixFeatures:
		return render.EnableFeatures(f.Features)
	case diagnosis.FixSchedulable:
		return render.EnableAlwaysSchedulable
	case diagnosis.FixObservability:
		return patch(f.Namespace, "config-observability", f.Values) + " && kubectl rollout restart deployment -n " + f.Namespace
	case diagnosis.FixMonitors:
		return "kubectl apply -f config/monitoring/"
	case diagnosis.FixMonitorLabels:
		return labelMonitors(f.Values)
	case diagnosis.FixRights:
		return c.Place().Grant(f.User)
	}
	return ""
}

// install is what installs what is not there.
func install(what diagnosis.Fix) string {
	const knative = "kubectl apply -f " + knativeRelease + "-crds.yaml -f " + knativeRelease + "-core.yaml"
	switch what {
	case diagnosis.FixInstallServing:
		return fmt.Sprintf(knative, "serving")
	case diagnosis.FixInstallEventing:
		return fmt.Sprintf(knative, "eventing")
	case diagnosis.FixInstallQueue:
		return hint.InstallQueueCommand
	}
	return hint.InstallCommand
}

// patch sets keys of a ConfigMap.
func patch(namespace, name string, values map[string]string) string {
	text, _ := json.Marshal(map[string]any{"data": values}) // strings only
	return fmt.Sprintf("kubectl patch configmap %s -n %s --type merge -p %s", name, namespace, legible.Argument(string(text)))
}

// labelMonitors gives labels to the objects of config/monitoring.
func labelMonitors(labels map[string]string) string {
	words := "kubectl label -n " + render.SystemNamespace + " podmonitor,servicemonitor,prometheusrule -l app.kubernetes.io/part-of=kn-krt"
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		words += " " + legible.Argument(key+"="+labels[key])
	}
	return words
}
