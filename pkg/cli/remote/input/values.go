package input

import (
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/bundle"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/cluster/value"
	"krt.dev/kn-krt/pkg/krt/configvalue"
)

// Values are the flags that give values to config variables and files.
type Values struct {
	set, fromFile, fromEnv []string
	envFiles               []string
}

// AddTo adds the flags to the command.
func (f *Values) AddTo(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&f.set, "set", nil, "value of a config variable, as NAME=VALUE (may be repeated)")
	flags.StringArrayVar(&f.fromFile, "set-from-file", nil, "content of a config file, as NAME=PATH (may be repeated)")
	flags.StringArrayVar(&f.fromEnv, "set-from-env", nil, "NAME of a config variable whose value is in the environment (may be repeated)")
	bundle.EnvFileFlag(cmd, &f.envFiles)
}

// Given reports whether any value is given.
func (f *Values) Given() bool {
	return len(f.set)+len(f.fromFile)+len(f.fromEnv)+len(f.envFiles) > 0
}

// Read returns the values that the flags give, by name: of variables and of files.
func (f *Values) Read(cmd *cobra.Command, spec v1alpha1.VersionSpec) (map[string][]byte, error) {
	set, err := term.Pairs(cmd, "--set", f.set)
	if err != nil {
		return nil, err
	}
	for name, value := range set {
		if value == "" {
			return nil, term.UsageError(cmd, "--set gives %q an empty value, which counts as none", name)
		}
	}
	for _, name := range f.fromEnv {
		value := os.Getenv(name)
		if value == "" {
			return nil, term.UsageError(cmd, "the environment has no value for %q, which --set-from-env names", name)
		}
		if _, twice := set[name]; twice {
			return nil, term.UsageError(cmd, "%q is given twice", name)
		}
		set[name] = value
	}
	if i := slices.IndexFunc(f.fromFile, func(pair string) bool { return !strings.Contains(pair, "=") }); i >= 0 {
		return nil, term.UsageError(cmd, "value %d of --set-from-file is not of the form NAME=PATH; "+
			"a file of NAME=VALUE lines is given with --env-file", i+1)
	}
	files, err := term.Pairs(cmd, "--set-from-file", f.fromFile)
	if err != nil {
		return nil, err
	}
	source := configvalue.Source{Set: set, EnvFiles: f.envFiles, Files: files}
	variables, contents, err := source.Given(spec.Config.Variables, spec.Config.Files)
	if err != nil {
		return nil, bundle.ExplainFile(err)
	}
	for name, value := range variables {
		contents[name] = []byte(value)
	}
	return contents, value.Check(&spec, contents)
}
