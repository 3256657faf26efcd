// Package remote is what the command line does with versions on a cluster.
package remote

import (
	"context"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/render"
)

// fieldOwner is the name under which the command line's writes are recorded in
// an object's managed fields.
const fieldOwner = "kn-krt-cli"

// Cluster is the cluster and namespace that a verb works on.
type Cluster struct {
	client.WithWatch

	// Config is how the cluster is reached, Namespace where the verb works.
	Config    *rest.Config
	Namespace string

	program string // what to type for this program, for hints
	// explicit says that the namespace was given on the command line: hints repeat it.
	explicit bool
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
	flags.String("config", "", "kn configuration file; taken from kn and not used")
	flags.Bool("log-http", false, "log each request to the cluster: method, address, status, time")
	// The flags were added just above, so these cannot fail.
	_ = root.MarkPersistentFlagFilename("kubeconfig")
	_ = root.MarkPersistentFlagFilename("config")
	_ = root.RegisterFlagCompletionFunc("context", completeContexts)
}

// globalFlags names the flags of [Flags].
func globalFlags() []string {
	return []string{"kubeconfig", "context", "cluster", "as", "as-uid", "as-group", "config", "log-http"}
}

// SystemNamespace is where kn-krt itself runs (config/).
const SystemNamespace = "krt-system"

// NamespaceFlag gives cmd the flag -n.
func NamespaceFlag(cmd *cobra.Command) {
	cmd.Flags().StringP("namespace", "n", "", "the namespace to work in (default: the kubeconfig context's)")
	_ = cmd.RegisterFlagCompletionFunc("namespace", completeNamespaces)
}

// kubeconfig is the user's configuration as cmd's flags bend it.
func kubeconfig(cmd *cobra.Command) clientcmd.ClientConfig {
	text := func(name string) string {
		if f := cmd.Flag(name); f != nil {
			return f.Value.String()
		}
		return ""
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = text("kubeconfig")
	overrides := &clientcmd.ConfigOverrides{CurrentContext: text("context")}
	overrides.Context.Cluster = text("cluster")
	overrides.Context.Namespace = text("namespace")
	overrides.AuthInfo.Impersonate = text("as")
	overrides.AuthInfo.ImpersonateUID = text("as-uid")
	// The root has the flag, so this cannot fail; without it there are no groups.
	overrides.AuthInfo.ImpersonateGroups, _ = cmd.Flags().GetStringArray("as-group")
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides)
}

// namespaceOf is the namespace that cmd means, without asking a cluster.
func namespaceOf(cmd *cobra.Command) (string, error) {
	namespace, _, err := kubeconfig(cmd).Namespace()
	switch {
	case clientcmd.IsEmptyConfig(err):
		return metav1.NamespaceDefault, nil
	case err != nil:
		return "", explainConfig(cmd, err)
	}
	return namespace, nil
}

// Connect prepares to talk to the cluster that cmd's flags name. Nothing is sent
// yet.
func Connect(cmd *cobra.Command) (*Cluster, error) {
	loaded := kubeconfig(cmd)
	config, err := loaded.ClientConfig()
	if err != nil {
		return nil, explainConfig(cmd, err)
	}
	namespace, explicit, err := loaded.Namespace()
	if err != nil {
		return nil, explainConfig(cmd, err)
	}
	config.QPS = -1 // a person types slower than any limit
	config.UserAgent = "kn-krt/" + term.ReadBuild().Version
	config.WarningHandler = rest.NewWarningWriter(cmd.ErrOrStderr(), rest.WarningWriterOptions{Deduplicate: true})
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &patience{next: next, limit: requestTime} })
	if logHTTP, _ := cmd.Flags().GetBool("log-http"); logHTTP {
		config.Wrap(func(next http.RoundTripper) http.RoundTripper {
			return &requestLog{next: next, w: cmd.ErrOrStderr()}
		})
	}
	known := clusterScheme()
	c, err := client.NewWithWatch(config, client.Options{Scheme: known, Mapper: clusterMapper()})
	if err != nil {
		return nil, fmt.Errorf("cannot talk to the cluster at %s: %w", config.Host, err)
	}
	if f := cmd.Flag("namespace"); f == nil || !f.Changed {
		explicit = false
	}
	return &Cluster{
		WithWatch: c,
		Config:    config, program: cmd.Root().DisplayName(),
		Namespace: namespace, explicit: explicit,
	}, nil
}

