// Package remote is what the command line does with versions on a cluster.
package remote

import (
	"context"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/hint"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/legible"
)

// Cluster is a client of the cluster and namespace that a verb works on, and what hints
// about it need.
type Cluster struct {
	*cluster.Client

	program string // what to type for this program
	// explicit is true if the namespace was given on the command line: hints repeat it.
	explicit bool
}

// at is the same cluster with that namespace, which hints repeat.
func (c *Cluster) at(namespace string) *Cluster {
	return &Cluster{Client: c.In(namespace), program: c.program, explicit: true}
}

// Flags gives root the flags that kn passes on to its plugins. They mean
// what they mean there (kn 1.0, options); --config names kn's own file and is of
// no use here.
func Flags(root *cobra.Command) {
	flags := root.PersistentFlags()
	flags.String("kubeconfig", "", "kubectl configuration file (default: ~/.kube/config)")
	flags.String("context", "", "name of the kubeconfig context to use")
	flags.String("cluster", "", "name of the kubeconfig cluster to use")
	flags.String("as", "", "username to impersonate for the operation")
	flags.String("as-uid", "", "uid to impersonate for the operation")
	flags.StringArray("as-group", nil, "group to impersonate for the operation (may be repeated)")
	flags.String("config", "", "kn configuration file; accepted and not used")
	flags.Bool("log-http", false, "log each request to the cluster with its method, address, status and time")
	// The flags were added just above, so these cannot fail.
	_ = root.MarkPersistentFlagFilename("kubeconfig")
	_ = root.MarkPersistentFlagFilename("config")
	_ = root.RegisterFlagCompletionFunc("context", completeContexts)
}

// globalFlags names the flags of [Flags].
func globalFlags() []string {
	return []string{"kubeconfig", "context", "cluster", "as", "as-uid", "as-group", "config", "log-http"}
}

// NamespaceFlag gives cmd the flag -n.
func NamespaceFlag(cmd *cobra.Command) {
	cmd.Flags().StringP("namespace", "n", "", "the namespace to work in (default: the kubeconfig context's)")
	_ = cmd.RegisterFlagCompletionFunc("namespace", completeNamespaces)
}

// options are what cmd's flags say of the cluster.
func options(cmd *cobra.Command) cluster.Options {
	text := func(name string) string {
		if f := cmd.Flag(name); f != nil {
			return f.Value.String()
		}
		return ""
	}
	// The root has the flag, so this cannot fail; without it there are no groups.
	groups, _ := cmd.Flags().GetStringArray("as-group")
	return cluster.Options{
		Kubeconfig: text("kubeconfig"), Context: text("context"), Cluster: text("cluster"), Namespace: text("namespace"),
		As: cluster.User{Name: text("as"), UID: text("as-uid"), Groups: groups},
	}
}

// namespaceOf is the namespace that cmd means, without a request to a cluster.
func namespaceOf(cmd *cobra.Command) (string, error) {
	namespace, err := cluster.DefaultNamespace(options(cmd))
	return namespace, hint.Kubeconfig(err)
}

// Connect makes a client of the cluster that cmd's flags name. Nothing is sent yet.
func Connect(cmd *cobra.Command) (*Cluster, error) {
	o := options(cmd)
	o.UserAgent = "kn-krt/" + term.ReadBuild().Version
	o.Warn = func(text string) { fmt.Fprintf(cmd.ErrOrStderr(), "Warning: %s\n", legible.Printable(text)) }
	if logHTTP, _ := cmd.Flags().GetBool("log-http"); logHTTP {
		o.Wrap = func(next http.RoundTripper) http.RoundTripper {
			return &requestLog{next: next, w: cmd.ErrOrStderr()}
		}
	}
	c, err := cluster.Connect(o)
	if err != nil {
		return nil, hint.Kubeconfig(err)
	}
	return &Cluster{Client: c, program: cmd.Root().DisplayName(), explicit: o.Namespace != ""}, nil
}

// connected runs f with a client of the cluster that cmd's flags name.
func connected(cmd *cobra.Command, f func(context.Context, *Cluster) error) error {
	c, err := Connect(cmd)
	if err != nil {
		return err
	}
	return c.Hint(f(cmd.Context(), c))
}

// Place is where hints about the cluster are typed.
func (c *Cluster) Place() hint.Place {
	return hint.Place{Program: c.program, Namespace: c.Namespace(), Explicit: c.explicit}
}

// Hint adds to an error of the cluster client the exit code, and what to do next.
func (c *Cluster) Hint(err error) error { return c.Place().Hint(err) }

// command is what to type to run a verb in the same namespace.
func (c *Cluster) command(format string, args ...any) string {
	return c.Place().Command(format, args...)
}

// Kubectl is what to type to run kubectl in the same namespace.
func (c *Cluster) Kubectl(format string, args ...any) string {
	return c.Place().Kubectl(format, args...)
}
