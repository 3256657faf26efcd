package load_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/test/namespace"
)

// How long a component is away: in the whole suite for minutes.
var (
	away          = flag.Duration("away", 15*time.Second, "for how long TestComponentFaults takes a component away")
	apiserverAway = flag.Duration("apiserver-away", 20*time.Second, "for how long it takes the apiserver away")
)

// nodeGrace is after what time without an apiserver Kubernetes itself takes every node for lost: once
// the apiserver is back, no Service leads to a pod until the kubelets have reported.
const nodeGrace = 50 * time.Second

// TestComponentFaults takes each component away for a while, while a version of each delivery has
// requests: what no request passes may be away, what it passes makes them fail with a status that
// says so, and all is well again by itself.
func TestComponentFaults(t *testing.T) {
	p := newPlace(t)
	p.Install()
	p.InstallQueue()
	p.Ko("apply", "--sbom=none", "--filename=config/dashboard/")
	p.Afterwards("kubectl", "delete", "--filename=../../config/dashboard/", "--ignore-not-found")
	targets := deliveries()
	for _, one := range targets {
		p.version(one.name, func(v *v1alpha1.Version) {
			v.Spec.Entrypoint.Replicas = new(int32(2))
			v.Spec.Entrypoint.Delivery = one.delivery
		})
	}
	for _, one := range targets {
		p.Ready("version/" + one.name)
		one.load = startLoad(t, one.name+"."+p.Name+".svc.cluster.local", clients{rate: 4})
	}
	p.inflict(componentFaults(), targets...)
}

// deployment and statefulSet are what is taken away.
func deployment(namespace, name string) client.Object {
	d := &appsv1.Deployment{}
	d.Namespace, d.Name = namespace, name
	return d
}

func statefulSet(namespace, name string) client.Object {
	s := &appsv1.StatefulSet{}
	s.Namespace, s.Name = namespace, name
	return s
}

func componentFaults() []fault {
	const serving, eventing, ours = "knative-serving", "knative-eventing", "krt-system"
	sequence, durable := []v1alpha1.Delivery{v1alpha1.DeliverySequence}, []v1alpha1.Delivery{v1alpha1.DeliveryDurable}
	var ofApiserver []v1alpha1.Delivery
	if *apiserverAway >= nodeGrace/2 { // a kubelet reports within the other half
		ofApiserver = slices.Concat(sequence, durable, []v1alpha1.Delivery{v1alpha1.DeliveryDirect})
	}
	return []fault{
		{name: "eventing's dispatcher away", harms: sequence, inflict: takeAway(deployment(eventing, "imc-dispatcher"))},
		{name: "eventing's controllers away", inflict: takeAway(deployment(eventing, "eventing-controller"),
			deployment(eventing, "imc-controller"), deployment(eventing, "eventing-webhook"))},
		{name: "serving's controllers away", inflict: takeAway(deployment(serving, "controller"),
			deployment(serving, "autoscaler"), deployment(serving, "webhook"))},
		{name: "serving's activator away", harms: sequence, inflict: takeAway(deployment(serving, "activator"))},
		{name: "the ingress restarted", harms: sequence, inflict: restartComponent("ingress")},
		{name: "the controller away", inflict: takeAway(deployment(ours, "krt-controller"))},
		{name: "the store away", inflict: takeAway(statefulSet(ours, "krt-store"))},
		{name: "the queue away", harms: durable, inflict: takeAway(statefulSet(ours, "krt-queue"))},
		{name: "the queue's volume full", harms: durable, inflict: fillQueue},
		{name: "the dashboard away", inflict: takeAway(deployment(ours, "krt-dashboard"))},
		{name: "the apiserver away", harms: ofApiserver, inflict: pauseAPIServer},
	}
}

