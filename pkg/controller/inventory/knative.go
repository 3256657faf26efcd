package inventory

import (
	"context"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"krt.dev/kn-krt/pkg/knative"
)

// knativeInterval is how often the release of Knative is read: somebody upgrades it a few times a year.
const knativeInterval = 10 * time.Minute

// components are the two of Knative with a definition of each, which has the version as a label.
func components() map[string]string {
	return map[string]string{"serving": "services.serving.knative.dev", "eventing": "sequences.flows.knative.dev"}
}

// Knative reports which release of Knative the cluster has: as the metric krt_knative_info, and in the
// log if it is one that this kn-krt is not made for.
type Knative struct {
	reader client.Reader
	info   *prometheus.GaugeVec
	known  map[string]string // versions by component
}

// NewKnative returns the reporter. The reader must not be a cache, which would watch all definitions.
func NewKnative(reader client.Reader) *Knative {
	return &Knative{reader: reader, known: map[string]string{}, info: prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "krt_knative_info", Help: "1 for each component of Knative; supported is false for a release that kn-krt is not made for.",
	}, []string{"component", "version", "supported"})}
}

// Describe describes the metric, as a [prometheus.Collector] does.
func (k *Knative) Describe(to chan<- *prometheus.Desc) { k.info.Describe(to) }

// Watch reads the release at once and every ten minutes, until ctx is done.
func (k *Knative) Watch(ctx context.Context) error {
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		for component, definition := range components() {
			k.read(ctx, component, definition)
		}
	}, knativeInterval)
	return nil
}

// read reports the version of a component; what cannot be read stays as it was.
func (k *Knative) read(ctx context.Context, component, name string) {
	definition := &metav1.PartialObjectMetadata{}
	definition.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	err := k.reader.Get(ctx, client.ObjectKey{Name: name}, definition)
	logger := log.FromContext(ctx).WithValues("component", component)
	switch {
	case apierrors.IsNotFound(err):
		k.info.DeletePartialMatch(prometheus.Labels{"component": component})
		delete(k.known, component)
		return
	case err != nil:
		logger.Error(err, "cannot read the release of Knative")
		return
	}
	version := definition.Labels[knative.VersionLabel]
	if before, known := k.known[component]; known && before == version {
		return
	}
	k.known[component] = version
	supported := "true"
	if knative.Unsupported(version) {
		supported = "false"
		made := strings.Join(knative.Supported(), " and ")
		logger.Info("this kn-krt is not made for this release of Knative", "version", version, "supported", made)
	}
	k.info.DeletePartialMatch(prometheus.Labels{"component": component})
	k.info.WithLabelValues(component, version, supported).Set(1)
}
