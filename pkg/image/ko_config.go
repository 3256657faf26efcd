package image

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"
)

// koConfig is what counts here of ko's configuration file (https://ko.build/configuration).
// Its list of builds does not: flags of a node are ours.
type koConfig struct {
	DefaultBaseImage   string            `yaml:"defaultBaseImage"`
	BaseImageOverrides map[string]string `yaml:"baseImageOverrides"`
	DefaultEnv         []string          `yaml:"defaultEnv"`
	DefaultFlags       []string          `yaml:"defaultFlags"`
	DefaultLdflags     []string          `yaml:"defaultLdflags"`
}

// readKoConfig reads the file that KO_CONFIG_PATH names, else .ko.yaml in folder. There
// need be none.
func readKoConfig(folder string) (koConfig, error) {
	var config koConfig
	file := os.Getenv("KO_CONFIG_PATH")
	if file == "" {
		file = folder
	}
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		file = filepath.Join(file, ".ko.yaml")
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return config, nil
	}
	if err == nil {
		err = yaml.Unmarshal(text, &config)
	}
	if err != nil {
		return config, fmt.Errorf("cannot read ko's configuration %q: %w", file, err)
	}
	return config, nil
}

// override returns the base image that is set for an import path, "" if none is.
func (c koConfig) override(path string) string {
	for of, image := range c.BaseImageOverrides {
		if strings.EqualFold(of, path) { // as ko compares
			return image
		}
	}
	return ""
}

// koBaseName returns the base of a node that ko builds: what ko's configuration has for it;
// for one that is the front of Python code, the base of those; else ko's default, or ours.
func (o Options) koBaseName(c koConfig, path, src string) string {
	if override := c.override(path); override != "" {
		return override
	}
	if strings.HasSuffix(src, ".py") {
		return first(o.PythonBase, o.Bases["python"], DefaultPythonBase)
	}
	return first(os.Getenv("KO_DEFAULTBASEIMAGE"), c.DefaultBaseImage, o.GoBase, o.Bases["go"], DefaultGoBase)
}
