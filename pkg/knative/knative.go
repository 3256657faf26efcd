// Package knative has the releases of Knative that kn-krt is made for.
package knative

import (
	"regexp"
	"slices"
)

// VersionLabel is the label of Knative's objects, its definitions among them, with the version.
const VersionLabel = "app.kubernetes.io/version"

// Supported are the minor releases that this kn-krt is made for. All tests on a cluster run on the last of
// them, and make e2e-knative runs some on the other: test/cluster has the modules of both.
func Supported() []string { return []string{"1.22", "1.23"} }

// minor finds the minor release in a label: 1.23 in "1.23.0" or "v1.23.1". Builds of one's own are
// labelled otherwise.
var minor = regexp.MustCompile(`^v?(\d+\.\d+)\.`)

// Unsupported reports whether a version, as [VersionLabel] has it, is of a release that this kn-krt is
// not made for. It may work: Knative changes little between two of them.
func Unsupported(version string) bool {
	found := minor.FindStringSubmatch(version)
	return found != nil && !slices.Contains(Supported(), found[1])
}
