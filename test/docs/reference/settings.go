package reference

import (
	"fmt"
	"strings"

	"krt.dev/kn-krt/pkg/render"
)

func settings(string) (string, error) {
	var b strings.Builder
	begin(&b, "Settings", fmt.Sprintf("The keys of the ConfigMap `%s` in `%s`, for the whole cluster. A change applies to "+
		"versions that start afterwards, and to a running version after `kn krt restart NAME`, unless noted otherwise. An invalid value is "+
		"reported by an event of the ConfigMap, and the last valid one stays in effect.", render.SettingsName, render.SystemNamespace))
	for _, s := range render.SettingDocs() {
		fmt.Fprintf(&b, "\n## %s\n\n%s", s.Name, Wrap(plain(s.About)))
		if s.Effect != "" {
			b.WriteString("\n" + Wrap(s.Effect))
		}
		what := "Default"
		if strings.Contains(s.About, "Default: ") {
			what = "Example"
		}
		if !strings.Contains(s.Example, "\n") {
			fmt.Fprintf(&b, "\n%s: %s\n", what, literal(fmt.Sprintf("%q", s.Example)))
			continue
		}
		b.WriteString("\n" + what + ":\n")
		fence(&b, "yaml", "pkg/render/settings_test.go", s.Example)
	}
	return b.String(), nil
}
