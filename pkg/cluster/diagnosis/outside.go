package diagnosis

import (
	"context"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cluster/response"
	"krt.dev/kn-krt/pkg/render/outside"
)

// outside checks whether the version that the namespace publishes can be reached from outside the
// cluster. An Ingress has no condition to read.
func (c *Cluster) outside(ctx context.Context) Finding {
	const subject = "outside"
	rt := &v1alpha1.Runtime{}
	err := c.Kube.Get(ctx, client.ObjectKey{Namespace: c.Namespace, Name: v1alpha1.RuntimeName}, rt)
	if err != nil && !response.UnknownName(err) {
		return unknown(subject, err)
	}
	rt.Namespace = c.Namespace
	hosts := strings.Join(outside.Hosts(rt, c.Settings), " and ")
	g := c.Settings.Gateway
	info := Finding{Result: Info, Subject: subject}
	switch reachable := rt.Status.Condition(v1alpha1.ConditionReachable); {
	case hosts == "":
		info.Text = "setting gateway has no effect: neither ingress-domain nor ingress-web-domain is set"
		info.Fix, info.Values = FixSettings, map[string]string{"ingress-domain": "grpc.example.com"}
		return info
	case rt.Status.PublishedVersion == "":
		return good(subject, "nothing is published; the host of what will be is %s", hosts)
	case g.Name == "":
		return good(subject, "version %q has Ingresses for %s", rt.Status.PublishedVersion, hosts)
	case reachable == nil:
		info.Text = fmt.Sprintf("Gateway %q of namespace %q: the controller has not reported yet about %s", g.Name, g.Namespace, hosts)
		return info
	case reachable.Status == metav1.ConditionTrue:
		return good(subject, "version %q: %s", rt.Status.PublishedVersion, reachable.Message)
	default:
		info.Text = reachable.Message
		return info
	}
}
