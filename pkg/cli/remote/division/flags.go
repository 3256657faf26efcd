// Package division is what commands say about how requests are divided: the flags of what a canary gets,
// and the table of what both sides do with it.
package division

import (
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/cluster/plan"
	"krt.dev/kn-krt/pkg/krt/untrusted"
)

// MaxPercent is the largest percentage.
const MaxPercent = 100

// Flags are what a version gets as a canary.
type Flags struct {
	weight, mirror int
	match, ignore  []string
	sticky         string
	tolerance      string
	plan           string
}

// AddTo gives cmd the flags.
func (f *Flags) AddTo(cmd *cobra.Command) {
	flags := cmd.Flags()
	term.RangeVar(flags, &f.weight, "canary", [2]int{0, MaxPercent}, "percentage of the requests that it gets as a canary, from 0 to 100")
	term.RangeVar(flags, &f.mirror, "mirror", [2]int{0, MaxPercent},
		"percentage of the other requests that are copied to it, to compare responses; side effects happen twice")
	flags.StringArrayVar(&f.match, "match", nil, "send it the requests with metadata NAME=VALUE, whatever the percentage (may be repeated)")
	flags.StringVar(&f.sticky, "sticky", "", "metadata whose value decides instead of chance, such as x-user-id")
	flags.StringVar(&f.plan, "plan", "", "YAML file with the steps and limits by which the percentage grows; - for the standard input")
	flags.StringArrayVar(&f.ignore, "ignore", nil, "field that may differ in compared responses, such as price.currency (may be repeated)")
	flags.StringVar(&f.tolerance, "tolerance", "", "by how much numbers may differ in compared responses, such as 0.1%")
	_ = cmd.MarkFlagFilename("plan", "yaml", "yml") // the flag was added just above, so this cannot fail
}

// Canary returns what the flags say that the version gets; nil if they do not make it a canary.
func (f *Flags) Canary(cmd *cobra.Command, s term.Streams, version string) (*v1alpha1.Canary, error) {
	if err := f.check(cmd); err != nil {
		return nil, err
	}
	if !given(cmd, "canary", "plan", "mirror", "match") {
		return nil, nil
	}
	canary := &v1alpha1.Canary{Version: version, Weight: int32(f.weight), Mirror: int32(f.mirror)}
	if f.sticky != "" {
		canary.Sticky = &v1alpha1.MetadataName{Metadata: strings.ToLower(f.sticky)}
	}
	for i, pair := range f.match {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" || value == "" {
			return nil, term.UsageError(cmd, "value %d of --match: write NAME=VALUE", i+1)
		}
		canary.Match = append(canary.Match,
			v1alpha1.MetadataMatch{MetadataName: v1alpha1.MetadataName{Metadata: strings.ToLower(name)}, Value: value})
	}
	if err := f.compare(cmd, canary); err != nil || !given(cmd, "plan") {
		return canary, err
	}
	return canary, f.readPlan(cmd, s, canary)
}

// given reports whether one of the flags is.
func given(cmd *cobra.Command, names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return cmd.Flag(name).Changed })
}

// check refuses flags that mean nothing together.
func (f *Flags) check(cmd *cobra.Command) error {
	switch {
	case given(cmd, "canary") && given(cmd, "plan"):
		return term.UsageError(cmd, "only one of --canary and --plan can be given: a plan sets the percentage")
	case given(cmd, "sticky") && !given(cmd, "canary", "plan"):
		return term.UsageError(cmd, "--sticky needs --canary or --plan")
	case given(cmd, "ignore", "tolerance") && !given(cmd, "mirror"):
		return term.UsageError(cmd, "--ignore and --tolerance need --mirror")
	}
	return nil
}

// compare sets when responses are equal.
func (f *Flags) compare(cmd *cobra.Command, canary *v1alpha1.Canary) error {
	if f.ignore == nil && f.tolerance == "" {
		return nil
	}
	if number, ok := strings.CutSuffix(f.tolerance, "%"); f.tolerance != "" {
		if most, err := strconv.ParseFloat(number, 64); err != nil || !ok || most < 0 || most > 100 {
			return term.UsageError(cmd, "--tolerance %q is not a percentage from 0%% to 100%%, such as 0.1%%", f.tolerance)
		}
	}
	canary.Compare = &v1alpha1.Comparison{Ignore: f.ignore, Tolerance: f.tolerance}
	return nil
}

// readPlan sets the plan that the file has.
func (f *Flags) readPlan(cmd *cobra.Command, s term.Streams, canary *v1alpha1.Canary) (err error) {
	name := f.plan
	var text []byte
	if name == "-" {
		name = "standard input"
		text, err = untrusted.ReadAll(s.In, name, plan.MaxSize)
	} else {
		text, err = untrusted.ReadPath(name, plan.MaxSize)
	}
	if err != nil {
		return term.WithHint(err, "--plan names a YAML file; '%s --help' has an example.", cmd.CommandPath())
	}
	canary.Plan, err = plan.Parse(name, text)
	return err
}
