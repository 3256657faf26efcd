package local

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"krt.dev/kn-krt/pkg/krt"
)

// checkFiles refuses a config file whose content a node gets as the value of a
// variable, if a variable cannot hold it.
func checkFiles(nodes []krt.Node, files map[string][]byte) error {
	at := slices.IndexFunc(nodes, krt.Node.FileContent)
	if at < 0 {
		return nil
	}
	for _, name := range sortedKeys(files) {
		if err := krt.CheckVariable(name, string(files[name])); err != nil {
			return fmt.Errorf("config file %q: node %q gets its content as $%s, because its image is %s: %w",
				name, nodes[at].Name, name, nodes[at].Image, err)
		}
	}
	return nil
}

// writeFiles writes config files, content by name, to folder, readable by this user
// only, and returns the path of each by name.
func writeFiles(folder string, files map[string][]byte) (map[string]string, error) {
	paths := map[string]string{}
	for name, content := range files {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return nil, fmt.Errorf("cannot write config file %q: %w", name, err)
		}
		paths[name] = path
	}
	return paths, nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
