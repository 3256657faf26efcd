package main

import (
	"context"
	"errors"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// claimed are the features whose conformance tests are run, in the order of their names.
func claimed() (features []gatewayv1.SupportedFeature) {
	for _, name := range []gatewayv1.FeatureName{"GRPCRoute", "Gateway", "HTTPRoute", "ReferenceGrant"} {
		features = append(features, gatewayv1.SupportedFeature{Name: name})
	}
	return features
}

// attachAll attaches every route to its parents and returns what is to be reported of each.
func (w *world) attachAll(all map[types.NamespacedName][]*listener) map[*route][]gatewayv1.RouteParentStatus {
	statuses := map[*route][]gatewayv1.RouteParentStatus{}
	for _, r := range w.routes {
		backends, problem := w.backends(r)
		for _, p := range r.parents {
			if value(p.Group) != "" && *p.Group != gatewayv1.GroupName || p.Kind != nil && *p.Kind != "Gateway" {
				continue
			}
			name := types.NamespacedName{Namespace: r.object.GetNamespace(), Name: string(p.Name)}
			if p.Namespace != nil {
				name.Namespace = string(*p.Namespace)
			}
			listeners, served := all[name]
			if !served {
				continue
			}
			reason := w.attach(r, p, listeners, backends)
			status := gatewayv1.RouteParentStatus{ParentRef: *p.DeepCopy(), ControllerName: controllerName, Conditions: r.before(p)}
			mark := marker(&status.Conditions, r.object.GetGeneration())
			mark(string(gatewayv1.RouteConditionAccepted), reason == gatewayv1.RouteReasonAccepted, string(reason))
			mark(string(gatewayv1.RouteConditionResolvedRefs), problem == gatewayv1.RouteReasonResolvedRefs, string(problem))
			statuses[r] = append(statuses[r], status)
		}
	}
	return statuses
}

// backends resolves all references of a route, by rule; the reason is the last that was in the way.
func (w *world) backends(r *route) (all [][]backend, problem gatewayv1.RouteConditionReason) {
	problem = gatewayv1.RouteReasonResolvedRefs
	for _, rule := range r.rules {
		var some []backend
		for _, ref := range rule.refs {
			b, reason := w.resolve(r, ref)
			if reason != "" {
				problem = reason
			}
			some = append(some, b)
		}
		all = append(all, some)
	}
	return all, problem
}

// before are the conditions that this has reported for a parent already.
func (r *route) before(p gatewayv1.ParentReference) []metav1.Condition {
	for _, s := range r.status.Parents {
		if s.ControllerName == controllerName && equality.Semantic.DeepEqual(s.ParentRef, p) {
			return slices.Clone(s.Conditions)
		}
	}
	return nil
}

// marker sets conditions that are True or False for a reason.
func marker(conditions *[]metav1.Condition, generation int64) func(kind string, good bool, reason string) {
	return func(kind string, good bool, reason string) {
		status := metav1.ConditionFalse
		if good {
			status = metav1.ConditionTrue
		}
		meta.SetStatusCondition(conditions, metav1.Condition{Type: kind, Status: status, Reason: reason, ObservedGeneration: generation})
	}
}

// report writes the statuses that have changed.
func (s *server) report(
	ctx context.Context, w *world, ours map[string]bool, all map[types.NamespacedName][]*listener,
	statuses map[*route][]gatewayv1.RouteParentStatus,
) error {
	var errs []error
	for i := range w.classes {
		if c := &w.classes[i]; ours[c.Name] {
			before := c.DeepCopy()
			marker(&c.Status.Conditions, c.Generation)(string(gatewayv1.GatewayClassConditionStatusAccepted), true,
				string(gatewayv1.GatewayClassReasonAccepted))
			c.Status.SupportedFeatures = claimed()
			errs = append(errs, s.write(ctx, before, c, before.Status, c.Status))
		}
	}
	for i := range w.gateways {
		g := &w.gateways[i]
		if listeners, served := all[client.ObjectKeyFromObject(g)]; served {
			before := g.DeepCopy()
			s.describe(g, listeners)
			errs = append(errs, s.write(ctx, before, g, before.Status, g.Status))
		}
	}
	for _, r := range w.routes {
		before := r.status.DeepCopy()
		others := slices.DeleteFunc(slices.Clone(r.status.Parents), func(p gatewayv1.RouteParentStatus) bool {
			return p.ControllerName == controllerName
		})
		object := r.object.DeepCopyObject().(client.Object)
		r.status.Parents = append(others, statuses[r]...)
		errs = append(errs, s.write(ctx, object, r.object, *before, *r.status))
	}
	return errors.Join(errs...)
}

// describe sets the status of a Gateway.
func (s *server) describe(g *gatewayv1.Gateway, listeners []*listener) {
	mark := marker(&g.Status.Conditions, g.Generation)
	mark(string(gatewayv1.GatewayConditionAccepted), true, string(gatewayv1.GatewayReasonAccepted))
	mark(string(gatewayv1.GatewayConditionProgrammed), true, string(gatewayv1.GatewayReasonProgrammed))
	g.Status.Addresses = []gatewayv1.GatewayStatusAddress{{
		Type: new(gatewayv1.IPAddressType), Value: s.address(client.ObjectKeyFromObject(g).String()),
	}}
	var all []gatewayv1.ListenerStatus
	for _, l := range listeners {
		status := gatewayv1.ListenerStatus{Name: l.Name, SupportedKinds: l.kinds, AttachedRoutes: l.attached}
		for _, b := range g.Status.Listeners {
			if b.Name == l.Name {
				status.Conditions = slices.Clone(b.Conditions)
			}
		}
		l.describe(marker(&status.Conditions, g.Generation))
		all = append(all, status)
	}
	g.Status.Listeners = all
}

// describe marks the conditions of a listener.
func (l *listener) describe(mark func(kind string, good bool, reason string)) {
	accepted, programmed := gatewayv1.ListenerReasonAccepted, gatewayv1.ListenerReasonProgrammed
	resolved := gatewayv1.ListenerReasonResolvedRefs
	if !l.protocol {
		accepted, programmed = gatewayv1.ListenerReasonUnsupportedProtocol, gatewayv1.ListenerReasonInvalid
	}
	if l.problem != "" {
		resolved, programmed = l.problem, gatewayv1.ListenerReasonInvalid
	}
	mark(string(gatewayv1.ListenerConditionAccepted), l.protocol, string(accepted))
	mark(string(gatewayv1.ListenerConditionProgrammed), l.protocol && l.problem == "", string(programmed))
	mark(string(gatewayv1.ListenerConditionResolvedRefs), l.problem == "", string(resolved))
	mark(string(gatewayv1.ListenerConditionConflicted), false, string(gatewayv1.ListenerReasonNoConflicts))
}

func (s *server) write(ctx context.Context, before, after client.Object, old, status any) error {
	if equality.Semantic.DeepEqual(old, status) {
		return nil
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	return client.IgnoreNotFound(s.client.Status().Patch(ctx, after, patch))
}
