package remote

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/printers"

	"krt.dev/kn-krt/pkg/cli/hint"
	"krt.dev/kn-krt/pkg/cluster/value"
	"krt.dev/kn-krt/pkg/krt"
)

// writeTarget builds the images and writes the version to a file, as kn does with
// --target: FOLDER/NAMESPACE/version/NAME.yaml, or the file itself. Config values are
// secret and are not written.
func (o *createOptions) writeTarget(cmd *cobra.Command, b *krt.Bundle) error {
	namespace, err := namespaceOf(cmd)
	if err != nil {
		return err
	}
	path := o.target
	if ext := filepath.Ext(path); ext != ".yaml" && ext != ".yml" {
		path = filepath.Join(path, namespace, "version", b.Manifest.Version+".yaml")
	}
	v, err := o.build(cmd, nil, b, o.from(namespace))
	if err != nil {
		return err
	}
	v.Spec.Comment = o.comment
	v.SetKind()
	var text strings.Builder
	if err := (&printers.YAMLPrinter{}).PrintObj(v, &text); err != nil {
		return fmt.Errorf("cannot write the version as YAML: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("cannot create the folder of the target: %w", err)
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
		return fmt.Errorf("cannot write the version: %w", err)
	}
	fmt.Fprintf(o.streams.Out, "Version '%s' for namespace '%s' written to %s.\n", v.Name, namespace, path)
	if missing := value.Missing(v.Spec.Config, nil); missing != nil {
		fmt.Fprintf(o.streams.Err,
			"It does not contain config values, which are secret; once it is applied, set them with '%s config %s -n %s %s'.\n",
			o.program, v.Name, namespace, hint.SetFlags(missing))
	}
	return nil
}
