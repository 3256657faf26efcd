package remote

import (
	"fmt"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/cli-runtime/pkg/printers"
	"sigs.k8s.io/yaml"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/bundle"
	"krt.dev/kn-krt/pkg/cli/remote/printing"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/krt/untrusted"
	"krt.dev/kn-krt/pkg/render"
)

// maxSettings is how large a file with a ConfigMap may be, in bytes: the API server takes
// no larger one.
const maxSettings = 1 << 20

type renderOptions struct {
	streams    term.Streams
	program    string
	path       string
	delivery   string
	settings   string
	entrypoint string
	images     []string
	output     string
}

func newRenderCommand(s term.Streams) *cobra.Command {
	o := renderOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "render [BUNDLE]",
		Short: "Print the objects that the controller would create for a version",
		Long: `Print the objects that the controller creates for a version: Knative Services, Sequences,
and what its entrypoint needs. No cluster is used and no image is built. Addresses of
workflows that only a cluster knows are those that Knative usually gives.`,
		Example: `  kn-krt render my-version
  kn-krt render my-version.krt --delivery Direct -o name
  kn-krt render --settings config-krt.yaml --image etl=registry.example.com/etl:1`,
		Args: term.Arguments(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.program, o.path = cmd.Root().DisplayName(), bundle.PathArgument(args)
			return runRender(cmd, o)
		},
	}
	NamespaceFlag(cmd)
	deliveryFlag(cmd, &o.delivery)
	flags := cmd.Flags()
	flags.StringVar(&o.settings, "settings", "", "file with the ConfigMap config-krt (default: an empty one)")
	flags.StringVar(&o.entrypoint, "entrypoint-image", "ko://krt.dev/kn-krt/cmd/entrypoint", "image of the entrypoint")
	flags.StringArrayVar(&o.images, "image", nil, "image of a node, as NODE=IMAGE (may be repeated; default: the one in krt.yml)")
	o.output = printing.YAML
	term.Choice{
		Name: "output", Short: "o", Usage: "output format", Of: []string{printing.YAML, term.OutputJSON, printing.Name},
	}.AddTo(cmd, &o.output)
	return cmd
}

func runRender(cmd *cobra.Command, o renderOptions) error {
	images, err := term.Pairs(cmd, "--image", o.images)
	if err != nil {
		return err
	}
	b, err := bundle.Open(cmd.Context(), o.streams, o.path)
	if err != nil {
		return err
	}
	defer b.Close()
	namespace := cmd.Flag("namespace").Value.String()
	if namespace == "" {
		namespace = corev1.NamespaceDefault
	}
	settings, err := o.readSettings()
	if err != nil {
		return err
	}
	v := render.FromBundle(b.Bundle, images, render.FromOptions{Namespace: namespace, Delivery: v1alpha1.Delivery(o.delivery)})
	v.Spec.State = v1alpha1.StateStarted
	objects, err := render.Objects(render.Input{
		Version: v, Settings: settings, EntrypointImage: o.entrypoint, Addresses: usualAddresses(v, settings), Streams: b.Streams(),
		Abilities: v1alpha1.Latest(),
	})
	if err != nil {
		return fmt.Errorf("cannot render version %q: %w", v.Name, err)
	}
	return o.write(objects)
}

func (o *renderOptions) write(objects []render.Object) error {
	var printer printers.ResourcePrinter = &printers.YAMLPrinter{}
	switch o.output {
	case term.OutputJSON:
		printer = &printers.JSONPrinter{}
	case printing.Name:
		printer = &printers.NamePrinter{}
	}
	for _, object := range objects {
		if err := printer.PrintObj(object, o.streams.Out); err != nil {
			return fmt.Errorf("cannot print %q: %w", object.GetName(), err)
		}
	}
	return nil
}

// readSettings reads the ConfigMap that --settings names.
func (o *renderOptions) readSettings() (render.Settings, error) {
	if o.settings == "" {
		return render.DefaultSettings(), nil
	}
	text, err := untrusted.ReadPath(o.settings, maxSettings)
	if err != nil {
		return render.Settings{}, fmt.Errorf("cannot read the settings: %w", err)
	}
	var config corev1.ConfigMap
	if err := yaml.Unmarshal(text, &config); err != nil {
		return render.Settings{}, fmt.Errorf("cannot read the settings: %s: %w", o.settings, err)
	}
	settings, err := render.ParseSettings(config.Data)
	if err != nil {
		return render.Settings{}, fmt.Errorf("%s: %w", o.settings, err)
	}
	return settings, nil
}

// usualAddresses are the addresses that Sequences usually get.
func usualAddresses(v *v1alpha1.Version, s render.Settings) map[string]string {
	addresses := map[string]string{}
	for _, w := range v.Spec.Workflows {
		addresses[w.Name] = render.SequenceAddress(render.SequenceName(v.Name, w.Name, ""), v.Namespace, s.ClusterDomain)
	}
	return addresses
}
