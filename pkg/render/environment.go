package render

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/runner/environment"
)

// environment is that of a node's container (KRT V1, "Environment of a node").
// The later of two wins: the version's config overrides the node's own, and the contract
// overrides both. KRT_BASE_PATH is not here: the image sets it, because only its builder
// knows where the bundle is.
func (in Input) environment(n v1alpha1.Node) []corev1.EnvVar {
	v := in.Version
	var env []corev1.EnvVar
	add := func(name, value string) {
		// Values are literal: without this, Kubernetes would expand $(NAME) in them.
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
	in.contract(n).Each(add)
	return lastOfEach(env)
}

// contract is what the platform sets for node n.
func (in Input) contract(n v1alpha1.Node) environment.Values {
	v := in.Version
	workflow := krt.OnlyWorkflow(v.Spec.Workflows, manifestWorkflow, n.Name)
	values := environment.Values{
		Version: v.Name, Runtime: v.Namespace,
		Node: n.Name, NodeID: ServiceName(v.Name, n.Name),
		Workflow: workflow, WorkflowID: krt.WorkflowID(v.Name, workflow),
		HandlerPath: n.Src,
		ReplyURL:    in.url(ReplyName(v.Name)), Store: in.Settings.Store(), Log: "json",
		BackgroundTimeout: in.background(), MaxMessageBytes: in.Settings.MaxMessageBytes,
		Workers: in.workers(n), Fork: n.Fork, GPU: n.GPU,
	}
	if in.StoreSecret != "" {
		values.StoreCredentials = storeFolder
	}
	if n.Timeout != nil {
		values.Timeout = n.Timeout.Duration
	}
	if python(n) {
		values.Queue = in.Settings.PythonQueue
	}
	return values
}

// lastOfEach drops variables that are set again later. Server-side apply refuses a list with
// two of one name.
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
