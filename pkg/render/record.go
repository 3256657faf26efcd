package render

import (
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
)

// effect is when a changed setting applies to a running version.
type effect int

const (
	// afterRestart: once the version is started or restarted.
	afterRestart effect = iota
	// atOnce: it is safe, because pods that do not start with it do not replace others.
	atOnce
	// elsewhere: no object of a version depends on it.
	elsewhere
)

// effectOf returns when a change of a setting applies.
func effectOf(name string) effect {
	switch name {
	case "image-pull-secrets", "store-url", "store-ca", "queue-secret", "queue-ca":
		return atOnce
	case "base-images", "start-timeout", "gateway",
		"ingress-domain", "ingress-class", "ingress-annotations", "ingress-tls-secret",
		"ingress-web-domain", "ingress-web-annotations", "ingress-web-tls-secret",
		"retention-measurements", "retention-predictions", "retention-documents", "retention-dead-letters", "prometheus-url":
		return elsewhere
	}
	return afterRestart
}

// Record returns the settings that the objects of a version depend on, by their key in
// config-krt: from its data, or else the default. [SettingsOf] reads it, in this program or
// in one with other defaults. The data must be valid for [ParseSettings].
func Record(data map[string]string) map[string]string {
	record := map[string]string{}
	for _, k := range settingKeys() {
		if effectOf(k.name) == elsewhere {
			continue
		}
		if text, set := data[k.name]; set {
			record[k.name] = strings.TrimSpace(text)
		} else if text, exists := k.defaultText(); exists {
			record[k.name] = text
		}
	}
	return record
}

// defaultText returns the text of the default; false if there is none, and the example is
// only an example.
func (k settingKey) defaultText() (text string, exists bool) {
	text, s := strings.TrimSpace(k.example), DefaultSettings()
	if err := k.set(&s, text); err != nil || !equality.Semantic.DeepEqual(s, DefaultSettings()) {
		return "", false
	}
	return text, true
}

// SettingsOf reads a record. What this program does not know or no longer accepts is left
// out: another program has written the record.
func SettingsOf(record map[string]string) Settings {
	s := DefaultSettings()
	for _, k := range settingKeys() {
		if text, exists := record[k.name]; exists && effectOf(k.name) != elsewhere {
			if next := s; k.set(&next, text) == nil {
				s = next
			}
		}
	}
	return s
}

// Renew returns a record with the current values of those settings that apply at once.
func Renew(record, now map[string]string) map[string]string {
	renewed := map[string]string{}
	for _, from := range []struct {
		texts map[string]string
		new   bool
	}{{record, false}, {now, true}} {
		for key, text := range from.texts {
			if from.new == (effectOf(key) == atOnce) {
				renewed[key] = text
			}
		}
	}
	return renewed
}

// Lasting returns those settings of a record that do not apply at once.
func Lasting(record map[string]string) map[string]string { return Renew(record, nil) }

// Behind returns the settings, in the order of their names, whose current values would
// render the version differently than those in its record. The input's are not used.
func Behind(in Input, record, now map[string]string) (keys []string) {
	before := in.objectsOf(record)
	names := maps.Clone(record)
	maps.Copy(names, now)
	for _, key := range slices.Sorted(maps.Keys(names)) {
		was, existed := record[key]
		is, exists := now[key]
		if effectOf(key) != afterRestart || was == is && existed == exists {
			continue
		}
		changed := maps.Clone(record)
		if delete(changed, key); exists {
			changed[key] = is
		}
		if !equality.Semantic.DeepEqual(before, in.objectsOf(changed)) {
			keys = append(keys, key)
		}
	}
	return keys
}

// objectsOf renders the version with the settings of a record; nil if that fails.
func (in Input) objectsOf(record map[string]string) []Object {
	in.Settings = SettingsOf(record)
	objects, err := Objects(in)
	if err != nil {
		return nil
	}
	return objects
}

// LongestWork is how long work on a request may take, also after its response.
// Of the input, version, settings and streams matter.
func LongestWork(in Input) time.Duration { return in.longest() }
