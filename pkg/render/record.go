package render

import (
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// holding is when a changed setting holds for a version that runs.
type holding int

const (
	// afterRestart: once the version is started or restarted. It is part of what runs.
	afterRestart holding = iota
	// atOnce: it cannot hurt; what cannot run with it leaves what runs as it is.
	atOnce
	// elsewhere: no object of a version is made of it.
	elsewhere
)

// holds says when a change of a setting does.
func holds(name string) holding {
	switch name {
	case "image-pull-secrets", "store-url":
		return atOnce
	case "base-images", "start-timeout", "ingress-domain", "ingress-class", "ingress-annotations", "ingress-tls-secret":
		return elsewhere
	}
	return afterRestart
}

// Record returns the settings that the objects of a version are made of, by their
// key in config-krt: what its data says, else the default. [SettingsOf] reads it, in
// this program or in one with other defaults. The data must be good for [ParseSettings].
func Record(data map[string]string) map[string]string {
	record := map[string]string{}
	for _, k := range settingKeys() {
		if holds(k.name) == elsewhere {
			continue
		}
		if said, there := data[k.name]; there {
			record[k.name] = strings.TrimSpace(said)
		} else if text, there := k.byDefault(); there {
			record[k.name] = text
		}
	}
	return record
}

// byDefault is the text of the default; false where that is nothing, and the example only one.
func (k settingKey) byDefault() (text string, there bool) {
	text, s := strings.TrimSpace(k.example), DefaultSettings()
	if err := k.set(&s, text); err != nil || !equality.Semantic.DeepEqual(s, DefaultSettings()) {
		return "", false
	}
	return text, true
}

// SettingsOf reads a record. What this program does not know of it, or takes no
// longer, is left out: another program has written it.
func SettingsOf(record map[string]string) Settings {
	s := DefaultSettings()
	for _, k := range settingKeys() {
		if text, there := record[k.name]; there && holds(k.name) != elsewhere {
			if next := s; k.set(&next, text) == nil {
				s = next
			}
		}
	}
	return s
}

// Renew returns a record with those settings as they are now that hold at once.
func Renew(record, now map[string]string) map[string]string {
	renewed := map[string]string{}
	for _, from := range []struct {
		texts map[string]string
		new   bool
	}{{record, false}, {now, true}} {
		for key, text := range from.texts {
			if from.new == (holds(key) == atOnce) {
				renewed[key] = text
			}
		}
	}
	return renewed
}

// Lasting are those settings of a record that do not hold at once.
func Lasting(record map[string]string) map[string]string { return Renew(record, nil) }

// Behind are the settings, in the order of their names, by which the version would
// be made otherwise now than it is by its record. Those of the input are not looked at.
func Behind(in Input, record, now map[string]string) (keys []string) {
	before := in.by(record)
	names := maps.Clone(record)
	maps.Copy(names, now)
	for _, key := range slices.Sorted(maps.Keys(names)) {
		was, wasThere := record[key]
		is, isThere := now[key]
		if holds(key) != afterRestart || was == is && wasThere == isThere {
			continue
		}
		changed := maps.Clone(record)
		if delete(changed, key); isThere {
			changed[key] = is
		}
		if !equality.Semantic.DeepEqual(before, in.by(changed)) {
			keys = append(keys, key)
		}
	}
	return keys
}

// by is what the settings of a record make of the version; nil where they cannot.
func (in Input) by(record map[string]string) []Object {
	in.Settings = SettingsOf(record)
	objects, err := Objects(in)
	if err != nil {
		return nil
	}
	return objects
}

// LongestWork is how long work for a request may go on, behind its answer too.
func LongestWork(v *v1alpha1.Version, s Settings) time.Duration {
	return Input{Version: v, Settings: s}.longest()
}
