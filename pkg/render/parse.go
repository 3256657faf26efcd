package render

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"krt.dev/kn-krt/pkg/krt/spelling"
)

// exampleKey is the key of the ConfigMap whose text shows and documents all others, as in
// Knative's. It is not read.
const exampleKey = "_example"

// maxSetting is how long the text of a setting that versions record may be, in bytes.
const maxSetting = 4096

// ParseSettings reads the data of the ConfigMap config-krt over [DefaultSettings]. The error
// names every invalid key, in the order of their names, with what it may be; the settings
// are then the defaults.
func ParseSettings(data map[string]string) (Settings, error) {
	s := DefaultSettings()
	known := map[string]func(*Settings, string) error{}
	for _, k := range settingKeys() {
		known[k.name] = k.set
	}
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(data)) {
		set := known[name]
		switch {
		case name == exampleKey:
		case set == nil:
			hint := spelling.Hint(name, slices.Sorted(maps.Keys(known)))
			problems = append(problems, fmt.Errorf("%.80q is not a setting%s", name, hint))
		case len(data[name]) > maxSetting && effectOf(name) != elsewhere:
			problems = append(problems, fmt.Errorf("%s: the value has %d bytes, at most %d are allowed", name, len(data[name]), maxSetting))
		default:
			if err := set(&s, strings.TrimSpace(data[name])); err != nil {
				problems = append(problems, fmt.Errorf("%s: %w", name, err))
			}
		}
	}
	problems = append(problems, s.check()...)
	if len(problems) > 0 {
		return DefaultSettings(), fmt.Errorf("cannot use the settings: %w", oneLine(problems))
	}
	return s, nil
}

// check reports settings that are valid each and invalid together.
func (s Settings) check() (problems []error) {
	if s.ScaleMax > 0 && s.ScaleMax < s.ScaleMin {
		problems = append(problems, fmt.Errorf("scale-max: %d is less than scale-min, %d", s.ScaleMax, s.ScaleMin))
	}
	if s.IngressDomain != "" && s.IngressDomain == s.IngressWebDomain {
		problems = append(problems, fmt.Errorf("ingress-web-domain: %q is ingress-domain too: a host has one protocol to its backend",
			s.IngressWebDomain))
	}
	return append(problems, s.checkMemory()...)
}

// oneLine joins problems on one line, as conditions and logs need them.
func oneLine(problems []error) error {
	if len(problems) == 1 {
		return problems[0]
	}
	texts := make([]string, len(problems))
	for i, p := range problems {
		texts[i] = p.Error()
	}
	return errors.New(strings.Join(texts, "; "))
}

// SettingDoc documents one setting.
type SettingDoc struct {
	Name string
	// About is what it means and what it may be; Example is the default, or an example if
	// About has "Default: none".
	About, Example string
	// Effect is when a change applies; empty for after a start or a restart.
	Effect string
}

// SettingDocs documents all settings, by subject.
func SettingDocs() []SettingDoc {
	keys := settingKeys()
	docs := make([]SettingDoc, len(keys))
	for i, k := range keys {
		docs[i] = SettingDoc{Name: k.name, About: k.about, Example: k.example}
		switch effectOf(k.name) {
		case atOnce:
			docs[i].Effect = "A change applies at once: running versions get new pods, one by one."
		case elsewhere:
			docs[i].Effect = "A change applies at once."
		}
	}
	return docs
}

// SettingsExample returns the text of the key _example: every setting with its documentation
// and its default, or an example if there is none.
func SettingsExample() string {
	var b strings.Builder
	b.WriteString("# All settings of kn-krt, with their defaults. This block is not read: to change a setting,\n" +
		"# add its key next to _example. A change applies to versions that start afterwards, and to a\n" +
		"# running version after kn krt restart NAME, unless noted otherwise.\n")
	for _, k := range SettingDocs() {
		b.WriteByte('\n')
		for line := range strings.Lines(k.About) {
			b.WriteString("# " + line)
		}
		if k.Effect != "" {
			b.WriteString("\n# " + k.Effect)
		}
		fmt.Fprintf(&b, "\n%s:", k.Name)
		if !strings.Contains(k.Example, "\n") {
			fmt.Fprintf(&b, " %q\n", k.Example)
			continue
		}
		b.WriteString(" |\n")
		for line := range strings.Lines(k.Example) {
			b.WriteString("  " + line)
		}
	}
	return b.String()
}
