package namespace

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// Ko runs ko in the repository's root, with its configuration, and returns what
// ko prints.
func (n *Namespace) Ko(args ...string) string {
	n.t.Helper()
	out, err := ko(args...)
	require.NoError(n.t, err)
	return out
}

// Image is the image of a program of this repository, built and pushed: once in
// a test's process, however many ask.
func (n *Namespace) Image(folder string) string {
	n.t.Helper()
	build, _ := images.LoadOrStore(folder, sync.OnceValues(func() (string, error) {
		return ko("build", "--sbom=none", "./"+folder)
	}))
	image, err := build.(func() (string, error))()
	require.NoError(n.t, err)
	return image
}

// images holds the builds by folder.
var images sync.Map

func ko(args ...string) (string, error) {
	root, err := findRoot()
	if err != nil {
		return "", err
	}
	bases, err := pythonBases(root)
	if err != nil {
		return "", err
	}
	c := exec.Command("ko", args...) //nolint:noctx // what it builds may serve more tests than the one that began
	c.Dir = root
	// The history of the repository is of no use here, and may be another user's.
	c.Env = append(os.Environ(), "KO_CONFIG_PATH=ko.yaml", "GOFLAGS=-buildvcs=false", bases)
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("ko %s: %w\n%s%s", strings.Join(args, " "), err, out, &errs)
	}
	return strings.TrimSpace(string(out)), nil
}

// pythonBases is the environment variable by which ko takes the base of Python
// nodes from KRT_PYTHON_BASE, where that is set, and not from ko.yaml. (ko reads
// its settings by viper: each can be given by a variable with the prefix KO_.)
func pythonBases(root string) (string, error) {
	base := os.Getenv("KRT_PYTHON_BASE")
	if base == "" {
		return "KRT_PYTHON_BASE=", nil
	}
	text, err := os.ReadFile(filepath.Join(root, "ko.yaml"))
	if err != nil {
		return "", err
	}
	var config struct {
		BaseImageOverrides map[string]string `json:"baseImageOverrides"`
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		return "", fmt.Errorf("ko.yaml: %w", err)
	}
	for program := range config.BaseImageOverrides {
		config.BaseImageOverrides[program] = base
	}
	overrides, err := json.Marshal(config.BaseImageOverrides)
	return "KO_BASEIMAGEOVERRIDES=" + string(overrides), err
}

// findRoot looks for the repository's root from the current folder upwards.
func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "ko.yaml")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("run this inside the repository: no ko.yaml here or above")
		}
	}
}

// Python skips the test if there is no base image for Python nodes.
func (n *Namespace) Python() {
	n.t.Helper()
	if os.Getenv("KRT_PYTHON_BASE") == "" {
		n.t.Skip("needs KRT_PYTHON_BASE, an image with Python 3.9 or later and protobuf: see ko.yaml")
	}
}
