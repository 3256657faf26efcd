// Package installed says of which kinds the objects are that an installation of kn-krt has.
package installed

import (
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/render"
)

// Own are the kinds of kn-krt's own objects in the order in which they are deleted: what runs
// first, the kinds of versions, last. Namespaced ones are in the namespace of kn-krt.
func Own() []schema.GroupVersionKind {
	kind := func(group, kind string) schema.GroupVersionKind {
		return schema.GroupVersionKind{Group: group, Version: "v1", Kind: kind}
	}
	const network, monitoring, rights = "networking.k8s.io", "monitoring.coreos.com", "rbac.authorization.k8s.io"
	return []schema.GroupVersionKind{
		kind("apps", "Deployment"), kind("apps", "StatefulSet"), kind("", "Service"), kind(network, "NetworkPolicy"),
		kind(monitoring, "PodMonitor"), kind(monitoring, "ServiceMonitor"), kind(monitoring, "PrometheusRule"), kind("", "ConfigMap"),
		kind(rights, "RoleBinding"), kind(rights, "Role"), kind(rights, "ClusterRoleBinding"), kind(rights, "ClusterRole"),
		kind("", "ServiceAccount"), kind("apiextensions.k8s.io", "CustomResourceDefinition"),
	}
}

// Created are the kinds of the objects that versions and runtimes own.
func Created() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{
		render.ServingKind(), render.EventingKind(), {Group: "apps", Version: "v1", Kind: "Deployment"}, {Version: "v1", Kind: "Service"},
		{Version: "v1", Kind: "ConfigMap"}, {Version: "v1", Kind: "Secret"}, {Group: "networking.k8s.io", Version: "v1", Kind: "NetworkPolicy"},
		{Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"}, {Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"},
		{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "GRPCRoute"},
		{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "HTTPRoute"},
	}
}

// Labelled selects those objects of a kind in [Created] that may be kn-krt's: Services by which clients reach an entrypoint
// have KRT V1's labels alone.
func Labelled(kind schema.GroupVersionKind) client.ListOption {
	if kind.Group == "" && kind.Kind == "Service" {
		return client.HasLabels{render.LabelVersionName}
	}
	return client.MatchingLabels{render.LabelManagedBy: render.ManagedBy}
}

// NamespaceOf is the namespace in which objects of a kind are deleted; "" if the kind has none.
func NamespaceOf(kind schema.GroupVersionKind) string {
	switch kind.Kind {
	case "ClusterRoleBinding", "ClusterRole", "CustomResourceDefinition":
		return ""
	}
	return render.SystemNamespace
}
