package render

import (
	"encoding/json"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
	messagingv1 "knative.dev/eventing/pkg/apis/messaging/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/channel"
	"krt.dev/kn-krt/pkg/entrypoint/program"
)

// ChannelName is the name that Knative Eventing gives to the channel of a step, counted from 0, of a Sequence.
func ChannelName(sequence string, step int) string {
	return fmt.Sprintf("%s-kn-sequence-%d", sequence, step)
}

// ChannelTemplate is the channel between the steps of the version's Sequences: its own, or the cluster's.
func (in Input) ChannelTemplate() v1alpha1.ChannelTemplate {
	if own := in.Version.Spec.Entrypoint.ChannelTemplate; own != nil {
		return *own
	}
	return in.Settings.ChannelTemplate
}

// template is the kind of the version's channels, as their template names it.
func (in Input) template() channel.Kind {
	t := in.ChannelTemplate()
	return channel.Of(t.APIVersion, t.Kind, t.Annotations)
}

// Channel is the kind of a workflow's channels: that of the template, or what it has become. It
// is undefined with other deliveries than Sequence.
func (in Input) Channel(workflow string) channel.Kind {
	if became := in.Channels[workflow]; became != "" && in.template().Delegates {
		return channel.Named(became, false)
	}
	return in.template()
}

// knownChannel reports whether the kind of a workflow's channels is known.
func (in Input) knownChannel(workflow string) bool {
	return !in.Kept || !in.template().Delegates || in.Channels[workflow] != ""
}

// channelTemplate is the template as a Sequence has it.
func (in Input) channelTemplate() *messagingv1.ChannelTemplateSpec {
	t := in.ChannelTemplate()
	s := &messagingv1.ChannelTemplateSpec{Spec: t.Spec.DeepCopy()}
	s.APIVersion, s.Kind = t.APIVersion, t.Kind
	return s
}

// channelAnnotations is the text of [AnnotationChannel]; empty without annotations.
func (in Input) channelAnnotations() string {
	t := in.ChannelTemplate()
	if len(t.Annotations) == 0 {
		return ""
	}
	text, _ := json.Marshal(t.Annotations) // this cannot fail
	return string(text)
}

// ChannelAnnotations returns the annotations that the channels of a Sequence have, from the
// text of its [AnnotationChannel].
func ChannelAnnotations(text string) (annotations map[string]string, err error) {
	if text == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(text), &annotations); err != nil {
		return nil, fmt.Errorf("annotation %s: %w", AnnotationChannel, err)
	}
	return annotations, nil
}

// channel sets what the entrypoint must know of a workflow's channels: of Knative's default, nothing.
func (in Input) channel(w *program.ConfigWorkflow) {
	k := in.Channel(w.Name)
	if in.Kept && k.Answers() {
		w.Channel, w.ChannelAsync = k.String(), k.Async
	}
}

// CheckLimit returns a text that says that messages may be too large for the version's
// channels; empty if none is.
func (in Input) CheckLimit(workflow string) string {
	if in.direct() {
		return ""
	}
	return LimitProblem(in.Channel(workflow), in.Settings)
}

// LimitProblem returns a text that says that messages may be too large for channels of the
// kind; empty if none is.
func LimitProblem(k channel.Kind, s Settings) string {
	if !k.Exceeds(int64(s.MaxMessageBytes)) {
		return ""
	}
	return fmt.Sprintf("messages may have %d bytes (max-message-bytes), and a %s usually has a limit of %d (%s); "+
		"raise that limit, or lower max-message-bytes", s.MaxMessageBytes, k.Name, k.MaxBytes, k.Limit)
}

// ParseChannelTemplate reads a channel template in YAML: apiVersion, kind, annotations and spec.
func ParseChannelTemplate(text string) (v1alpha1.ChannelTemplate, error) {
	var template v1alpha1.ChannelTemplate
	if err := object(&template, text, "a channel template (apiVersion, kind, annotations, spec)"); err != nil {
		return template, err
	}
	return template, checkTemplate(template)
}

func checkTemplate(t v1alpha1.ChannelTemplate) error {
	group, err := schema.ParseGroupVersion(t.APIVersion)
	switch {
	case err != nil || group.Group == "" || group.Version == "":
		return fmt.Errorf("apiVersion %.80q is not that of a channel, such as %q", t.APIVersion, channel.DefaultVersion)
	case t.Kind == "":
		return fmt.Errorf("kind is missing, such as %q", channel.Default().Name)
	case len(t.Annotations) > 0 && channel.Of(t.APIVersion, t.Kind, nil).Delegates:
		return errors.New("a Channel does not pass annotations on: name the kind that it makes")
	}
	return checkAnnotations(t.Annotations)
}
