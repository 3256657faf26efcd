package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"syscall"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cluster/response"
	"krt.dev/kn-krt/pkg/krt/spelling"
)

// Reason is why a request failed.
type Reason string

// Reasons of an [Error].
const (
	// ReasonOther is any reason without a name here; see the cause.
	ReasonOther Reason = ""
	// ReasonUnreachable: the API server cannot be reached, or does not respond in time.
	ReasonUnreachable Reason = "Unreachable"
	// ReasonUnauthorized: the API server does not accept the credentials.
	ReasonUnauthorized Reason = "Unauthorized"
	// ReasonForbidden: the user does not have the right.
	ReasonForbidden Reason = "Forbidden"
	// ReasonNotInstalled: the cluster does not have the kinds of kn-krt.
	ReasonNotInstalled Reason = "NotInstalled"
	// ReasonNamespaceNotFound: the namespace does not exist.
	ReasonNamespaceNotFound Reason = "NamespaceNotFound"
	// ReasonNamespaceTerminating: the namespace is being deleted.
	ReasonNamespaceTerminating Reason = "NamespaceTerminating"
	// ReasonConflict: somebody else changed the object at the same time.
	ReasonConflict Reason = "Conflict"
)

// Error is a request to the cluster that failed.
type Error struct {
	// Doing is what failed, such as "cannot list versions".
	Doing  string
	Reason Reason
	// Host is the address of the API server, Namespace the namespace that was worked in.
	Host, Namespace string
	// Err is the cause.
	Err error
}

// Error is what failed, and why.
func (e *Error) Error() string {
	var network *url.Error
	switch e.Reason {
	case ReasonNotInstalled:
		return fmt.Sprintf("%s: kn-krt is not installed on the cluster at %s: it has no resource versions.%s",
			e.Doing, e.Host, v1alpha1.GroupVersion.Group)
	case ReasonUnauthorized:
		return fmt.Sprintf("%s: the cluster at %s does not accept your credentials", e.Doing, e.Host)
	case ReasonNamespaceNotFound:
		return fmt.Sprintf("%s: namespace %q does not exist", e.Doing, e.Namespace)
	case ReasonUnreachable:
		cause := errors.New("no response in time")
		if errors.As(e.Err, &network) {
			cause = networkCause(network)
		}
		return fmt.Sprintf("%s: cannot reach the cluster at %s: %v", e.Doing, e.Host, cause)
	}
	return fmt.Sprintf("%s: %v", e.Doing, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// explain makes an [*Error] of what the API server or the network returned; nil stays nil.
func (c *Client) explain(err error, doing string) error {
	if err == nil {
		return nil
	}
	e := &Error{Doing: doing, Host: c.config.Host, Namespace: c.namespace, Err: err}
	var network *url.Error
	switch {
	case errors.Is(err, context.Canceled):
	case response.UnknownKind(err) && !strings.HasPrefix(response.NotFoundKind(err), "pods"): // a machine responds so about a pod's log
		e.Reason = ReasonNotInstalled
	case apierrors.IsUnauthorized(err):
		e.Reason = ReasonUnauthorized
	case apierrors.IsForbidden(err) && apierrors.HasStatusCause(err, "NamespaceTerminating"):
		e.Reason = ReasonNamespaceTerminating
	case apierrors.IsForbidden(err):
		e.Reason = ReasonForbidden
	case apierrors.IsNotFound(err) && response.NotFoundKind(err) == "namespaces":
		e.Reason = ReasonNamespaceNotFound
	case errors.As(err, &network), errors.Is(err, context.DeadlineExceeded):
		e.Reason = ReasonUnreachable
	}
	return e
}

// conflict is the error of a change that somebody else was faster with.
func (c *Client) conflict(doing, what string) error {
	return &Error{
		Doing: doing, Reason: ReasonConflict, Host: c.config.Host, Namespace: c.namespace,
		Err: fmt.Errorf("somebody else changed %s at the same time", what),
	}
}

// NotFoundError is returned for a version that does not exist.
type NotFoundError struct {
	Version, Namespace string
	// Known are the names of the namespace's versions, sorted; none if there are none or
	// they may not be listed.
	Known []string
}

// Error names the version, and the one that was probably meant.
func (e *NotFoundError) Error() string {
	return fmt.Sprintf("there is no version %q in namespace %q%s", e.Version, e.Namespace, spelling.Hint(e.Version, e.Known))
}

// explainVersion is [Client.explain] for a request that reads, changes or deletes the named
// version, whichever the verb says.
func (c *Client) explainVersion(ctx context.Context, verb, name string, err error) error {
	if err == nil {
		return nil
	}
	if !response.UnknownName(err) {
		return c.explain(err, fmt.Sprintf("cannot %s version %q", verb, name))
	}
	e := &NotFoundError{Version: name, Namespace: c.namespace}
	// Without the right to list there is nothing to suggest; the error is the same.
	if list, err := c.List(ctx); err == nil {
		for i := range list.Items {
			e.Known = append(e.Known, list.Items[i].Name)
		}
	}
	return e
}

// networkCause leaves the request's address out: a person cannot use it.
func networkCause(err *url.Error) error {
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return errors.New("connection refused")
	case errors.As(err, &dns):
		return dns
	case err.Timeout():
		return errors.New("no response in time")
	}
	return err.Err
}
