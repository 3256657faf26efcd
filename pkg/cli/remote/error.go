package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/krt/spelling"
)

// InstallCommand puts kn-krt on a cluster; it is typed in the sources' folder.
const InstallCommand = "KO_CONFIG_PATH=ko.yaml ko apply -f config/"

// explainConfig says what is wrong with the user's kubeconfig.
func explainConfig(cmd *cobra.Command, err error) error {
	const how = "Name a cluster with --kubeconfig FILE and --context NAME, or in the variable KUBECONFIG."
	var path *os.PathError
	switch {
	case clientcmd.IsEmptyConfig(err):
		return term.FailAs(term.ExitCluster, errors.New("no cluster is known here: there is no kubeconfig"), how)
	case errors.As(err, &path):
		return term.FailAs(term.ExitCluster, fmt.Errorf("cannot read the kubeconfig: %w", err), how)
	}
	if name := cmd.Flag("context").Value.String(); name != "" {
		contexts := contextNames(cmd)
		if len(contexts) > 0 && !slices.Contains(contexts, name) {
			return term.FailAs(term.ExitCluster, fmt.Errorf("the kubeconfig has no context %q%s", name, spelling.Hint(name, contexts)),
				"It has: %s", strings.Join(contexts, ", "))
		}
	}
	return term.FailAs(term.ExitCluster, fmt.Errorf("cannot use the kubeconfig: %w", err), how)
}

func contextNames(cmd *cobra.Command) []string {
	raw, err := kubeconfig(cmd).RawConfig()
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

// isUnknownKind reports whether the cluster does not know the kind at all. It
// answers so with a 404 that is no Status and names no object.
func isUnknownKind(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsNotFound(err) || !errors.As(err, &status) {
		return false
	}
	details := status.Status().Details
	return details == nil || details.Name == "" || slices.ContainsFunc(details.Causes, func(c metav1.StatusCause) bool {
		return c.Type == metav1.CauseTypeUnexpectedServerResponse
	})
}

// IsUnknownName reports whether the cluster knows the kind, but has no such object.
func IsUnknownName(err error) bool { return apierrors.IsNotFound(err) && !isUnknownKind(err) }

// Explain says what an error of the cluster means, after "doing: ", and what to
// do about it.
func (c *Cluster) Explain(err error, doing string) error {
	if err == nil {
		return nil
	}
	wrapped := fmt.Errorf("%s: %w", doing, err)
	var network *url.Error
	switch {
	case errors.Is(err, context.Canceled):
		return wrapped
	case isUnknownKind(err):
		return term.FailAs(term.ExitCluster, fmt.Errorf("%s: the cluster at %s has no kn-krt: it does not know versions.%s",
			doing, c.Config.Host, v1alpha1.GroupVersion.Group),
			"Install it from kn-krt's sources with '%s', then look with '%s doctor'.", InstallCommand, c.program)
	case apierrors.IsUnauthorized(err):
		return term.FailAs(term.ExitCluster, fmt.Errorf("%s: the cluster at %s does not know who you are", doing, c.Config.Host),
			"Sign in anew, or name another user with --context NAME.")
	case apierrors.IsForbidden(err) && c.terminating(err):
		return term.FailAs(term.ExitFailed, wrapped, "Wait until the namespace is gone, or use another one with -n NAME.")
	case apierrors.IsForbidden(err):
		return term.FailAs(term.ExitCluster, wrapped,
			"Ask for the role that has it: %s", c.Kubectl("create rolebinding kn-krt-users --clusterrole=edit --user=YOU"))
	case apierrors.IsNotFound(err) && notFoundKind(err) == "namespaces":
		return term.FailAs(term.ExitNotFound, fmt.Errorf("%s: there is no namespace %q", doing, c.Namespace),
			"Make it with 'kubectl create namespace %s'.", c.Namespace)
	case errors.As(err, &network):
		return term.FailAs(term.ExitCluster, fmt.Errorf("%s: cannot reach the cluster at %s: %w", doing, c.Config.Host, networkCause(network)),
			"Is it running? 'kubectl cluster-info' asks the same; --context NAME names another one.")
	}
	return wrapped
}

// isBlip reports whether an error says only that the cluster does not answer now.
func isBlip(err error) bool {
	var network *url.Error
	return errors.As(err, &network) || apierrors.IsServerTimeout(err) || apierrors.IsTimeout(err) ||
		apierrors.IsTooManyRequests(err) || apierrors.IsServiceUnavailable(err) || apierrors.IsInternalError(err)
}

// terminating reports whether a write was forbidden because the namespace goes.
func (c *Cluster) terminating(err error) bool {
	return apierrors.HasStatusCause(err, "NamespaceTerminating")
}

func notFoundKind(err error) string {
	var status apierrors.APIStatus
	if errors.As(err, &status) && status.Status().Details != nil {
		return status.Status().Details.Kind
	}
	return ""
}

// networkCause leaves the request's address out: it says nothing to a person.
func networkCause(err *url.Error) error {
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return errors.New("connection refused")
	case errors.As(err, &dns):
		return dns
	case err.Timeout():
		return errors.New("no answer in time")
	}
	return err.Err
}

// explainVersion says why a version cannot be read. For an unknown name it
// offers the nearest.
func (c *Cluster) explainVersion(ctx context.Context, name string, err error) error {
	if !IsUnknownName(err) {
		return c.Explain(err, fmt.Sprintf("cannot read version %q", name))
	}
	// Without the right to list there is nothing to offer; the answer is the same.
	names, _ := c.versionNames(ctx)
	unknown := fmt.Errorf("there is no version %q in namespace %q%s", name, c.Namespace, spelling.Hint(name, names))
	if len(names) == 0 {
		return term.FailAs(term.ExitNotFound, unknown, "The namespace has none. Look in all with '%s list -A'.", c.program)
	}
	return term.FailAs(term.ExitNotFound, unknown, "It has: %s", strings.Join(names, ", "))
}

// versionNames are the names of the namespace's versions, sorted.
func (c *Cluster) versionNames(ctx context.Context) ([]string, error) {
	var list v1alpha1.VersionList
	if err := c.List(ctx, &list, c.in()); err != nil {
		return nil, err
	}
	names := make([]string, len(list.Items))
	for i := range list.Items {
		names[i] = list.Items[i].Name
	}
	slices.Sort(names)
	return names, nil
}
