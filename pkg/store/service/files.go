package service

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"krt.dev/kn-krt/pkg/store/sqlite"
)

// files collects what SQLite's files take, and what was removed from them.
type files struct {
	usages                        func() []sqlite.Usage
	used, limit, free, size, gone *prometheus.Desc
}

func newFiles(usages func() []sqlite.Usage) *files {
	describe := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, append([]string{"file"}, labels...), nil)
	}
	return &files{
		usages: usages,
		used:   describe("krt_store_file_bytes", "Bytes of an SQLite file that have data."),
		limit:  describe("krt_store_file_limit_bytes", "Bytes that an SQLite file may have (-file-bytes)."),
		free:   describe("krt_store_volume_free_bytes", "Bytes that are free on the volume with an SQLite file."),
		size:   describe("krt_store_volume_bytes", "Bytes of the volume with an SQLite file."),
		gone: describe("krt_store_removed_total", "Entries removed because an SQLite file had reached its limit: the oldest of the "+
			"namespace that has the most.", "kind"),
	}
}

// Describe implements [prometheus.Collector].
func (f *files) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{f.used, f.limit, f.free, f.size, f.gone} {
		to <- d
	}
}

// Collect implements [prometheus.Collector].
func (f *files) Collect(to chan<- prometheus.Metric) {
	for _, u := range f.usages() {
		gauge := func(d *prometheus.Desc, value int64) {
			to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(value), u.File)
		}
		gauge(f.used, u.Used)
		gauge(f.limit, u.Limit)
		if u.VolumeSize > 0 {
			gauge(f.free, u.VolumeFree)
			gauge(f.size, u.VolumeSize)
		}
		for kind, n := range map[string]uint64{kindMeasurement: u.Measurements, kindPrediction: u.Predictions, kindLetter: u.Results} {
			to <- prometheus.MustNewConstMetric(f.gone, prometheus.CounterValue, float64(n), u.File, kind)
		}
	}
}

// usages are those of the SQLite files that can be read now.
func (o *opened) usages() (found []sqlite.Usage) {
	for _, d := range o.all {
		if s, ok := d.backend.(*sqlite.Store); ok {
			ctx, cancel := context.WithTimeout(context.Background(), pingTimeout)
			if u, err := s.Usage(ctx); err == nil {
				found = append(found, u)
			}
			cancel()
		}
	}
	return found
}