// clusterScheme holds the kinds the verbs read and write.
func clusterScheme() *runtime.Scheme {
	s := runtime.NewScheme()
	utilruntime.Must(v1alpha1.AddToScheme(s))
	utilruntime.Must(corev1.AddToScheme(s))
	utilruntime.Must(appsv1.AddToScheme(s))
	utilruntime.Must(authorizationv1.AddToScheme(s))
	return s
}

// clusterMapper knows the kinds' addresses: asking the cluster for them
// (discovery) would cost every verb two or more round trips.
func clusterMapper() meta.RESTMapper {
	m := meta.NewDefaultRESTMapper(nil)
	add := func(gv schema.GroupVersion, scope meta.RESTScope, kinds ...string) {
		for _, kind := range kinds {
			m.Add(gv.WithKind(kind), scope)
		}
	}
	add(v1alpha1.GroupVersion, meta.RESTScopeNamespace, "Version", "Runtime")
	add(corev1.SchemeGroupVersion, meta.RESTScopeNamespace, "ConfigMap", "Event", "Pod", "Secret", "Service")
	add(corev1.SchemeGroupVersion, meta.RESTScopeRoot, "Namespace", "Node")
	add(authorizationv1.SchemeGroupVersion, meta.RESTScopeRoot, "SelfSubjectAccessReview")
	add(appsv1.SchemeGroupVersion, meta.RESTScopeNamespace, "Deployment")
	add(schema.GroupVersion{Group: "apiextensions.k8s.io", Version: "v1"}, meta.RESTScopeRoot, "CustomResourceDefinition")
	return m
}

// command is what to type to run a verb in the same namespace.
func (c *Cluster) command(format string, args ...any) string {
	text := c.program + " " + fmt.Sprintf(format, args...)
	if c.explicit {
		text += " -n " + c.Namespace
	}
	return text
}

// Kubectl is what to type to run kubectl in the same namespace.
func (c *Cluster) Kubectl(format string, args ...any) string {
	return fmt.Sprintf("kubectl -n %s ", c.Namespace) + fmt.Sprintf(format, args...)
}

// in is the option that keeps a list to the cluster's namespace.
func (c *Cluster) in() client.ListOption { return client.InNamespace(c.Namespace) }

// key names an object of the namespace.
func (c *Cluster) key(name string) client.ObjectKey {
	return client.ObjectKey{Namespace: c.Namespace, Name: name}
}

// version reads a version; an unknown one is told with the nearest that there is.
func (c *Cluster) version(ctx context.Context, name string) (*v1alpha1.Version, error) {
	v := &v1alpha1.Version{}
	if err := c.Get(ctx, c.key(name), v); err != nil {
		return nil, c.explainVersion(ctx, name, err)
	}
	return v, nil
}

// runtime reads the namespace's Runtime; nil if there is none yet.
func (c *Cluster) runtime(ctx context.Context) (*v1alpha1.Runtime, error) {
	r := &v1alpha1.Runtime{}
	if err := c.Get(ctx, c.key(v1alpha1.RuntimeName), r); err != nil {
		if IsUnknownName(err) {
			return nil, nil //nolint:nilnil // no Runtime is an answer: nothing was ever published
		}
		return nil, c.Explain(err, "cannot read what is published")
	}
	return r, nil
}

// Settings reads config-krt; found says whether there is one. Without a good one
// the defaults are returned.
func (c *Cluster) Settings(ctx context.Context) (settings render.Settings, found bool, err error) {
	config := &corev1.ConfigMap{}
	err = c.Get(ctx, client.ObjectKey{Namespace: SystemNamespace, Name: render.SettingsName}, config)
	if IsUnknownName(err) {
		return render.DefaultSettings(), false, nil
	}
	if err != nil {
		return render.DefaultSettings(), false, err
	}
	settings, err = render.ParseSettings(config.Data)
	if err != nil {
		return render.DefaultSettings(), true, err
	}
	return settings, true, nil
}
