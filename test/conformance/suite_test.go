package conformance_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"krt.dev/kn-krt/test/conformance"
)

// testCase is one promise.
type testCase struct {
	// name says it; the first word or two are the group's.
	name string
	// on is how the version is to be started; Standard if empty.
	on conformance.Variant
	// run tries it.
	run func(*version)
	// differs says why the deliveries cannot behave alike, where they cannot.
	differs string
	// local says why only a version in this process can be tried so; empty: any
	// can. It is about nodes in localTo alone, if that is not empty, and about any
	// cluster but ours if the reply port is to be unsteady.
	local   string
	localTo conformance.Language
}

// leftOut is why the case is not tried on the target; empty if it is.
func (c testCase) leftOut(target conformance.Target) string {
	if !target.OnCluster() || c.localTo != "" && c.localTo != target.Language() || c.on == conformance.Unsteady && ours() {
		return ""
	}
	return c.local
}

// cases are all of them.
func cases() []testCase {
	return slices.Concat(
		successCases(), answerCases(), outageCases(), deadlineCases(), retryCases(),
		tokenCases(), replicaCases(), sizeCases(), loadCases(), webCases(), clientCases(), contractCases(), wireCases(),
		stepsCases(), trailerCases(), inspectCases(), mirrorCases(), backgroundCases(), streamCases(),
	)
}

// variants are the ways to start a version, in the order of the table.
func variants() []conformance.Variant {
	return []conformance.Variant{
		conformance.Standard, conformance.Hasty, conformance.Paired, conformance.Unsteady, conformance.Stopping,
	}
}

func TestConformance(t *testing.T) {
	if os.Getenv("KRT_E2E") != "" {
		t.Skip("needs no cluster: make test")
	}
	results := newTable()
	// Logged at the end: `go test -v` shows it.
	defer func() { t.Log("\n" + results.String()) }()
	for _, delivery := range []conformance.Delivery{
		conformance.Direct, conformance.Sequence, conformance.Async, conformance.Storing, conformance.Durable,
	} {
		for _, nodes := range []struct {
			language conformance.Language
			workers  int
		}{{conformance.Go, 1}, {conformance.Python, 1}, {conformance.Python, manyWorkers}} {
			if delivery.AcceptsFirst() && nodes.language != conformance.Go {
				continue // nodes cannot know which it is
			}
			title := column(delivery, nodes.language, nodes.workers)
			t.Run(strings.Replace(title, " ", "/", 1), func(t *testing.T) {
				if _, err := findPython(); nodes.language == conformance.Python && err != nil {
					results.skipAll(title)
					t.Skipf("no Python nodes: %v", err)
				}
				for _, variant := range variants() {
					t.Run(string(variant), func(t *testing.T) {
						tryAll(t, startLocal(t, delivery, nodes.language, variant, nodes.workers), variant, results)
					})
				}
			})
		}
	}
}

// tryAll tries the cases of one variant.
func tryAll(t *testing.T, target conformance.Target, variant conformance.Variant, results *table) {
	for _, c := range cases() {
		if c.on == "" {
			c.on = conformance.Standard
		}
		if c.on != variant {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			if variant == conformance.Hasty {
				t.Parallel() // its cases wait for deadlines
			}
			if why := c.leftOut(target); why != "" {
				results.enter(c.name, columnOf(target), leftOut)
				t.Skip("left out on a cluster: " + why)
			}
			defer func() { results.note(c.name, target, t) }()
			c.run(open(t, target))
		})
	}
}
