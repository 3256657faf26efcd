// Package diagnosis checks whether a cluster can run versions, and whether these can be seen
// from outside: metrics and traces. It reads objects and returns what it found, in words.
package diagnosis

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/render"
)

// Result is how a check of a cluster went.
type Result string

// Results of a [Finding].
const (
	// Good: it is as it should be.
	Good Result = "good"
	// Bad: no version can run, or not for this user.
	Bad Result = "bad"
	// Info: some versions need it to be different, or something can be seen less well.
	Info Result = "info"
	// Unknown: it could not be checked.
	Unknown Result = "unknown"
)

// Fix is what changes what a [Finding] found.
type Fix string

// Fixes of a [Finding].
const (
	// FixNone: nothing that is known here.
	FixNone Fix = ""
	// FixInstall: install kn-krt, FixInstallServing and FixInstallEventing the halves of
	// Knative, FixInstallQueue the queue of durable deliveries.
	FixInstall         Fix = "Install"
	FixInstallServing  Fix = "InstallServing"
	FixInstallEventing Fix = "InstallEventing"
	FixInstallQueue    Fix = "InstallQueue"
	// FixPods: find out why the pods of Selector in Namespace are not available.
	FixPods Fix = "Pods"
	// FixSettings: edit the ConfigMap with the settings; set Values, if there are any.
	FixSettings Fix = "Settings"
	// FixFeatures: enable the Features of Knative.
	FixFeatures Fix = "Features"
	// FixSchedulable: have Knative wait for machines that are yet to be added.
	FixSchedulable Fix = "Schedulable"
	// FixRights: give User rights in the namespace.
	FixRights Fix = "Rights"
	// FixObservability: set Values in ConfigMap config-observability of Knative's Namespace, and
	// restart what runs there.
	FixObservability Fix = "Observability"
	// FixMonitors: apply the objects of config/monitoring. FixMonitorLabels: give them Values
	// as labels, by which a Prometheus selects.
	FixMonitors      Fix = "Monitors"
	FixMonitorLabels Fix = "MonitorLabels"
)

// Finding is what the check of one thing found.
type Finding struct {
	Result Result
	// Subject is what was checked: "Knative Serving".
	Subject string
	// Text is what was found, in words.
	Text string
	Fix  Fix
	// Namespace and Selector (name=value of a label) are those of FixPods; Namespace is also
	// that of FixObservability.
	Namespace, Selector string
	// User is that of FixRights; empty if the name is not known.
	User string
	// Features are those of FixFeatures, keys of Knative's ConfigMap config-features.
	Features []string
	// Values are the labels of FixMonitorLabels, or settings of FixSettings and
	// FixObservability that help.
	Values map[string]string
}

// Cluster is a cluster, and what has been asked of it before the checks.
type Cluster struct {
	// Kube reads objects with the user's rights. It knows the kinds Version, Runtime,
	// CustomResourceDefinition, PodMonitor, Prometheus, and those of Kubernetes that are read.
	Kube client.Reader
	// Host is the API server's address, Release its version.
	Host, Release string
	// Namespace is where the user works, and Missing are the rights there, as roles name them,
	// that the user does not have; MissingErr is set if that could not be found out. User is the
	// name by which the API server knows the user; empty if it does not say.
	Namespace  string
	User       string
	Missing    []string
	MissingErr error
	// Settings are those of ConfigMap config-krt, which SettingsFound says is there;
	// SettingsErr is what is wrong with it, or why it could not be read.
	Settings      render.Settings
	SettingsFound bool
	SettingsErr   error
}

// Check checks everything, one thing after the other, until ctx is done.
func (c *Cluster) Check(ctx context.Context) []Finding {
	findings := []Finding{good("cluster", "Kubernetes %s at %s", c.Release, c.Host)}
	checks := []func(context.Context) Finding{
		c.kinds, c.controller, c.settings, c.store, c.queue, c.serving, c.eventing, c.channel, c.gpu, c.features, c.patience, c.rights,
		c.metrics, c.collector, c.traces,
	}
	if s := &c.Settings; s.IngressDomain != "" || s.IngressWebDomain != "" || s.Gateway.Name != "" {
		checks = append(checks, c.outside)
	}
	if c.Settings.OTLPEndpoint != "" { // without our spans, Knative's are of no interest here
		checks = append(checks, c.servingTraces, c.eventingTraces)
	}
	for _, check := range checks {
		if ctx.Err() != nil {
			break
		}
		findings = append(findings, check(ctx))
	}
	return findings
}

func good(subject, format string, args ...any) Finding {
	return Finding{Result: Good, Subject: subject, Text: fmt.Sprintf(format, args...)}
}

func unknown(subject string, err error) Finding {
	return Finding{Result: Unknown, Subject: subject, Text: fmt.Sprintf("cannot be checked: %v", err)}
}

// counted is a number of things in words.
func counted(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
