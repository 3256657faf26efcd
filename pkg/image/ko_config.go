package image

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"sigs.k8s.io/yaml"

	"krt.dev/kn-krt/pkg/krt"
)

const (
	// koFile is ko's configuration, in a bundle or at KO_CONFIG_PATH.
	koFile = ".ko.yaml"
	// maxKoFile is how large it may be, in bytes.
	maxKoFile = 64 << 10
)

// koConfig is what counts here of ko's configuration file (https://ko.build/configuration): which base
// images nodes have and, of the file that the user names in KO_CONFIG_PATH, how ko:// packages are built.
type koConfig struct {
	DefaultBaseImage   string            `json:"defaultBaseImage"`
	BaseImageOverrides map[string]string `json:"baseImageOverrides"`
	DefaultEnv         []string          `json:"defaultEnv"`
	DefaultFlags       []string          `json:"defaultFlags"`
	DefaultLdflags     []string          `json:"defaultLdflags"`
}

// readKoConfig reads the file that KO_CONFIG_PATH names, which is the user's own, else the .ko.yaml of the
// bundle. There need be none. Of the bundle's the base images count alone: flags and environment of the
// go command run programs where images are made. ignored are the keys that therefore count for nothing.
func readKoConfig(b *krt.Bundle) (config koConfig, ignored []string, err error) {
	if file := os.Getenv("KO_CONFIG_PATH"); file != "" {
		if info, err := os.Stat(file); err == nil && info.IsDir() {
			file = filepath.Join(file, koFile)
		}
		config, err = parseKoConfig(os.Open(file))
		if err != nil {
			err = fmt.Errorf("cannot read ko's configuration %q: %w", file, err)
		}
		return config, nil, err
	}
	file, err := b.FS().Open(koFile)
	if err == nil {
		config, err = parseKoConfig(file, nil)
	} else if errors.Is(err, fs.ErrNotExist) {
		return config, nil, nil
	}
	if err != nil {
		return config, nil, fmt.Errorf("cannot read %s of the bundle: %w", koFile, err)
	}
	for _, list := range []struct {
		key string
		of  *[]string
	}{{"defaultEnv", &config.DefaultEnv}, {"defaultFlags", &config.DefaultFlags}, {"defaultLdflags", &config.DefaultLdflags}} {
		if len(*list.of) > 0 {
			ignored, *list.of = append(ignored, list.key), nil
		}
	}
	return config, ignored, nil
}

// parseKoConfig reads and closes file. err is that of opening it.
func parseKoConfig(file fs.File, err error) (config koConfig, _ error) {
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return config, nil
		}
		return config, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxKoFile+1))
	if err == nil && len(text) > maxKoFile {
		err = fmt.Errorf("it is larger than %d bytes", maxKoFile)
	}
	if err == nil {
		err = yaml.Unmarshal(text, &config)
	}
	return config, err
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

// koBaseName returns the base of a node that is a ko:// import path: what ko's configuration has for it;
// for one that is the front of Python code, the base of those; else ko's default, or ours.
func (o Options) koBaseName(c koConfig, path, src string) string {
	if override := c.override(path); override != "" {
		return override
	}
	if strings.HasSuffix(src, ".py") {
		return cmp.Or(o.PythonBase, o.Bases["python"], DefaultPythonBase)
	}
	return cmp.Or(os.Getenv("KO_DEFAULTBASEIMAGE"), c.DefaultBaseImage, o.GoBase, o.Bases["go"], DefaultGoBase)
}

// fill replaces ko's templates in each of texts, such as "{{.Env.NAME}}". Those of Git are not available: git
// runs programs that the folder it works in names.
func fill(texts, env []string, now time.Time) ([]string, error) {
	variables := map[string]string{}
	for _, pair := range env {
		name, value, _ := strings.Cut(pair, "=")
		variables[name] = value
	}
	data := map[string]any{"Env": variables, "Date": now.Format(time.RFC3339), "Timestamp": now.UTC().Unix()}
	filled := make([]string, len(texts))
	for i, text := range texts {
		t, err := template.New(koFile).Option("missingkey=error").Parse(text)
		var out bytes.Buffer
		if err == nil {
			err = t.Execute(&out, data)
		}
		if err != nil {
			return nil, fmt.Errorf("cannot use %q of ko's configuration: %w (templates may name .Env, .Date and .Timestamp)", text, err)
		}
		filled[i] = out.String()
	}
	return filled, nil
}
