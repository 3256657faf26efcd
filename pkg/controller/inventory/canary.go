package inventory

import (
	"github.com/prometheus/client_golang/prometheus"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// canaryDescs describe the metrics of canaries.
type canaryDescs struct{ info, weight, step, verdict *prometheus.Desc }

func newCanaryDescs() canaryDescs {
	of := []string{"namespace", "canary"}
	return canaryDescs{
		info: prometheus.NewDesc("krt_canary_info", "1 for the phase of the canary, with its reason.",
			append(of, "published", "phase", "reason"), nil),
		weight: prometheus.NewDesc("krt_canary_weight", "The percentage of requests that the canary gets.", of, nil),
		step:   prometheus.NewDesc("krt_canary_step", "The present step of the canary's plan, from 1.", of, nil),
		verdict: prometheus.NewDesc("krt_canary_verdict", "What is known about a value that has a limit: 1 good, 0 waiting, -1 bad.",
			append(of, "value"), nil),
	}
}

func (d canaryDescs) describe(to chan<- *prometheus.Desc) {
	for _, one := range []*prometheus.Desc{d.info, d.weight, d.step, d.verdict} {
		to <- one
	}
}

func (d canaryDescs) collect(rt *v1alpha1.Runtime, to chan<- prometheus.Metric) {
	c := rt.Status.Canary
	if c == nil {
		return
	}
	gauge := func(of *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(of, prometheus.GaugeValue, value, append([]string{rt.Namespace, c.Version}, labels...)...)
	}
	gauge(d.info, 1, rt.Status.PublishedVersion, string(c.Phase), c.Reason)
	gauge(d.weight, float64(c.Weight))
	if c.Step == 0 {
		return
	}
	gauge(d.step, float64(c.Step))
	for _, v := range c.Values {
		gauge(d.verdict, number(v.Verdict), v.Name)
	}
}

func number(verdict string) float64 {
	switch verdict {
	case v1alpha1.VerdictGood:
		return 1
	case v1alpha1.VerdictBad:
		return -1
	}
	return 0
}
