// Package pretend plays what an apiserver alone has not: Knative's controllers and
// those of Deployments and endpoints. Objects become ready a moment after they are
// made; nothing runs. It is for tests of controllers that watch such objects.
package pretend

import (
	"context"
	"fmt"
	"hash/fnv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	flowsv1 "knative.dev/eventing/pkg/apis/flows/v1"
	messagingv1 "knative.dev/eventing/pkg/apis/messaging/v1"
	"knative.dev/pkg/apis"
	duckv1 "knative.dev/pkg/apis/duck/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metrics "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"krt.dev/kn-krt/pkg/render"
	"krt.dev/kn-krt/test/apiserver"
)

// Broken in the image of a container, or of which a kind of channels begins, makes what
// uses it fail.
const Broken = "broken"

// Mended is an annotation of a Knative Service whose image is not broken any more.
const Mended = "example.com/mended"

// player answers changes of one kind of object.
type player[T client.Object] struct {
	client client.Client
	play   func(ctx context.Context, c client.Client, object T) error
}

// Reconcile plays; losing a race only means to play again.
func (p *player[T]) Reconcile(ctx context.Context, object T) (reconcile.Result, error) {
	err := p.play(ctx, p.client, object)
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) {
		return reconcile.Result{RequeueAfter: 1}, nil
	}
	return reconcile.Result{}, err
}

// New returns the players; Start runs them. Knative's CRDs must be installed.
func New(cfg *rest.Config) (manager.Manager, error) {
	cfg = rest.CopyConfig(cfg)
	cfg.QPS = -1
	mgr, err := manager.New(cfg, manager.Options{
		Scheme: apiserver.NewScheme(), Metrics: metrics.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: new(true), MaxConcurrentReconciles: 4, UsePriorityQueue: new(false)},
	})
	if err != nil {
		return nil, err
	}
	// A Service's endpoints follow the Deployment that its selector names.
	neighbours := handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) (requests []reconcile.Request) {
		var services corev1.ServiceList
		if err := mgr.GetClient().List(ctx, &services, client.InNamespace(object.GetNamespace())); err != nil {
			return nil
		}
		for _, s := range services.Items {
			if s.Spec.Selector["version-name"] == object.GetName() {
				requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: s.Namespace, Name: s.Name}})
			}
		}
		return requests
	})
	for _, err := range []error{
		add(mgr, &servingv1.Service{}, knativeService, nil),
		add(mgr, &flowsv1.Sequence{}, sequence, nil),
		add(mgr, &appsv1.Deployment{}, deployment, nil),
		add(mgr, &corev1.Service{}, endpoints, neighbours),
	} {
		if err != nil {
			return nil, err
		}
	}
	return mgr, nil
}

func add[T client.Object](mgr manager.Manager, kind T, play func(context.Context, client.Client, T) error,
	deployments handler.EventHandler) error {
	b := builder.ControllerManagedBy(mgr).Named(fmt.Sprintf("%T", kind)).For(kind).WithOptions(controller.Options{})
	if deployments != nil {
		b = b.Watches(&appsv1.Deployment{}, deployments)
	}
	return b.Complete(reconcile.AsReconciler(mgr.GetClient(), &player[T]{client: mgr.GetClient(), play: play}))
}

func broken(pod corev1.PodSpec) bool {
	return len(pod.Containers) > 0 && strings.Contains(pod.Containers[0].Image, Broken)
}

func knativeService(ctx context.Context, c client.Client, s *servingv1.Service) error {
	before := s.DeepCopy()
	host := fmt.Sprintf("%s.%s.svc.cluster.local", s.Name, s.Namespace)
	s.Status.ObservedGeneration = s.Generation
	s.Status.URL = apis.HTTP(host)
	s.Status.Address = &duckv1.Addressable{URL: apis.HTTP(host)}
	s.Status.LatestCreatedRevisionName = fmt.Sprintf("%s-%05d", s.Name, s.Generation)
	set := s.GetConditionSet().Manage(&s.Status)
	if broken(s.Spec.Template.Spec.PodSpec) && s.Annotations[Mended] == "" {
		set.MarkFalse(servingv1.ServiceConditionConfigurationsReady, "RevisionFailed", "the image is broken")
	} else {
		s.Status.LatestReadyRevisionName = s.Status.LatestCreatedRevisionName
		set.MarkTrue(servingv1.ServiceConditionConfigurationsReady)
		set.MarkTrue(servingv1.ServiceConditionRoutesReady)
	}
	if equality.Semantic.DeepEqual(before.Status, s.Status) {
		return nil
	}
	return c.Status().Update(ctx, s)
}

