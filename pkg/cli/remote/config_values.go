package remote

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/bundle"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/local"
	"krt.dev/kn-krt/pkg/render"
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
	variables, contents, err := local.Config{Set: set, EnvFiles: f.envFiles, Files: files}.Given(spec.Config.Variables, spec.Config.Files)
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

// configValues are the values that the version's Secret holds, by name; none
// without a Secret.
func (c *Cluster) configValues(ctx context.Context, v *v1alpha1.Version) (map[string][]byte, error) {
	if len(v.Spec.Config.Variables)+len(v.Spec.Config.Files) == 0 {
		return nil, nil //nolint:nilnil // nothing declared, nothing to read
	}
	secret := &corev1.Secret{}
	err := c.Get(ctx, c.key(render.ConfigName(v.Name)), secret)
	if IsUnknownName(err) {
		return nil, nil //nolint:nilnil // no Secret is an answer: nothing has a value
	}
	if err != nil {
		return nil, c.Explain(err, fmt.Sprintf("cannot read the config values of version %q", v.Name))
	}
	return secret.Data, nil
}

// missingConfig names what the version declares and has no value. An empty value
// counts as none.
func missingConfig(declared v1alpha1.Config, values map[string][]byte) *local.MissingConfigError {
	missing := &local.MissingConfigError{}
	for _, name := range declared.Variables {
		if len(values[name]) == 0 {
			missing.Variables = append(missing.Variables, name)
		}
	}
	for _, name := range declared.Files {
		if _, ok := values[name]; !ok {
			missing.Files = append(missing.Files, name)
		}
	}
	if len(missing.Variables)+len(missing.Files) == 0 {
		return nil
	}
	return missing
}

// requireConfig refuses to start a version while something it declares has no
// value (KRT V1: all are mandatory at start).
func (c *Cluster) requireConfig(v *v1alpha1.Version, values map[string][]byte) error {
	missing := missingConfig(v.Spec.Config, values)
	if missing == nil {
		return nil
	}
	return term.WithHint(fmt.Errorf("cannot start version %q: %w", v.Name, missing), "Set it with '%s'.",
		c.command("config %s %s", v.Name, setFlags(missing)))
}

// setFlags is how to give what is missing.
func setFlags(missing *local.MissingConfigError) string {
	var flags []string
	for _, name := range missing.Variables {
		flags = append(flags, "--set "+name+"=VALUE")
	}
	for _, name := range missing.Files {
		flags = append(flags, "--set-from-file "+name+"=PATH")
	}
	return strings.Join(flags, " ")
}

// writeConfig sets values in the version's Secret and takes others away. It tells
// whether it made the Secret. The Secret is the user's: nothing owns it.
func (c *Cluster) writeConfig(ctx context.Context, version string, set map[string][]byte, unset []string) (made bool, err error) {
	doing := fmt.Sprintf("cannot write the config values of version %q", version)
	secret := &corev1.Secret{}
	err = c.Get(ctx, c.key(render.ConfigName(version)), secret)
	if IsUnknownName(err) {
		if len(set) == 0 {
			return false, nil
		}
		secret = &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: render.ConfigName(version), Namespace: c.Namespace},
			Type:       corev1.SecretTypeOpaque,
			Data:       set,
		}
		return true, c.Explain(c.Create(ctx, secret, client.FieldOwner(fieldOwner)), doing)
	}
	if err != nil {
		return false, c.Explain(err, doing)
	}
	changed := secret.DeepCopy()
	if changed.Data == nil {
		changed.Data = map[string][]byte{}
	}
	for name, value := range set {
		changed.Data[name] = value
	}
	for _, name := range unset {
		delete(changed.Data, name)
	}
	err = c.Patch(ctx, changed, client.MergeFromWithOptions(secret, client.MergeFromWithOptimisticLock{}), client.FieldOwner(fieldOwner))
	if apierrors.IsConflict(err) {
		return false, term.WithHint(errors.New(doing+": somebody else changed them at the same time"), "Try again.")
	}
	return false, c.Explain(err, doing)
}
