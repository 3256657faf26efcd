package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/cluster/response"
	"krt.dev/kn-krt/pkg/render"
)

// Result is how a check of a cluster went.
type Result string

// Results of a [Finding].
const (
	// ResultGood: it is as it should be.
	ResultGood Result = "good"
	// ResultBad: no version can run, or not for this user.
	ResultBad Result = "bad"
	// ResultInfo: some versions need it to be different.
	ResultInfo Result = "info"
	// ResultUnknown: it could not be checked.
	ResultUnknown Result = "unknown"
)

// Fix is what changes what a [Finding] found.
type Fix string

// Fixes of a [Finding].
const (
	// FixNone: nothing that is known here.
	FixNone Fix = ""
	// FixInstall: install kn-krt, FixInstallServing and FixInstallEventing the halves of
	// Knative.
	FixInstall         Fix = "Install"
	FixInstallServing  Fix = "InstallServing"
	FixInstallEventing Fix = "InstallEventing"
	// FixPods: find out why the pods of Selector in Namespace are not available.
	FixPods Fix = "Pods"
	// FixSettings: edit the ConfigMap with the settings.
	FixSettings Fix = "Settings"
	// FixFeatures: enable the Features of Knative.
	FixFeatures Fix = "Features"
	// FixRights: give the user rights in the namespace.
	FixRights Fix = "Rights"
)

// Finding is what the check of one thing found.
type Finding struct {
	Result Result
	// Subject is what was checked: "Knative Serving".
	Subject string
	// Text is what was found, in words.
	Text string
	Fix  Fix
	// Namespace and Selector (name=value of a label) are those of FixPods.
	Namespace, Selector string
	// Features are those of FixFeatures, keys of Knative's ConfigMap config-features.
	Features []string
}

// Diagnose checks whether the cluster can run versions in the namespace, and whether the
// user has the rights to: its kinds, controller, settings, Knative, GPUs. Its error is an
// [*Error] if the API server does not respond, or ctx's.
func (c *Client) Diagnose(ctx context.Context) ([]Finding, error) {
	server, err := c.serverVersion(ctx)
	if err != nil {
		return nil, c.explain(err, "cannot check the cluster")
	}
	findings := []Finding{good("cluster", "Kubernetes %s at %s", server, c.config.Host)}
	// What is wrong with the settings is a finding of its own.
	settings, found, settingsErr := c.Settings(ctx)
	for _, check := range []func(context.Context) Finding{
		c.checkKinds, c.checkController,
		func(context.Context) Finding { return checkSettings(&settings, found, settingsErr) },
		c.checkServing, c.checkEventing,
		func(ctx context.Context) Finding { return c.checkChannel(ctx, &settings) },
		func(ctx context.Context) Finding { return c.checkGPU(ctx, &settings) },
		c.checkFeatures, c.checkRights,
	} {
		findings = append(findings, check(ctx))
	}
	return findings, ctx.Err()
}

func (c *Client) serverVersion(ctx context.Context) (string, error) {
	discovered, err := discovery.NewDiscoveryClientForConfig(c.config)
	if err != nil {
		return "", err
	}
	text, err := discovered.RESTClient().Get().AbsPath("/version").DoRaw(ctx)
	if err != nil {
		return "", err
	}
	var server version.Info
	if err := json.Unmarshal(text, &server); err != nil {
		return "", fmt.Errorf("cannot read the cluster's version: %w", err)
	}
	return server.GitVersion, nil
}

func good(subject, format string, args ...any) Finding {
	return Finding{Result: ResultGood, Subject: subject, Text: fmt.Sprintf(format, args...)}
}

func unknown(subject string, err error) Finding {
	return Finding{Result: ResultUnknown, Subject: subject, Text: fmt.Sprintf("cannot be checked: %v", err)}
}

func (c *Client) checkKinds(ctx context.Context) Finding {
	const subject = "kinds"
	for _, name := range []string{"versions.krt.dev", "runtimes.krt.dev"} {
		switch definition, err := c.definition(ctx, name); {
		case err != nil:
			return unknown(subject, err)
		case definition == nil:
			return Finding{
				Result: ResultBad, Subject: subject, Fix: FixInstall,
				Text: fmt.Sprintf("there is no resource %s: kn-krt is not installed", name),
			}
		}
	}
	return good(subject, "Version and Runtime of krt.dev are installed")
}