func sequence(ctx context.Context, c client.Client, s *flowsv1.Sequence) error {
	before := s.DeepCopy()
	if err := channel(ctx, c, s); err != nil {
		return err
	}
	s.Status.ObservedGeneration = s.Generation
	s.Status.Address = duckv1.Addressable{URL: apis.HTTP(fmt.Sprintf("%s-kn-sequence-0-kn-channel.%s.svc.cluster.local", s.Name, s.Namespace))}
	set := s.GetConditionSet().Manage(&s.Status)
	for _, condition := range []apis.ConditionType{
		flowsv1.SequenceConditionChannelsReady, flowsv1.SequenceConditionSubscriptionsReady, flowsv1.SequenceConditionAddressable,
		flowsv1.SequenceConditionEventPoliciesReady,
	} {
		set.MarkTrue(condition)
	}
	if kind := s.Spec.ChannelTemplate.Kind; strings.HasPrefix(kind, Broken) {
		s.Status.ChannelStatuses = []flowsv1.SequenceChannelStatus{{Channel: corev1.ObjectReference{Kind: kind, Name: s.Name + "-kn-sequence-0"},
			ReadyCondition: apis.Condition{Type: apis.ConditionReady, Status: corev1.ConditionFalse, Message: "nobody serves it"}}}
		set.MarkFalse(flowsv1.SequenceConditionChannelsReady, "ChannelsNotReady", "nobody serves it")
	}
	if equality.Semantic.DeepEqual(before.Status, s.Status) {
		return nil
	}
	return c.Status().Update(ctx, s)
}

// channel names the first channel of a Sequence in its status, as ready, where a
// test, or the controller, has made that before.
func channel(ctx context.Context, c client.Client, s *flowsv1.Sequence) error {
	kind, object := "InMemoryChannel", client.Object(&messagingv1.InMemoryChannel{})
	if s.Spec.ChannelTemplate.Kind == "Channel" && s.Spec.ChannelTemplate.APIVersion == messagingv1.SchemeGroupVersion.String() {
		kind, object = "Channel", &messagingv1.Channel{}
	}
	err := c.Get(ctx, types.NamespacedName{Namespace: s.Namespace, Name: s.Name + "-kn-sequence-0"}, object)
	if err != nil {
		if s.Annotations[render.AnnotationChannel] != "" { // there is one, and the cache is late
			return err
		}
		return client.IgnoreNotFound(err)
	}
	s.Status.ChannelStatuses = []flowsv1.SequenceChannelStatus{{
		Channel: corev1.ObjectReference{APIVersion: messagingv1.SchemeGroupVersion.String(), Kind: kind, Name: object.GetName(),
			Namespace: object.GetNamespace()},
		ReadyCondition: apis.Condition{Type: apis.ConditionReady, Status: corev1.ConditionTrue},
	}}
	return nil
}

// MarkServed marks in the status of m that its controller has seen it as it is.
func MarkServed(m *messagingv1.InMemoryChannel) {
	m.Status.ObservedGeneration = m.Generation
	set := m.GetConditionSet().Manage(&m.Status)
	for _, condition := range []apis.ConditionType{
		messagingv1.InMemoryChannelConditionServiceReady,
		messagingv1.InMemoryChannelConditionEndpointsReady, messagingv1.InMemoryChannelConditionAddressable,
		messagingv1.InMemoryChannelConditionChannelServiceReady, messagingv1.InMemoryChannelConditionDeadLetterSinkResolved,
		messagingv1.InMemoryChannelConditionEventPoliciesReady,
	} {
		set.MarkTrue(condition)
	}
}

func deployment(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
	before := d.DeepCopy()
	replicas := *d.Spec.Replicas
	available := replicas
	if broken(d.Spec.Template.Spec) {
		available = 0
	}
	d.Status.ObservedGeneration = d.Generation
	d.Status.Replicas, d.Status.UpdatedReplicas = replicas, replicas
	d.Status.ReadyReplicas, d.Status.AvailableReplicas = available, available
	if equality.Semantic.DeepEqual(before.Status, d.Status) {
		return nil
	}
	return c.Status().Update(ctx, d)
}

// endpoints gives each Deployment one address, which the Services have that select it.
func endpoints(ctx context.Context, c client.Client, s *corev1.Service) error {
	if s.Spec.Selector["version-name"] == "" {
		return nil // it leads to a node
	}
	var d appsv1.Deployment
	err := c.Get(ctx, types.NamespacedName{Namespace: s.Namespace, Name: s.Spec.Selector["version-name"]}, &d)
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	slice := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Name: s.Name + "-0", Namespace: s.Namespace},
		AddressType: discoveryv1.AddressTypeIPv4}
	missing := c.Get(ctx, client.ObjectKeyFromObject(slice), slice)
	if client.IgnoreNotFound(missing) != nil {
		return missing
	}
	before := slice.DeepCopy()
	slice.Labels = map[string]string{discoveryv1.LabelServiceName: s.Name}
	for name, value := range s.Labels { // as the real one does
		slice.Labels[name] = value
	}
	slice.Endpoints = []discoveryv1.Endpoint{}
	if err == nil && d.DeletionTimestamp == nil && d.Status.AvailableReplicas > 0 {
		slice.Endpoints = []discoveryv1.Endpoint{{Addresses: []string{Address(&d)}, Conditions: discoveryv1.EndpointConditions{Ready: new(true)}}}
	}
	switch {
	case missing != nil:
		return c.Create(ctx, slice)
	case equality.Semantic.DeepEqual(before, slice):
		return nil
	default:
		return c.Update(ctx, slice)
	}
}

// Address is the address that a Deployment answers at; nobody does.
func Address(d *appsv1.Deployment) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(d.UID))
	sum := h.Sum32()
	return fmt.Sprintf("10.%d.%d.%d", byte(sum>>16), byte(sum>>8), byte(sum)|1)
}
