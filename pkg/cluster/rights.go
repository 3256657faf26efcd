package cluster

import (
	"context"

	"golang.org/x/sync/errgroup"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// reviewsAtATime is how many rights are asked for at a time.
const reviewsAtATime = 8

// Right is what a user may be allowed to do in a namespace (Kubernetes, "Using RBAC
// authorization").
type Right struct {
	Verb string
	// Group is the API group, "" for the core one; Resource its plural name.
	Group, Resource string
	// Subresource is a part of the resource such as "log"; "" for the resource itself.
	Subresource string
}

// String is the right as roles name it: "get pods/log".
func (r Right) String() string {
	what := r.Verb + " " + r.Resource
	if r.Subresource != "" {
		what += "/" + r.Subresource
	}
	return what
}

// ListVersions is the right that shows which versions a namespace has.
func ListVersions() Right {
	return Right{Verb: "list", Group: v1alpha1.GroupVersion.Group, Resource: "versions"}
}

// UserRights are the rights that are needed for all that a [Client] does in a namespace.
func UserRights() []Right {
	var rights []Right
	add := func(group, resource, subresource string, verbs ...string) {
		for _, verb := range verbs {
			rights = append(rights, Right{Verb: verb, Group: group, Resource: resource, Subresource: subresource})
		}
	}
	add(v1alpha1.GroupVersion.Group, "versions", "", "get", "list", "watch", "create", "patch", "delete")
	add(v1alpha1.GroupVersion.Group, "runtimes", "", "get", "list", "watch", "create", "patch")
	add("", "secrets", "", "get", "create", "patch", "delete")
	add("", "pods", "", "list", "watch")
	add("", "pods", "log", "get")
	add("", "pods", "portforward", "create")
	add("", "events", "", "list")
	return rights
}

// Missing returns those of the rights that the user does not have in the namespace, in
// their order (SelfSubjectAccessReview).
func (c *Client) Missing(ctx context.Context, rights []Right) ([]Right, error) {
	allowed := make([]bool, len(rights))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(reviewsAtATime)
	for i, r := range rights {
		group.Go(func() (err error) {
			allowed[i], err = c.may(ctx, r)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var missing []Right
	for i, r := range rights {
		if !allowed[i] {
			missing = append(missing, r)
		}
	}
	return missing, nil
}

func (c *Client) may(ctx context.Context, r Right) (bool, error) {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: c.namespace, Verb: r.Verb, Group: r.Group, Resource: r.Resource, Subresource: r.Subresource,
		},
	}}
	if err := c.kube.Create(ctx, review); err != nil {
		return false, c.explain(err, "cannot check your rights")
	}
	return review.Status.Allowed, nil
}

// User returns the name by which the API server knows the client's user (SelfSubjectReview).
// Credentials that it does not accept are an [*Error] with ReasonUnauthorized.
func (c *Client) User(ctx context.Context) (string, error) {
	review := &authenticationv1.SelfSubjectReview{}
	if err := c.kube.Create(ctx, review); err != nil {
		return "", c.explain(err, "cannot check who you are")
	}
	return review.Status.UserInfo.Username, nil
}
