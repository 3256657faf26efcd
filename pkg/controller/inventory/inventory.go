// Package inventory makes metrics of which versions a cluster has, from the caches of the
// controller. docs/reference/metrics.md lists them.
package inventory

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/buildinfo"
)

// readTime is how long reading from a cache may take.
const readTime = time.Second

// phases are those of a version. One that is new is reported as "".
func phases() []v1alpha1.Phase {
	return []v1alpha1.Phase{"", v1alpha1.PhaseStopped, v1alpha1.PhaseStarting, v1alpha1.PhaseStarted, v1alpha1.PhasePublishing,
		v1alpha1.PhasePublished, v1alpha1.PhaseStopping}
}

// Inventory is a collector: what it reports is read when it is asked for.
type Inventory struct {
	reader                     client.Reader
	versions, ready, published *prometheus.Desc
	canary                     canaryDescs
	build                      prometheus.Collector
}

// New returns the collector of what reader has. It must read from a cache: each scrape lists
// all versions and runtimes.
func New(reader client.Reader) *Inventory {
	version := []string{"namespace", "version"}
	return &Inventory{
		reader:    reader,
		versions:  prometheus.NewDesc("krt_versions", "Versions by phase.", []string{"phase"}, nil),
		ready:     prometheus.NewDesc("krt_version_ready", "1 if the version is ready, else 0. A stopped version has no value.", version, nil),
		published: prometheus.NewDesc("krt_published_info", "1 for the version that is published in the namespace.", version, nil),
		canary:    newCanaryDescs(),
		build:     buildinfo.Collector(),
	}
}

// Describe implements [prometheus.Collector].
func (i *Inventory) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{i.versions, i.ready, i.published} {
		to <- d
	}
	i.canary.describe(to)
	i.build.Describe(to)
}

// Collect implements [prometheus.Collector]. What cannot be read is left out: the other
// metrics of the controller are served all the same.
func (i *Inventory) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), readTime)
	defer cancel()
	i.build.Collect(to)
	i.collectVersions(ctx, to)
	i.collectPublished(ctx, to)
}

func (i *Inventory) collectVersions(ctx context.Context, to chan<- prometheus.Metric) {
	var list v1alpha1.VersionList
	if i.reader.List(ctx, &list, client.UnsafeDisableDeepCopy) != nil {
		return
	}
	counts := map[v1alpha1.Phase]int{}
	for n := range list.Items {
		v := &list.Items[n]
		counts[v.Status.Phase]++
		if v.WantedState() == v1alpha1.StateStopped && v.Status.Phase != v1alpha1.PhasePublished { // that one is not stopped
			continue
		}
		ready := 0.0
		if v.IsReady() {
			ready = 1
		}
		to <- prometheus.MustNewConstMetric(i.ready, prometheus.GaugeValue, ready, v.Namespace, v.Name)
	}
	for _, phase := range phases() {
		if phase != "" || counts[phase] > 0 {
			to <- prometheus.MustNewConstMetric(i.versions, prometheus.GaugeValue, float64(counts[phase]), string(phase))
		}
	}
}

func (i *Inventory) collectPublished(ctx context.Context, to chan<- prometheus.Metric) {
	var list v1alpha1.RuntimeList
	if i.reader.List(ctx, &list, client.UnsafeDisableDeepCopy) != nil {
		return
	}
	for n := range list.Items {
		i.canary.collect(&list.Items[n], to)
		if rt := &list.Items[n]; rt.Status.PublishedVersion != "" {
			to <- prometheus.MustNewConstMetric(i.published, prometheus.GaugeValue, 1, rt.Namespace, rt.Status.PublishedVersion)
		}
	}
}
