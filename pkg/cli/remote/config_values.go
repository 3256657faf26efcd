package remote

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/bundle"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/krt/configvalue"
)

// valueFlags give values to config variables and files.
type valueFlags struct {
	set, fromFile, fromEnv []string
	envFiles               []string
}

func (f *valueFlags) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&f.set, "set", nil, "value of a config variable, as NAME=VALUE (may be repeated)")
	flags.StringArrayVar(&f.fromFile, "set-from-file", nil, "content of a config file, as NAME=PATH (may be repeated)")
	flags.StringArrayVar(&f.fromEnv, "set-from-env", nil, "NAME of a config variable whose value is in the environment (may be repeated)")
	bundle.EnvFileFlag(cmd, &f.envFiles)
}

// given reports whether any value is given.
func (f *valueFlags) given() bool {
	return len(f.set)+len(f.fromFile)+len(f.fromEnv)+len(f.envFiles) > 0
}

// read returns the values that the flags give, by name: of variables and of files.
func (f *valueFlags) read(cmd *cobra.Command, spec v1alpha1.VersionSpec) (map[string][]byte, error) {
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
		return nil, term.UsageError(cmd, "value %d of --set-from-file is not of the form NAME=PATH; a file of NAME=VALUE lines is given with --env-file", i+1)
	}
	files, err := term.Pairs(cmd, "--set-from-file", f.fromFile)
	if err != nil {
		return nil, err
	}
	variables, contents, err := configvalue.Source{Set: set, EnvFiles: f.envFiles, Files: files}.Given(spec.Config.Variables, spec.Config.Files)
	if err != nil {
		return nil, bundle.ExplainFile(err)
	}
	return checkValues(spec, variables, contents)
}

// checkValues returns all values by name, unless a node does not start with one of them.
func checkValues(spec v1alpha1.VersionSpec, variables map[string]string, contents map[string][]byte) (map[string][]byte, error) {
	for name, content := range contents {
		if err := checkContent(spec, name, content); err != nil {
			return nil, err
		}
	}
	for name, value := range variables {
		if err := checkVariable(name, value); err != nil {
			return nil, err
		}
		contents[name] = []byte(value)
	}
	return contents, nil
}

// checkVariable refuses a value with which no container starts.
func checkVariable(name, value string) error {
	err := krt.CheckVariable(name, value)
	if err == nil {
		return nil
	}
	return term.WithHint(fmt.Errorf("config variable %q: %w", name, err),
		"Change it, or declare it as a config file instead (config.files of krt.yml).")
}

// checkContent refuses the content of a config file that a node gets as the value of a
// variable, and cannot.
func checkContent(spec v1alpha1.VersionSpec, name string, content []byte) error {
	at := slices.IndexFunc(spec.Nodes, func(n v1alpha1.Node) bool { return n.ConfigFiles == v1alpha1.ConfigFilesContent })
	if at < 0 {
		return nil
	}
	if err := krt.CheckVariable(name, string(content)); err != nil {
		return fmt.Errorf("config file %q: node %q gets its content as $%s: %w", name, spec.Nodes[at].Name, name, err)
	}
	return nil
}

// setFlags is how to give what is missing.
func setFlags(missing *configvalue.MissingError) string {
	var flags []string
	for _, name := range missing.Variables {
		flags = append(flags, "--set "+name+"=VALUE")
	}
	for _, name := range missing.Files {
		flags = append(flags, "--set-from-file "+name+"=PATH")
	}
	return strings.Join(flags, " ")
}
