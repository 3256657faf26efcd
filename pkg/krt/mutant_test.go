package krt_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/krt"
)

// whole has every key a manifest may have, each on a line of its own.
const whole = `krtVersion: v1
version: price-estimator
description: New room price predictions.
entrypoint:
  proto: public_input.proto
  image: konstellation/kre-entrypoint:1.6.0
config:
  variables:
    - OUTPUT_PRICE_CURRENCY
  files:
    - HTTPS_CERT
nodes:
  - name: etl
    image: konstellation/kre-py:1.23.1
    src: src/etl/main.py
    gpu: false
    replicas: 1
    workers: 2
    fork: false
    scale:
      min: 1
      max: 3
      target: 10
      concurrency: 20
    resources:
      requests:
        cpu: 500m
      limits:
        memory: 2Gi
    env:
      MODE: fast
    timeout: 10s
workflows:
  - name: ny-room-price
    entrypoint: MakePrediction
    sequential:
      - etl
`

// mutation is one way to spoil a key.
type mutation struct {
	name string
	// spoil returns the key's lines as they become, and which of them, from 0, must be told;
	// -1 is the line of the item that the key belongs to. Nothing returned: not for this key.
	spoil func(block []string) (spoiled []string, told int)
}

func mutations() []mutation {
	return []mutation{
		{"removed", func(block []string) ([]string, int) { return []string{}, -1 }},
		{"mistyped", mistype},
		{"doubled", func(block []string) ([]string, int) {
			again := append([]string{strings.Replace(block[0], "- ", "  ", 1)}, block[1:]...)
			if !strings.Contains(block[0], ": ") && !strings.HasSuffix(block[0], ":") {
				again = block // an element of a list
			}
			return append(append([]string{}, block...), again...), len(block)
		}},
		{"too long", lengthen},
	}
}

func mistype(block []string) ([]string, int) {
	head, value, isKey := strings.Cut(block[0], ":")
	switch {
	case !isKey:
		return []string{strings.Replace(head, "- ", "- []  # ", 1)}, 0
	case value == "":
		return []string{head + ": text"}, 0
	}
	return []string{head + ": [a, b]"}, 0
}

func lengthen(block []string) ([]string, int) {
	head, value, isKey := strings.Cut(block[0], ":")
	indent := strings.Repeat(" ", len(head)-len(strings.TrimLeft(head, " "))+2)
	switch strings.TrimSpace(head) {
	case "entrypoint":
		if value == "" {
			return nil, 0
		}
	case "config", "scale", "resources", "gpu", "fork":
		return nil, 0 // has no length
	case "variables", "files", "nodes", "workflows", "sequential":
		most := map[string]int{"variables": 64, "files": 64, "nodes": 64, "workflows": 32, "sequential": 32}[strings.TrimSpace(head)]
		return append([]string{block[0]}, slices.Repeat([]string{indent + "- {}"}, most+1)...), most + 1
	case "requests", "limits", "env":
		spoiled := []string{block[0]}
		for i := range 65 {
			spoiled = append(spoiled, fmt.Sprintf("%sexample.org/k%d: 1", indent, i))
		}
		return spoiled, 0
	case "replicas", "workers", "min", "max", "target", "concurrency":
		return []string{head + ": 1000000"}, 0
	}
	if !isKey {
		return []string{head + strings.Repeat("X", 5000)}, 0
	}
	return []string{head + ": " + strings.Repeat("x", 50000)}, 0
}

// TestManifestMutants spoils each key of a whole manifest in each way, and counts how many of
// the mutants are caught by an error at the right line.
func TestManifestMutants(t *testing.T) {
	_, problems := krt.Parse("krt.yml", []byte(whole))
	require.False(t, problems.HasErrors(), "%v", problems)
	caught, all := 0, 0
	eachMutant(func(name, text string, line int) {
		all++
		_, problems := krt.Parse("krt.yml", []byte(text))
		if toldAt(problems, line) {
			caught++
			return
		}
		t.Errorf("%s: no error on line %d, but %v", name, line, problems)
	})
	t.Logf("manifest mutants caught with the right line: %d of %d", caught, all)
}

// eachMutant calls visit with each mutant of the whole manifest that is an error: its name, such as
// "fork: false, mistyped", its text, and the line of the error.
func eachMutant(visit func(name, text string, line int)) {
	lines := strings.Split(strings.TrimSuffix(whole, "\n"), "\n")
	optional := map[string]bool{"krtVersion": true, "config": true, "gpu": true, "replicas": true, "workers": true, "fork": true,
		"scale": true, "min": true,
		"max": true, "target": true, "concurrency": true, "resources": true, "requests": true, "cpu": true, "limits": true, "memory": true,
		"env": true, "MODE": true, "timeout": true, "variables": true, "files": true, "- OUTPUT_PRICE_CURRENCY": true, "- HTTPS_CERT": true}
	for i := range lines {
		block := blockAt(lines, i)
		key, _, _ := strings.Cut(strings.TrimLeft(lines[i], " "), ":")
		for _, m := range mutations() {
			isImage := key == "image" && strings.HasPrefix(lines[i-1], "  proto")
			if m.name == "removed" && (optional[key] || isImage) {
				continue
			}
			spoiled, told := m.spoil(block)
			if spoiled == nil {
				continue
			}
			text, line := mutant(lines, i, len(block), spoiled, told)
			visit(fmt.Sprintf("%s, %s", strings.TrimSpace(lines[i]), m.name), text, line)
		}
	}
}

// mutant returns the text with the lines from i replaced, and the line, from 1, to be told.
func mutant(lines []string, i, length int, spoiled []string, told int) (text string, line int) {
	rest := append([]string{}, lines[i+length:]...)
	line = i + told + 1
	if told == -1 {
		line = parentOf(lines, i)
		// The first key of an item leaves its dash to the next.
		if len(spoiled) == 0 && strings.HasPrefix(lines[i], "  - name") {
			rest[0], line = strings.Replace(rest[0], "    ", "  - ", 1), i+1
		}
	}
	return strings.Join(append(append(append([]string{}, lines[:i]...), spoiled...), rest...), "\n"), line
}

// toldAt reports whether an error stands on line.
func toldAt(problems krt.Problems, line int) bool {
	return slices.ContainsFunc(problems.Errors(), func(p krt.Problem) bool { return p.Line == line })
}

// blockAt returns the line at i with those that belong to it.
func blockAt(lines []string, i int) []string {
	depth := indentOf(lines[i])
	end := i + 1
	for end < len(lines) && indentOf(lines[end]) > depth {
		end++
	}
	if strings.HasPrefix(strings.TrimSpace(lines[i]), "- name") {
		end = i + 1 // the key, not the item
	}
	return lines[i:end]
}

// parentOf returns the line, from 1, of what the line at i belongs to.
func parentOf(lines []string, i int) int {
	for j := i - 1; j >= 0; j-- {
		if indentOf(lines[j]) < indentOf(lines[i]) {
			return j + 1
		}
	}
	return 1
}

func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }
