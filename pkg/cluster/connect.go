package cluster

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/transport"

	"krt.dev/kn-krt/pkg/krt/spelling"
)

// Options are which cluster and namespace to work with, and as whom. The zero value is
// what kubectl would use without flags.
type Options struct {
	// Kubeconfig is a kubectl configuration file. By default it is what the variable
	// KUBECONFIG names, else ~/.kube/config, else the service account of the pod that
	// this program runs in.
	Kubeconfig string
	// Context and Cluster name entries of the kubeconfig; by default its current context
	// and that context's cluster.
	Context, Cluster string
	// Namespace is the namespace to work in; by default the context's, else "default".
	Namespace string
	// As is the user to impersonate, which takes the right to do so; by default the one that
	// the kubeconfig names, if any. A Name replaces all that the kubeconfig has of that.
	As User
	// Token is a bearer token. With one, requests carry none of the kubeconfig's
	// credentials and impersonate nobody that it names: they can do what the token's owner
	// may do, and no more.
	Token string
	// UserAgent names the program in the API server's logs; client-go's by default.
	UserAgent string
	// Warn, if not nil, is called once for each different warning that the API server
	// sends; the calls do not overlap.
	Warn func(text string)
	// Wrap, if not nil, wraps the transport of all requests, for example to log them.
	Wrap transport.WrapperFunc
}

// User is somebody to impersonate (Kubernetes, "User impersonation").
type User struct {
	Name, UID string
	Groups    []string
}

func (u User) impersonation() rest.ImpersonationConfig {
	return rest.ImpersonationConfig{UserName: u.Name, UID: u.UID, Groups: u.Groups}
}

// KubeconfigError is returned when the kubeconfig is missing or cannot be used.
type KubeconfigError struct {
	// Context is a context that the kubeconfig does not have, and Contexts are those that
	// it has, sorted. Both are empty if something else is wrong.
	Context  string
	Contexts []string
	// Err is the cause; nil if only the context is wrong.
	Err error
}

// Error names what is wrong with the kubeconfig.
func (e *KubeconfigError) Error() string {
	var path *os.PathError
	switch {
	case e.Err == nil:
		return fmt.Sprintf("the kubeconfig has no context %q%s", e.Context, spelling.Hint(e.Context, e.Contexts))
	case clientcmd.IsEmptyConfig(e.Err):
		return "no cluster is configured: there is no kubeconfig"
	case errors.As(e.Err, &path):
		return fmt.Sprintf("cannot read the kubeconfig: %v", e.Err)
	}
	return fmt.Sprintf("cannot use the kubeconfig: %v", e.Err)
}

// Unwrap returns the cause.
func (e *KubeconfigError) Unwrap() error { return e.Err }

// Connect makes a client with these options. Nothing is sent yet. Its error is a
// [*KubeconfigError], or about certificates that cannot be used.
func Connect(o Options) (*Client, error) {
	loaded := o.kubeconfig()
	config, err := loaded.ClientConfig()
	if err != nil {
		return nil, o.explain(err)
	}
	namespace, _, err := loaded.Namespace()
	if err != nil {
		return nil, o.explain(err)
	}
	config = o.identify(config)
	config.UserAgent = o.UserAgent
	if o.Warn != nil {
		config.WarningHandler = &warnings{warn: o.Warn}
	}
	if o.Wrap != nil {
		config.Wrap(o.Wrap)
	}
	return New(config, namespace)
}

// identify returns the config with whose credentials to send requests, and as whom. Of the
// service account of a pod, clientcmd leaves out whom to impersonate.
func (o *Options) identify(config *rest.Config) *rest.Config {
	switch {
	case o.Token != "":
		config = rest.AnonymousClientConfig(config)
		config.BearerToken, config.Impersonate = o.Token, o.As.impersonation()
	case o.As.Name != "" || config.Impersonate.UserName == "":
		config.Impersonate = o.As.impersonation()
	}
	return config
}

// DefaultNamespace is the namespace that [Connect] would use with the options: also
// without any kubeconfig, then it is "default".
func DefaultNamespace(o Options) (string, error) {
	namespace, _, err := o.kubeconfig().Namespace()
	switch {
	case clientcmd.IsEmptyConfig(err):
		return metav1.NamespaceDefault, nil
	case err != nil:
		return "", o.explain(err)
	}
	return namespace, nil
}

// Contexts are the names of the contexts of the kubeconfig that the options mean,
// sorted; none if it cannot be read.
func Contexts(o Options) []string {
	raw, err := o.kubeconfig().RawConfig()
	if err != nil {
		return nil
	}
	var names []string
	for name := range raw.Contexts {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (o *Options) kubeconfig() clientcmd.ClientConfig {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.Kubeconfig
	overrides := &clientcmd.ConfigOverrides{CurrentContext: o.Context}
	overrides.Context.Cluster = o.Cluster
	overrides.Context.Namespace = o.Namespace
	overrides.AuthInfo.Impersonate = o.As.Name
	overrides.AuthInfo.ImpersonateUID = o.As.UID
	overrides.AuthInfo.ImpersonateGroups = o.As.Groups
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides)
}

// explain finds out whether a context that is not there is why loading failed.
func (o *Options) explain(err error) error {
	var path *os.PathError
	if o.Context == "" || clientcmd.IsEmptyConfig(err) || errors.As(err, &path) {
		return &KubeconfigError{Err: err}
	}
	if contexts := Contexts(*o); len(contexts) > 0 && !slices.Contains(contexts, o.Context) {
		return &KubeconfigError{Context: o.Context, Contexts: contexts}
	}
	return &KubeconfigError{Err: err}
}

// warnings passes each warning on once.
type warnings struct {
	warn func(text string)

	mu   sync.Mutex
	seen map[string]bool
}

// HandleWarningHeader is called by client-go. Code 299 is the only one that Kubernetes
// uses.
func (w *warnings) HandleWarningHeader(code int, _, text string) {
	if code != 299 || text == "" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen[text] {
		return
	}
	if w.seen == nil {
		w.seen = map[string]bool{}
	}
	w.seen[text] = true
	w.warn(text)
}
