package render

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"krt.dev/kn-krt/pkg/entrypoint/program"
	"krt.dev/kn-krt/pkg/queue"
)

const (
	// contentFile is the configuration that cmd/entrypoint reads, next to the protos.
	contentFile = "entrypoint.json"
	// descriptorsFile has the descriptors of messages between nodes.
	descriptorsFile = "descriptors.pb"
)

// content is the configuration of an entrypoint: the ConfigMap's data, and the path of each
// key in the entrypoint's folder. A key cannot contain a slash, a path may.
type content struct {
	data   map[string]string
	binary map[string][]byte
	items  []corev1.KeyToPath
}

func (in Input) content() (content, error) {
	config, err := json.MarshalIndent(in.config(), "", "  ")
	if err != nil {
		return content{}, fmt.Errorf("%s: %w", contentFile, err)
	}
	c := content{
		data:  map[string]string{contentFile: string(config) + "\n"},
		items: []corev1.KeyToPath{{Key: contentFile, Path: contentFile}},
	}
	if i := in.Version.Spec.Entrypoint.Inspect; i != nil && len(i.Descriptors) > 0 {
		c.binary = map[string][]byte{descriptorsFile: i.Descriptors}
		c.items = append(c.items, corev1.KeyToPath{Key: descriptorsFile, Path: descriptorsFile})
	}
	public := false
	for i, file := range in.Version.Spec.Entrypoint.Files {
		if file.Path == contentFile {
			return content{}, fmt.Errorf("a proto cannot be named %q", contentFile)
		}
		public = public || file.Path == in.Version.Spec.Entrypoint.Proto
		key := fmt.Sprintf("proto-%d", i)
		c.data[key] = file.Content
		c.items = append(c.items, corev1.KeyToPath{Key: key, Path: file.Path})
	}
	if !public {
		return content{}, errors.New("entrypoint.proto is not among entrypoint.files")
	}
	return c, nil
}

// config is the configuration of cmd/entrypoint.
func (in Input) config() program.Config {
	v := in.Version
	c := program.Config{
		Version:         v.Name,
		Namespace:       v.Namespace,
		Description:     v.Spec.Description,
		Proto:           v.Spec.Entrypoint.Proto,
		Timeout:         in.timeout().String(),
		Background:      in.background().String(),
		ConnectionAge:   in.Settings.ConnectionAge.String(),
		ConnectionGrace: in.drainTime().String(),
		MaxMessageBytes: in.Settings.MaxMessageBytes,
		MaxBytes:        in.Settings.Budget(),
		WebOrigins:      in.Settings.WebOrigins,
		KeyFile:         keyFolder + "/" + ReplySecretKey,
	}
	if in.Traffic {
		c.Traffic = trafficFolder
	}
	if in.cold() {
		c.Cold = coldFolder
	}
	in.streamLimits(&c)
	c.Queue = in.queue()
	c.Authentication = in.authentication()
	c.Wake = in.wake()
	if in.saves() {
		c.Store, c.Measurements = in.Settings.Store(), string(in.Settings.Measurements)
		c.Letters, c.Results = in.letters(), in.results()
		if in.StoreSecret != "" {
			c.StoreCredentials = storeFolder
		}
	}
	if i := v.Spec.Entrypoint.Inspect; i != nil {
		c.Inspect = &program.ConfigInspect{Share: int(i.Share), PayloadBytes: int(i.PayloadBytes), Redact: i.Redact}
		if len(i.Descriptors) > 0 {
			c.Inspect.Descriptors = descriptorsFile
		}
	}
	for _, w := range v.Spec.Workflows {
		workflow := program.ConfigWorkflow{Name: w.Name, Entrypoint: w.Entrypoint}
		if !in.direct() {
			workflow.Address = in.Addresses[w.Name]
			in.channel(&workflow)
		}
		for _, node := range w.Sequential {
			workflow.Steps = append(workflow.Steps, in.step(node))
		}
		c.Workflows = append(c.Workflows, workflow)
	}
	return c
}

func (in Input) step(node string) program.ConfigStep {
	step := program.ConfigStep{Node: node}
	if !in.direct() && !in.letters() { // a dead letter of a Sequence is replayed directly
		return step
	}
	step.URL = in.url(ServiceName(in.Version.Name, node))
	for _, n := range in.Version.Spec.Nodes {
		if n.Name == node && in.durable() && in.Attempts && !in.hasShortcut(n) { // past Knative, a call may take as long as the work
			step.TimeoutSeconds = in.nodeTimeout(n)
		}
		// The dot at the end keeps the resolver from trying its search path.
		switch {
		case n.Name != node:
		case in.hasShortcut(n):
			step.Shortcut = in.url(ShortcutName(in.Version.Name, node)) + "."
		case in.callsPods(n):
			step.Pods = fmt.Sprintf("%s.:%d", in.url(PodsName(in.Version.Name, node)), proxyPort)
		}
	}
	return step
}

// hash is a hash of the content. An entrypoint reads the content once, when it starts.
func (c content) hash() string {
	h := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(c.data)) {
		fmt.Fprintf(h, "%s %d %s", key, len(c.data[key]), c.data[key])
	}
	for _, key := range slices.Sorted(maps.Keys(c.binary)) {
		fmt.Fprintf(h, "%s %d %s", key, len(c.binary[key]), c.binary[key])
	}
	for _, item := range c.items {
		fmt.Fprintf(h, "%s %s ", item.Key, item.Path)
	}
	return hex.EncodeToString(h.Sum(nil))[:32]
}

// name is that of the ConfigMap. A pod that is replaced, or whose container starts again, must find what it was made
// for, also while those that are to follow it do not start: nothing in a ConfigMap ever changes, and another content is
// in another one. In versions that an older kn-krt has started there is one, which is changed.
func (c content) name(in Input) string {
	if !in.OwnContent() {
		return EntrypointName(in.Version.Name)
	}
	return ContentName(in.Version.Name, c.hash())
}

// MountedContent is the name of the ConfigMap with their configuration that the pods of an entrypoint's Deployment mount;
// "" if they mount none.
func MountedContent(d *appsv1.Deployment) string {
	for _, v := range d.Spec.Template.Spec.Volumes {
		if v.Name == contentVolume && v.ConfigMap != nil {
			return v.ConfigMap.Name
		}
	}
	return ""
}

// ContentSteps are the steps of which an entrypoint with durable delivery and this configuration fetches events.
func ContentSteps(m *corev1.ConfigMap) (steps []queue.Step, err error) {
	var c program.Config
	if err := json.Unmarshal([]byte(m.Data[contentFile]), &c); err != nil {
		return nil, fmt.Errorf("cannot read ConfigMap %q: %s: %w", m.Name, contentFile, err)
	}
	for _, w := range c.Workflows {
		nodes := make([]string, len(w.Steps))
		for i, s := range w.Steps {
			nodes[i] = s.Node
		}
		steps = append(steps, queue.Steps(w.Name, nodes...)...)
	}
	return steps, nil
}

func (c content) configMap(in Input) *corev1.ConfigMap {
	m := &corev1.ConfigMap{ObjectMeta: in.meta(c.name(in), labels(in.Version.Name, entrypointContainer)), Data: c.data,
		BinaryData: c.binary}
	if in.OwnContent() {
		m.Immutable = new(true)
	}
	m.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMap"))
	return m
}

func (c content) volume(in Input) *corev1.ConfigMapVolumeSource {
	return &corev1.ConfigMapVolumeSource{
		LocalObjectReference: corev1.LocalObjectReference{Name: c.name(in)},
		Items:                c.items,
	}
}
