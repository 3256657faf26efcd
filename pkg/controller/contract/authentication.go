package contract

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/schema"
)

// refused returns which clients of a published version its canary would refuse for their credentials.
// While it is the canary, the published version serves their requests instead; once it is published,
// nobody does. Whether two Secrets have the same API keys is not known.
func refused(published, canary offer) (problems []string) {
	had, has := published.authentication, canary.authentication
	switch {
	case has == nil:
		return nil
	case had == nil:
		return []string{"clients must authenticate, and need not in the published version"}
	}
	for name, workflow := range published.workflows {
		if requires(has, canary.workflows[name]) && !requires(had, workflow) {
			problems = append(problems, fmt.Sprintf("clients of rpc %s must authenticate, and need not in the published version", name))
		}
	}
	slices.Sort(problems)
	for i := range had.JWT {
		problems = append(problems, refusedTokens(&had.JWT[i], has.JWT)...)
	}
	if had.APIKeys != nil && has.APIKeys == nil {
		problems = append(problems, "API keys are not accepted")
	}
	return problems
}

// requires reports whether a workflow requires authentication; one that does not exist does not.
func requires(a *v1alpha1.Authentication, workflow string) bool {
	return workflow != "" && (len(a.Workflows) == 0 || slices.Contains(a.Workflows, workflow))
}

func refusedTokens(of *v1alpha1.JWTIssuer, accepted []v1alpha1.JWTIssuer) (problems []string) {
	for i := range accepted {
		if accepted[i].Issuer != of.Issuer {
			continue
		}
		for _, audience := range of.Audiences {
			if !slices.Contains(accepted[i].Audiences, audience) {
				problems = append(problems, fmt.Sprintf("tokens of %q for the audience %q are not accepted", of.Issuer, audience))
			}
		}
		return problems
	}
	return []string{fmt.Sprintf("tokens of %q are not accepted", of.Issuer)}
}

// offer is what a version offers to its clients.
type offer struct {
	authentication *v1alpha1.Authentication
	methods        []protoreflect.MethodDescriptor
	// workflows are their names by the rpcs that they serve, as [schema.MethodName] writes them.
	workflows map[string]string
}

func offerOf(v *v1alpha1.Version, compiled *schema.Schema) offer {
	o := offer{authentication: v.Spec.Entrypoint.Authentication, workflows: map[string]string{}}
	for _, w := range v.Spec.Workflows {
		if method, err := compiled.Method(w.Entrypoint); err == nil {
			o.methods = append(o.methods, method)
			o.workflows[schema.MethodName(method)] = w.Name
		}
	}
	return o
}
