// Package buildinfo is the metric krt_build_info, which each program of kn-krt on a cluster has.
package buildinfo

import (
	"runtime"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
)

// Collector returns the metric of this program. Its label is not version: that is the version
// that an entrypoint serves, which the collector of metrics adds.
func Collector() prometheus.Collector {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		version = info.Main.Version
	}
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "krt_build_info", Help: "1, with the version of kn-krt and of Go that the program was built with.",
		ConstLabels: prometheus.Labels{"release": version, "go_version": runtime.Version()},
	})
	g.Set(1)
	return g
}
