package scripts

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/test/apiserver"
)

// Traces are kn-krt's own setting and one in each half of Knative.
func TestDoctorKnowsWhatIsTraced(t *testing.T) {
	n := newClinic(t)
	settings := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "config-krt", Namespace: "krt-system"}}
	n.create(settings)
	n.finds(" I traces: requests are not traced: setting otlp-endpoint is not set",
		`kubectl patch configmap config-krt -n krt-system --type merge -p '{"data":{"otlp-endpoint":"http://COLLECTOR:4318"}}'`)
	n.finds("?? traces: cannot be checked: the settings cannot be read", "", "--as", "nobody")

	settings.Data = map[string]string{"otlp-endpoint": "http://otel:4318/", "trace-sampling": "0.125"}
	require.NoError(t, n.client.Update(t.Context(), settings))
	n.finds("++ traces: traces of 12.5 % of requests, unless their client decides, are sent to http://otel:4318/", "")
	const command = `kubectl patch configmap config-observability -n knative-serving --type merge -p '{"data":{` +
		`"tracing-endpoint":"http://otel:4318/v1/traces","tracing-protocol":"http/protobuf","tracing-sampling-rate":"0.001"}}'` +
		` && kubectl rollout restart deployment -n knative-serving`
	n.finds(" I Serving traces: Knative's spans are not recorded: tracing-protocol of config-observability is none", command)

	n.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "knative-serving"}})
	serving := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "config-observability", Namespace: "knative-serving"}}
	n.create(serving)
	for _, test := range []struct {
		data         map[string]string
		row, command string
	}{
		{nil, " I Serving traces: tracing-protocol of config-observability is none", command},
		{map[string]string{"tracing-protocol": "grpc", "tracing-endpoint": "http://other:4317"},
			" I Serving traces: Knative's spans are not recorded: tracing-sampling-rate of config-observability is 0", command},
		{map[string]string{"tracing-protocol": "grpc", "tracing-endpoint": "http://other:4317", "tracing-sampling-rate": "0.1"},
			"++ Serving traces: Knative's spans are sent to http://other:4317", ""},
		{map[string]string{"tracing-protocol": "stdout"}, "++ Serving traces: Knative's spans are sent to stdout", ""},
	} {
		serving.Data = test.data
		require.NoError(t, n.client.Update(t.Context(), serving))
		n.finds(test.row, test.command)
	}

	_, err := n.server.Install(t.Context(), apiserver.Folder+"/200-user-roles.yaml") // by which everybody reads the settings
	require.NoError(t, err)
	n.finds("?? Serving traces: cannot be checked: configmaps \"config-observability\" is forbidden", "", "--as", "nobody")

	settings.Data["otlp-protocol"], settings.Data["otlp-endpoint"] = "grpc", "http://otel:4317"
	require.NoError(t, n.client.Update(t.Context(), settings))
	n.finds(" I Eventing traces: Knative's spans are not recorded",
		`kubectl patch configmap config-observability -n knative-eventing --type merge -p '{"data":{`+
			`"tracing-endpoint":"http://otel:4317","tracing-protocol":"grpc","tracing-sampling-rate":"0.001"}}'`+
			` && kubectl rollout restart deployment -n knative-eventing`)
}
