// Package printing prints objects of a cluster as kn and kubectl do: the flag --output with their formats.
package printing

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/printers"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/krt/untrusted"
)

// maxTemplate is how large the file of a template may be, in bytes.
const maxTemplate = 1 << 20

// Values of --output that verbs about a cluster have in addition to those of Kubernetes'
// printers.
const (
	Wide = "wide"
	URL  = "url"
	YAML = "yaml"
	Name = "name"
)

// templateFormats are the values of --output that need a template, after "=" or in
// --template.
func templateFormats() []string {
	return []string{"jsonpath", "jsonpath-as-json", "jsonpath-file", "go-template", "go-template-file"}
}

// Output is how objects are printed: the flags and meanings of kn and kubectl.
type Output struct {
	// Format is the value of the flag; empty for a table.
	Format        string
	template      string
	allowMissing  bool
	managedFields bool

	plain   []string // formats without a template
	printer printers.ResourcePrinter
}

// AddFlags gives cmd the flags; more are further formats, which the verb prints itself.
func (o *Output) AddFlags(cmd *cobra.Command, more ...string) {
	o.plain = append([]string{term.OutputJSON, YAML, Name}, more...)
	all := append([]string{}, o.plain...)
	for _, f := range templateFormats() {
		all = append(all, f+"=")
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.Format, "output", "o", "", "output format, one of: "+strings.Join(all, "|"))
	flags.StringVar(&o.template, "template", "", "template for -o jsonpath or go-template, or the file with it")
	flags.BoolVar(&o.allowMissing, "allow-missing-template-keys", true, "ignore fields of a template that do not exist")
	flags.BoolVar(&o.managedFields, "show-managed-fields", false, "print managed fields in JSON and YAML")
	// The flag was added just above, so this cannot fail.
	_ = cmd.RegisterFlagCompletionFunc("output",
		cobra.FixedCompletions(all, cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace))
}

// Prepare checks the flags. Call it before anything is done.
func (o *Output) Prepare(cmd *cobra.Command) error {
	name, template, inline := strings.Cut(o.Format, "=")
	if !inline {
		template = o.template
	}
	switch name {
	case term.OutputJSON:
		o.printer = &printers.JSONPrinter{}
	case YAML:
		o.printer = &printers.YAMLPrinter{}
	case "jsonpath", "jsonpath-as-json", "jsonpath-file", "go-template", "go-template-file":
		if template == "" {
			return term.UsageError(cmd, "--output %s needs a template: -o %s=TEMPLATE", name, name)
		}
		printer, err := o.templatePrinter(name, template)
		if err != nil {
			return term.UsageError(cmd, "invalid --output: %w", err)
		}
		o.printer = printer
	default:
		return o.checkPlain(cmd)
	}
	if !o.managedFields {
		o.printer = &printers.OmitManagedFieldsPrinter{Delegate: o.printer}
	}
	return nil
}

func (o *Output) checkPlain(cmd *cobra.Command) error {
	if o.Format == "" {
		return nil
	}
	for _, f := range o.plain {
		if o.Format == f {
			return nil
		}
	}
	return term.UsageError(cmd, "invalid --output %q: must be %s, or %s=TEMPLATE",
		o.Format, strings.Join(o.plain, ", "), strings.Join(templateFormats(), "=, "))
}

func (o *Output) templatePrinter(name, template string) (printers.ResourcePrinter, error) {
	if path, ok := strings.CutSuffix(name, "-file"); ok {
		text, err := untrusted.ReadPath(template, maxTemplate)
		if err != nil {
			return nil, fmt.Errorf("cannot read the template: %w", err)
		}
		name, template = path, string(text)
	}
	if name == "go-template" {
		p, err := printers.NewGoTemplatePrinter([]byte(template))
		if err != nil {
			return nil, err
		}
		p.AllowMissingKeys(o.allowMissing)
		return p, nil
	}
	// As in kubectl, -o jsonpath=.status.phase means {.status.phase}.
	if !strings.Contains(template, "{") {
		template = "{" + template + "}"
	}
	p, err := printers.NewJSONPathPrinter(template)
	if err != nil {
		return nil, err
	}
	p.AllowMissingKeys(o.allowMissing)
	p.EnableJSONOutput(name == "jsonpath-as-json")
	return p, nil
}

// Machine reports whether a printer of Kubernetes prints.
func (o *Output) Machine() bool { return o.printer != nil }

// Write prints the object, whose kind must be set, in the format of -o.
func (o *Output) Write(w io.Writer, object runtime.Object) error {
	if err := o.printer.PrintObj(object, w); err != nil {
		return fmt.Errorf("cannot print as %s: %w", o.Format, err)
	}
	return nil
}