// takeAway scales what there is of them to nothing for a while.
func takeAway(all ...client.Object) func(context.Context, place) error {
	return func(ctx context.Context, p place) (err error) {
		var taken []client.Object
		for _, one := range all {
			one = one.DeepCopyObject().(client.Object)
			switch err := p.client.Get(ctx, client.ObjectKeyFromObject(one), one); {
			case apierrors.IsNotFound(err):
				return fmt.Errorf("%w: %s is not installed", errLeftOut, one.GetName())
			case err != nil:
				return err
			}
			taken = append(taken, one)
		}
		for _, one := range taken {
			was := *replicas(one)
			if err := p.scale(ctx, one, 0); err != nil {
				return err
			}
			defer func() { err = errors.Join(err, p.scale(ctx, one, was)) }()
		}
		for _, one := range taken {
			if err := p.gone(ctx, one); err != nil {
				return err
			}
		}
		return pause(ctx, *away)
	}
}

// replicas is the field of a Deployment or StatefulSet.
func replicas(o client.Object) *int32 {
	switch o := o.(type) {
	case *appsv1.Deployment:
		return o.Spec.Replicas
	case *appsv1.StatefulSet:
		return o.Spec.Replicas
	}
	return nil
}

// scale gives o fewer replicas than it has, or those again.
func (p place) scale(ctx context.Context, o client.Object, to int32) error {
	annotations := map[string]any{namespace.UndoNote: nil}
	if was := *replicas(o); to < was {
		kind := "deployment"
		if _, ok := o.(*appsv1.StatefulSet); ok {
			kind = "statefulset"
		}
		note, err := namespace.Undo("scale", kind+"/"+o.GetName(), "-n", o.GetNamespace(), fmt.Sprintf("--replicas=%d", was))
		if err != nil {
			return err
		}
		annotations[namespace.UndoNote] = note
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"annotations": annotations},
		"spec":     map[string]any{"replicas": to},
	})
	if err != nil {
		return err
	}
	// Knative's webhooks are not asked about this, which may be what is away.
	return p.client.Patch(ctx, o.DeepCopyObject().(client.Object), client.RawPatch(types.MergePatchType, patch))
}

// gone waits until no pod is left. Those of a Deployment have no time to end, which Knative's take
// for the better part of a minute: a machine that fails gives none either.
func (p place) gone(ctx context.Context, o client.Object) error {
	labels := map[string]string{}
	switch o := o.(type) {
	case *appsv1.Deployment:
		labels = o.Spec.Selector.MatchLabels
		err := p.client.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(o.Namespace), client.MatchingLabels(labels),
			client.GracePeriodSeconds(0))
		if err != nil {
			return err
		}
	case *appsv1.StatefulSet:
		labels = o.Spec.Selector.MatchLabels
	}
	return until(ctx, func() error {
		pods, err := p.pods(ctx, o.GetNamespace(), labels)
		if err == nil && len(pods) > 0 {
			err = fmt.Errorf("%s has %d pods", o.GetName(), len(pods))
		}
		return err
	})
}

// restartComponent works on the cluster of `make cluster` only.
func restartComponent(name string) func(context.Context, place) error {
	return func(_ context.Context, p place) error {
		if _, err := p.Try("", clusterProgram, "restart", name); err != nil {
			return fmt.Errorf("%w: %w", errLeftOut, err)
		}
		return nil
	}
}

// pauseAPIServer stops the processes of the apiserver, on the machine of `make cluster` only: to
// all others it is away without a word, which is worse than refused connections.
func pauseAPIServer(ctx context.Context, p place) error {
	pids := processesOf("kube-apiserver")
	if len(pids) == 0 {
		return fmt.Errorf("%w: the apiserver does not run on this machine", errLeftOut)
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			return err
		}
		defer func() { _ = syscall.Kill(pid, syscall.SIGCONT) }()
	}
	return pause(ctx, *apiserverAway)
}

// processesOf are those of a component: its name is the first argument of the program kube.
func processesOf(component string) (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		text, err := os.ReadFile(file)
		args := bytes.Split(text, []byte{0})
		if err != nil || len(args) < 2 || string(args[1]) != component && filepath.Base(string(args[0])) != component {
			continue
		}
		if pid, err := strconv.Atoi(strings.Split(file, "/")[2]); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// pause lets time pass: the fault is that something is away for so long.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
