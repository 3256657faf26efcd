package diagnosis

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/channel"
	"krt.dev/kn-krt/pkg/cluster/response"
	"krt.dev/kn-krt/pkg/render"
)

func (c *Cluster) kinds(ctx context.Context) Finding {
	const subject = "kinds"
	for _, name := range []string{"versions.krt.dev", "runtimes.krt.dev"} {
		switch definition, err := c.definition(ctx, name); {
		case err != nil:
			return unknown(subject, err)
		case definition == nil:
			return Finding{
				Result: Bad, Subject: subject, Fix: FixInstall,
				Text: fmt.Sprintf("there is no resource %s: kn-krt is not installed", name),
			}
		}
	}
	return good(subject, "Version and Runtime of krt.dev are installed")
}

func (c *Cluster) controller(ctx context.Context) Finding {
	const subject, name = "controller", "krt-controller"
	deployment := &appsv1.Deployment{}
	switch err := c.Kube.Get(ctx, client.ObjectKey{Namespace: render.SystemNamespace, Name: name}, deployment); {
	case response.UnknownName(err):
		return Finding{
			Result: Bad, Subject: subject, Fix: FixInstall,
			Text: fmt.Sprintf("there is no Deployment %s in namespace %s", name, render.SystemNamespace),
		}
	case err != nil:
		return unknown(subject, err)
	case deployment.Status.AvailableReplicas == 0:
		return Finding{
			Result: Bad, Subject: subject, Text: "none of its pods is available",
			Fix: FixPods, Namespace: render.SystemNamespace, Selector: "app.kubernetes.io/name=" + name,
		}
	}
	return good(subject, "%d of %s available", deployment.Status.AvailableReplicas, counted(int64(deployment.Status.Replicas), "pod"))
}

func (c *Cluster) settings(context.Context) Finding {
	f, found, err := Finding{Result: Info, Subject: "settings", Fix: FixSettings}, c.SettingsFound, c.SettingsErr
	switch {
	case !found && err != nil:
		return unknown(f.Subject, err)
	case !found:
		f.Fix = FixInstall
		f.Text = fmt.Sprintf("there is no ConfigMap %s in namespace %s: the defaults apply", render.SettingsName, render.SystemNamespace)
	case err != nil:
		f.Result, f.Text = Bad, err.Error()
	case len(c.Settings.BaseImages) == 0:
		f.Text = "no base images are set: nodes are built on public ones"
	default:
		return good(f.Subject, "%s", counted(int64(len(c.Settings.BaseImages)), "base image"))
	}
	return f
}

// channel checks whether the channels between the steps of a workflow can be created.
func (c *Cluster) channel(ctx context.Context) Finding {
	const subject = "channels"
	kind := schema.FromAPIVersionAndKind(c.Settings.ChannelTemplate.APIVersion, c.Settings.ChannelTemplate.Kind)
	switch definition, err := c.definitionOf(ctx, kind); {
	case err != nil:
		return unknown(subject, err)
	case definition == nil:
		return Finding{
			Result: Bad, Subject: subject, Fix: FixSettings,
			Text: fmt.Sprintf("the cluster does not have the kind %s, which ConfigMap %s names", kind.Kind, render.SettingsName),
		}
	}
	known := channel.Of(c.Settings.ChannelTemplate.APIVersion, kind.Kind, c.Settings.ChannelTemplate.Annotations)
	if problem := render.LimitProblem(known, c.Settings); problem != "" {
		return Finding{Result: Info, Subject: subject, Fix: FixSettings, Text: fmt.Sprintf("%s: %s, and %s", known.Name, known.Promise, problem)}
	}
	if known.Delegates {
		return good(subject, "%s: the kind is the cluster's default", known.Name)
	}
	return good(subject, "%s: %s", known.Name, known.Promise)
}

// gpu checks whether the cluster has machines that can run a pod with a GPU. It lists what kinds there are.
func (c *Cluster) gpu(ctx context.Context) Finding {
	const subject = "GPU"
	var machines corev1.NodeList
	if err := c.Kube.List(ctx, &machines); err != nil {
		return unknown(subject, err)
	}
	selector := labels.SelectorFromSet(c.Settings.GPUNodeSelector)
	offered, on, usual := map[corev1.ResourceName]int64{}, map[corev1.ResourceName]int64{}, int64(0)
	for _, m := range machines.Items {
		for name, quantity := range m.Status.Allocatable {
			if quantity.Value() <= 0 || name != c.Settings.GPUResource && !isGPU(name) {
				continue
			}
			offered[name] += quantity.Value()
			on[name]++
			if name == c.Settings.GPUResource && selector.Matches(labels.Set(m.Labels)) {
				usual += quantity.Value()
			}
		}
	}
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(offered)) {
		texts = append(texts, fmt.Sprintf("%d %s on %s", offered[name], name, counted(on[name], "machine")))
	}
	if usual > 0 {
		return good(subject, "%s", strings.Join(texts, ", "))
	}
	f := Finding{
		Result: Info, Subject: subject,
		Text: fmt.Sprintf("no machine of the cluster offers %s now: nodes with gpu: true wait for one", c.Settings.GPUResource),
	}
	if len(texts) > 0 {
		f.Text += "; there are " + strings.Join(texts, ", ")
	}
	return f
}

// isGPU reports whether a resource is that of a vendor of GPUs and the like, by the names of their device plugins.
func isGPU(name corev1.ResourceName) bool {
	vendor, _, _ := strings.Cut(string(name), "/")
	return slices.Contains([]string{"nvidia.com", "amd.com", "gpu.intel.com", "habana.ai"}, vendor)
}

// rights checks which of the user's rights are missing.
func (c *Cluster) rights(context.Context) Finding {
	const subject = "rights"
	switch {
	case c.MissingErr != nil:
		return unknown(subject, c.MissingErr)
	case len(c.Missing) == 0:
		return good(subject, "you have all that are needed in namespace %q", c.Namespace)
	}
	return Finding{
		Result: Bad, Subject: subject, Fix: FixRights, User: c.User,
		Text: fmt.Sprintf("in namespace %q you do not have: %s", c.Namespace, strings.Join(slices.Sorted(slices.Values(c.Missing)), ", ")),
	}
}
