package remote

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/hint"
	"krt.dev/kn-krt/pkg/cli/remote/input"
	"krt.dev/kn-krt/pkg/cli/remote/printing"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/cluster/value"
)

type configOptions struct {
	streams term.Streams
	name    string
	values  input.Values
	unset   []string
	show    bool
	output  string
}

func newConfigCommand(s term.Streams) *cobra.Command {
	o := configOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "config NAME",
		Short: "Show or set the config values of a version",
		Long: `Show which config variables and files of a version have a value, or set and unset
values. They are kept in a Secret of the namespace and shown only with --show-values.

A started version's pods are replaced one by one when a value changes.`,
		Example: `  kn-krt config price-estimator-v3
  kn-krt config price-estimator-v3 --set OUTPUT_PRICE_CURRENCY=EUR
  kn-krt config price-estimator-v3 --set-from-env API_KEY --set-from-file HTTPS_CERT=cert.pem
  kn-krt config price-estimator-v3 --env-file prod.env --unset DEBUG`,
		Args:              term.Arguments(cobra.ExactArgs(1)),
		ValidArgsFunction: completeVersions(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.name = args[0]
			return connected(cmd, func(_ context.Context, c *Cluster) error { return runConfig(cmd, c, o) })
		},
	}
	NamespaceFlag(cmd)
	o.values.AddTo(cmd)
	flags := cmd.Flags()
	flags.StringArrayVar(&o.unset, "unset", nil, "NAME of a config variable or file whose value is removed (may be repeated)")
	flags.BoolVar(&o.show, "show-values", false, "show the values as well")
	term.Choice{Name: "output", Short: "o", Usage: "output format", Of: []string{term.OutputJSON, printing.YAML}}.AddTo(cmd, &o.output)
	// The flags were added just above, so these cannot fail.
	_ = cmd.RegisterFlagCompletionFunc("unset", completeNames(declaredConfig))
	_ = cmd.RegisterFlagCompletionFunc("set-from-env", completeNames(func(v *v1alpha1.Version) []string { return v.Spec.Config.Variables }))
	return cmd
}

func declaredConfig(v *v1alpha1.Version) []string {
	return slices.Concat(v.Spec.Config.Variables, v.Spec.Config.Files)
}

func runConfig(cmd *cobra.Command, c *Cluster, o configOptions) error {
	ctx := cmd.Context()
	v, err := c.Get(ctx, o.name)
	if err != nil {
		return err
	}
	if !o.values.Given() && len(o.unset) == 0 {
		return c.showConfig(ctx, v, o)
	}
	set, err := o.values.Read(cmd, v.Spec)
	if err != nil {
		return err
	}
	if err := value.CheckUnset(v, set, o.unset); err != nil {
		return err
	}
	if _, err := c.SetConfig(ctx, v.Name, set, o.unset); err != nil {
		return err
	}
	fmt.Fprintf(o.streams.Out, "Config of version '%s' updated in namespace '%s'.\n", v.Name, c.Namespace())
	values, err := c.ConfigValues(ctx, v)
	if err != nil {
		return err
	}
	if missing := value.Missing(v.Spec.Config, values); missing != nil {
		fmt.Fprintf(o.streams.Out, "There is still %v.\n", missing)
	}
	return nil
}

// configEntry is a line of what config shows.
type configEntry struct {
	Name string `json:"name"`
	Type string `json:"type"` // variable or file
	Set  bool   `json:"set"`
	// Value is the value, if it was requested; Base64 the same where it is not text.
	Value  *string `json:"value,omitempty"`
	Base64 *string `json:"base64,omitempty"`
}

func (c *Cluster) showConfig(ctx context.Context, v *v1alpha1.Version, o configOptions) error {
	values, err := c.ConfigValues(ctx, v)
	if err != nil {
		return err
	}
	entries := []configEntry{}
	for _, e := range value.Entries(v.Spec.Config, values) {
		entries = append(entries, shownEntry(e, o.show))
	}
	switch o.output {
	case term.OutputJSON:
		return term.PrintJSON(o.streams.Out, entries)
	case printing.YAML:
		text, err := yaml.Marshal(entries)
		if err != nil {
			return fmt.Errorf("cannot write YAML: %w", err)
		}
		_, err = o.streams.Out.Write(text)
		return err
	}
	if err := o.configTable(v, entries); err != nil {
		return err
	}
	if missing := value.Missing(v.Spec.Config, values); missing != nil {
		_, err := fmt.Fprintf(o.streams.Out, "\nThere is %v.\nSet it with '%s'.\n", missing,
			c.command("config %s %s", v.Name, hint.SetFlags(missing)))
		return err
	}
	return nil
}

func (o *configOptions) configTable(v *v1alpha1.Version, entries []configEntry) error {
	if len(entries) == 0 {
		_, err := fmt.Fprintf(o.streams.Out, "Version '%s' declares no config.\n", v.Name)
		return err
	}
	columns := []term.Column[configEntry]{
		{Head: "NAME", Cell: func(e configEntry) string { return e.Name }},
		{Head: "TYPE", Cell: func(e configEntry) string { return e.Type }},
		{Head: "SET", Cell: func(e configEntry) string { return strconv.FormatBool(e.Set) }},
	}
	if o.show {
		columns = append(columns, term.Column[configEntry]{Head: "VALUE", Cell: configEntry.text})
	}
	return term.WriteTable(o.streams.Out, columns, entries)
}

// text is the value as a table shows it: quoted, or in base64 where it is not text.
func (e configEntry) text() string {
	switch {
	case e.Value != nil:
		return strconv.Quote(*e.Value)
	case e.Base64 != nil:
		return "base64:" + *e.Base64
	}
	return ""
}

// shownEntry is an entry as it is shown, with its value only if show says so.
func shownEntry(declared value.Entry, show bool) configEntry {
	e := configEntry{Name: declared.Name, Type: "variable", Set: declared.Set}
	if declared.File {
		e.Type = "file"
	}
	switch {
	case !show || !e.Set:
	case utf8.Valid(declared.Value):
		e.Value = new(string(declared.Value))
	default:
		e.Base64 = new(base64.StdEncoding.EncodeToString(declared.Value))
	}
	return e
}
