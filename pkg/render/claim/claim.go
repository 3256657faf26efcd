// Package claim tells by names which objects of a cluster are of which version.
package claim

import (
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/render"
)

// What follows the name of a Knative Service, a Sequence and a Deployment in the names of
// the objects that are made for them. Kubernetes cuts the name of a pod at 63 characters.
const (
	afterService    = `(-\d{5}(-private|-deployment(-[a-z0-9]{0,10}(-?[a-z0-9]{5})?)?)?)?`
	afterSequence   = `(-[0-9a-f]{6})?(-kn-sequence-\d+(-kn-channel)?)?`
	afterDeployment = `(-[a-z0-9]{1,10}(-[a-z0-9]{5})?)?`
)

// Belongs returns a function that reports by its kind and name whether an object is v, or
// was created for it: an event outlives its object, so that there may be no owner to read.
// all are the versions of the namespace. Where another version may have an object of the
// name, too, it is that one's of whose name more is known.
func Belongs(v *v1alpha1.Version, all []v1alpha1.Version) func(corev1.ObjectReference) bool {
	own := claimOf(v)
	var others []claim
	for i := range all {
		if all[i].Name != v.Name {
			others = append(others, claimOf(&all[i]))
		}
	}
	return func(object corev1.ObjectReference) bool {
		mine := own.of(object)
		return mine > 0 && !slices.ContainsFunc(others, func(other claim) bool { return other.of(object) > mine })
	}
}

// claim is the names of the objects that a version may have.
type claim struct {
	version string
	names   []string         // of Services and Secrets
	parents []*regexp.Regexp // of objects for which others are made; the first group is the name
}

func claimOf(v *v1alpha1.Version) claim {
	c := claim{version: v.Name, names: []string{v.Name, render.ReplyName(v.Name), render.ConfigName(v.Name)}}
	parent := func(name, after string) {
		c.parents = append(c.parents, regexp.MustCompile("^("+regexp.QuoteMeta(name)+")"+after+"$"))
	}
	parent(render.EntrypointName(v.Name), afterDeployment)
	for _, n := range v.Spec.Nodes {
		c.names = append(c.names, render.ShortcutName(v.Name, n.Name), render.PodsName(v.Name, n.Name))
		parent(render.ServiceName(v.Name, n.Name), afterService)
	}
	for _, w := range v.Spec.Workflows {
		parent(render.SequenceName(v.Name, w.Name, ""), afterSequence)
	}
	return c
}

// of is how many bytes of the object's name are known to be the version's; 0 for none.
func (c claim) of(object corev1.ObjectReference) int {
	if strings.HasPrefix(object.APIVersion, v1alpha1.GroupVersion.Group+"/") {
		if object.Kind == "Version" && object.Name == c.version {
			return len(object.Name)
		}
		return 0
	}
	if !strings.Contains(object.APIVersion, "/") && slices.Contains(c.names, object.Name) {
		return len(object.Name)
	}
	known := 0
	for _, parent := range c.parents {
		if found := parent.FindStringSubmatch(object.Name); found != nil {
			known = max(known, len(found[1]))
		}
	}
	return known
}
