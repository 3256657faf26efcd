// Package response knows what the error of a request to an API server means.
package response

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// UnknownKind reports whether the cluster does not know the kind at all. It responds
// then with a 404 that is not a Status and names no object.
func UnknownKind(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsNotFound(err) || !errors.As(err, &status) {
		return false
	}
	details := status.Status().Details
	return details == nil || details.Name == "" || slices.ContainsFunc(details.Causes, func(c metav1.StatusCause) bool {
		return c.Type == metav1.CauseTypeUnexpectedServerResponse
	})
}

// UnknownName reports whether the cluster knows the kind, but has no such object.
func UnknownName(err error) bool { return apierrors.IsNotFound(err) && !UnknownKind(err) }

// NotFoundKind is the resource of the object that was not found, such as "namespaces"; "" if
// the error does not name it.
func NotFoundKind(err error) string {
	var status apierrors.APIStatus
	if errors.As(err, &status) && status.Status().Details != nil {
		return status.Status().Details.Kind
	}
	return ""
}

// Transient reports whether an error means only that the cluster does not respond now.
func Transient(err error) bool {
	var network *url.Error
	return errors.As(err, &network) || errors.Is(err, context.DeadlineExceeded) ||
		apierrors.IsServerTimeout(err) || apierrors.IsTimeout(err) ||
		apierrors.IsTooManyRequests(err) || apierrors.IsServiceUnavailable(err) || apierrors.IsInternalError(err)
}

// Denied reports that the user does not have the right, or is not known.
func Denied(err error) bool { return apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) }

// Refused reports whether the API server has refused the request, so that nothing was
// changed. After any other error the change may have been made.
func Refused(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && status.Status().Code/100 == 4 && status.Status().Code != http.StatusRequestTimeout
}