func (c *Client) checkController(ctx context.Context) Finding {
	const subject, name = "controller", "krt-controller"
	deployment := &appsv1.Deployment{}
	switch err := c.kube.Get(ctx, client.ObjectKey{Namespace: SystemNamespace, Name: name}, deployment); {
	case response.UnknownName(err):
		return Finding{
			Result: ResultBad, Subject: subject, Fix: FixInstall,
			Text: fmt.Sprintf("there is no Deployment %s in namespace %s", name, SystemNamespace),
		}
	case err != nil:
		return unknown(subject, err)
	case deployment.Status.AvailableReplicas == 0:
		return Finding{
			Result: ResultBad, Subject: subject, Text: "none of its pods is available",
			Fix: FixPods, Namespace: SystemNamespace, Selector: "app.kubernetes.io/name=" + name,
		}
	}
	return good(subject, "%d of %s available", deployment.Status.AvailableReplicas, counted(int64(deployment.Status.Replicas), "pod"))
}

// checkSettings judges what [Client.Settings] returned.
func checkSettings(settings *render.Settings, found bool, err error) Finding {
	f := Finding{Result: ResultInfo, Subject: "settings", Fix: FixSettings}
	switch {
	case !found && err != nil:
		return unknown(f.Subject, err)
	case !found:
		f.Fix = FixInstall
		f.Text = fmt.Sprintf("there is no ConfigMap %s in namespace %s: the defaults apply", render.SettingsName, SystemNamespace)
	case err != nil:
		f.Result, f.Text = ResultBad, err.Error()
	case len(settings.BaseImages) == 0:
		f.Text = "no base images are set: nodes are built on public ones"
	default:
		return good(f.Subject, "%s", counted(int64(len(settings.BaseImages)), "base image"))
	}
	return f
}

// checkChannel checks whether the channels between the steps of a workflow can be created.
func (c *Client) checkChannel(ctx context.Context, settings *render.Settings) Finding {
	const subject = "channels"
	kind := schema.FromAPIVersionAndKind(settings.ChannelTemplate.APIVersion, settings.ChannelTemplate.Kind)
	switch definition, err := c.definitionOf(ctx, kind); {
	case err != nil:
		return unknown(subject, err)
	case definition == nil:
		return Finding{
			Result: ResultBad, Subject: subject, Fix: FixSettings,
			Text: fmt.Sprintf("the cluster does not have the kind %s, which ConfigMap %s names", kind.Kind, render.SettingsName),
		}
	case kind.Kind == "InMemoryChannel":
		return good(subject, "%s: events are lost when its pods end", kind.Kind)
	}
	return good(subject, "%s", kind.Kind)
}

// checkGPU checks whether the cluster has machines that can run a pod with a GPU.
func (c *Client) checkGPU(ctx context.Context, settings *render.Settings) Finding {
	const subject = "GPU"
	var machines corev1.NodeList
	if err := c.kube.List(ctx, &machines, client.MatchingLabels(settings.GPUNodeSelector)); err != nil {
		return unknown(subject, err)
	}
	total := int64(0)
	for _, m := range machines.Items {
		quantity := m.Status.Allocatable[settings.GPUResource]
		total += quantity.Value()
	}
	if total > 0 {
		return good(subject, "%d %s on %s", total, settings.GPUResource, counted(int64(len(machines.Items)), "machine"))
	}
	return Finding{
		Result: ResultInfo, Subject: subject,
		Text: fmt.Sprintf("no machine of the cluster offers %s: nodes with gpu: true cannot run", settings.GPUResource),
	}
}

// checkRights checks which of the user's rights are missing.
func (c *Client) checkRights(ctx context.Context) Finding {
	const subject = "rights"
	missing, err := c.Missing(ctx, UserRights())
	switch {
	case err != nil:
		return unknown(subject, err)
	case len(missing) == 0:
		return good(subject, "you have all that are needed in namespace %q", c.namespace)
	}
	names := make([]string, len(missing))
	for i, r := range missing {
		names[i] = r.String()
	}
	slices.Sort(names)
	return Finding{
		Result: ResultBad, Subject: subject, Fix: FixRights,
		Text: fmt.Sprintf("in namespace %q you do not have: %s", c.namespace, strings.Join(names, ", ")),
	}
}

// counted is a number of things in words.
func counted(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
