package render

import (
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/krt"
)

// environment is that of a node's container (KRT V1, "Environment of a node").
// What is said later wins: the node's own before the version's config before
// the contract. KRT_BASE_PATH is not here: only the image knows where its
// builder has put the bundle, and sets it.
func (in Input) environment(n v1alpha1.Node) []corev1.EnvVar {
	v := in.Version
	var env []corev1.EnvVar
	add := func(name, value string) {
		// A value means what it says: without this, Kubernetes would replace $(NAME) in it.
		env = append(env, corev1.EnvVar{Name: name, Value: strings.ReplaceAll(value, "$", "$$")})
	}
	addSecret := func(name string) {
		env = append(env, corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: ConfigName(v.Name)},
			Key:                  name,
		}}})
	}
	content := n.ConfigFiles == v1alpha1.ConfigFilesContent
	for _, name := range v.Spec.Config.Files {
		if content {
			add(name+krt.FilePathSuffix, configFolder+"/"+name)
		}
	}
	for _, e := range n.Env {
		add(e.Name, e.Value)
	}
	for _, name := range v.Spec.Config.Variables {
		addSecret(name)
	}
	for _, name := range v.Spec.Config.Files {
		if content {
			addSecret(name)
		} else {
			add(name, configFolder+"/"+name)
		}
	}
	add("KRT_VERSION", v.Name)
	add("KRT_VERSION_ID", v.Name)
	add("KRT_RUNTIME_ID", v.Namespace)
	add("KRT_NODE_NAME", n.Name)
	add("KRT_NODE_ID", ServiceName(v.Name, n.Name))
	workflow := krt.OnlyWorkflow(v.Spec.Workflows, manifestWorkflow, n.Name)
	add("KRT_WORKFLOW_NAME", workflow)
	add("KRT_WORKFLOW_ID", krt.WorkflowID(v.Name, workflow))
	if n.Src != "" {
		add("KRT_HANDLER_PATH", n.Src)
	}
	add("KRT_REPLY_URL", in.url(ReplyName(v.Name)))
	if in.Settings.StoreURL != "" {
		add("KRT_STORE", in.Settings.StoreURL)
	}
	add("KRT_LOG", "json")
	if n.Timeout != nil {
		add("KRT_TIMEOUT", n.Timeout.Duration.String())
	}
	add("KRT_BACKGROUND_TIMEOUT", in.background().String())
	add("KRT_MAX_MESSAGE_BYTES", strconv.Itoa(in.Settings.MaxMessageBytes))
	in.addWorkers(n, add)
	return lastOfEach(env)
}

// addWorkers adds what a runner is told about how many calls it works on at once.
func (in Input) addWorkers(n v1alpha1.Node, add func(name, value string)) {
	if workers := in.workers(n); workers > 0 {
		add("KRT_WORKERS", strconv.Itoa(workers))
	}
	if python(n) {
		add("KRT_QUEUE", strconv.Itoa(in.Settings.PythonQueue))
	}
	if n.Fork {
		add("KRT_FORK", "true")
	}
	if n.GPU { // the runner does not fork then
		add("KRT_GPU", "true")
	}
}

// lastOfEach drops variables that one with the same name follows. Server-side
// apply refuses a list with two of one name.
func lastOfEach(env []corev1.EnvVar) []corev1.EnvVar {
	kept := env[:0:0]
	for i, e := range env {
		same := func(later corev1.EnvVar) bool { return later.Name == e.Name }
		if !slices.ContainsFunc(env[i+1:], same) {
			kept = append(kept, e)
		}
	}
	return kept
}

func manifestWorkflow(w v1alpha1.Workflow) krt.Workflow { return krt.Workflow(w) }
