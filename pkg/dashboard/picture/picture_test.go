package picture_test

import (
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/picture"
	"krt.dev/kn-krt/pkg/dashboard/source"
)

var update = flag.Bool("update", false, "write the golden files")

func load(perSecond, errors float64, p95 time.Duration) source.Load {
	return source.Load{PerSecond: perSecond, Errors: errors, P50: p95 / 2, P95: p95}
}

// step is a node with a pod, unless its state says that there is none.
func step(name string, s source.State) picture.Step {
	n := source.Node{Name: name, State: s}
	if s == source.Ready || s == source.Failed || s == source.Stopping {
		n.Pods = 1
	}
	return picture.Step{Node: n, Href: "?node=" + name}
}

// scene is the workflow that the original's documentation shows.
func scene() picture.Flow {
	model := step("model", source.Ready)
	model.GPU, model.Pods, model.Current = true, 2, true
	return picture.Flow{
		ID: "w1", Workflow: "ny-room-price", Entry: source.Ready, Published: true, Href: "?entry=ny-room-price",
		Steps: []picture.Step{step("etl", source.Ready), model, step("output", source.Ready)},
		Numbers: &source.WorkflowNumbers{Load: load(12.3, .21, 34*time.Millisecond), Nodes: map[string]*source.NodeNumbers{
			"etl":    {Load: load(12.4, 0, 3*time.Millisecond), Waited: 2 * time.Millisecond},
			"model":  {Load: load(12.1, .2, 26*time.Millisecond), Retries: .1, GaveUp: .05, Waited: 8 * time.Millisecond},
			"output": {Load: load(12.1, 0, 800*time.Microsecond)},
		}},
	}
}

func broken() picture.Flow {
	crashing := step("anomaly-detector", source.Failed)
	crashing.Reason, crashing.Cause = "CrashLoopBackOff", "its container exits with status 1 soon after its start"
	return picture.Flow{ID: "w1", Workflow: "send", Entry: source.Ready, Steps: []picture.Step{
		step("classifier", source.Asleep), crashing, step("transformer", source.Stopped),
		step("model-c", source.Starting), step("last", source.Stopping),
	}}
}

func draw(t testing.TB, f picture.Flow) string {
	t.Helper()
	drawn, err := picture.New().Draw(f)
	require.NoError(t, err)
	return string(drawn)
}

func TestGolden(t *testing.T) {
	started, starting, warned := scene(), scene(), scene()
	warned.Steps[1].Warning, warned.Steps[1].Says = "9 of 12 failed", "9 of 12 requests failed in the last minute"
	started.Published, started.Numbers = false, nil
	starting.Entry, starting.Published, starting.Numbers = source.Starting, false, nil
	for name, flow := range map[string]picture.Flow{
		"published": scene(), "started": started, "starting": starting, "broken": broken(), "warned": warned,
	} {
		t.Run(name, func(t *testing.T) {
			drawn, file := draw(t, flow), filepath.Join("testdata", name+".html")
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(drawn), 0o644))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err, "go test -update writes it")
			require.Equal(t, string(want), drawn)
		})
	}
}

// element is an element of a picture with its attributes and its text.
type element struct {
	name, text string
	attributes map[string]string
}

// read parses a picture strictly, as XML.
func read(drawn string) ([]element, error) {
	var all []element
	var open []int
	for d := xml.NewDecoder(strings.NewReader(drawn)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			e := element{name: t.Name.Local, attributes: map[string]string{}}
			for _, a := range t.Attr {
				e.attributes[a.Name.Local] = a.Value
			}
			open, all = append(open, len(all)), append(all, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				all[open[len(open)-1]].text += string(t)
			}
		}
	}
}

func TestOutlineUnlessPublished(t *testing.T) {
	flow := scene()
	for _, published := range []bool{true, false} {
		flow.Published = published
		drawn := draw(t, flow)
		require.Equal(t, published, strings.Contains(drawn, `class="spot entry state-ready published"`))
		require.Equal(t, published, strings.Contains(drawn, `class="spot exit state-ready published"`))
		require.Equal(t, published, strings.Contains(drawn, "Entrypoint: published"))
		require.NotContains(t, drawn, `class="spot node state-ready published"`)
	}
}

func TestSaysAllInWords(t *testing.T) {
	all, err := read(draw(t, scene()))
	require.NoError(t, err)
	var labels, hidden []string
	for _, e := range all {
		if e.name == "a" {
			labels = append(labels, e.attributes["aria-label"])
		}
		if e.attributes["class"] == "sr" {
			hidden = append(hidden, e.text)
		}
	}
	const space = "\u00a0"
	require.Equal(t, []string{
		"Entrypoint: published. 12 requests a second, 50 % within 17" + space + "ms, 95 % within 34" + space + "ms, 0.21 failures a second.",
		"Node etl, step 1 of 3: ready. 1 pod. 12 requests a second, 50 % within 1.5" + space + "ms, 95 % within 3" + space + "ms.",
		"Node model, step 2 of 3: ready. 2 pods, needs a GPU. " +
			"12 requests a second, 50 % within 13" + space + "ms, 95 % within 26" + space + "ms, 0.2 failures a second.",
		"Node output, step 3 of 3: ready. 1 pod. 12 requests a second, 50 % within 400" + space + "µs, 95 % within 800" + space + "µs.",
	}, labels)
	require.Contains(t, hidden, "To model: 12 events a second, 95 % wait at most 8"+space+
		"ms, sent again 0.1 times a second, 3 events a minute not accepted")
	require.Contains(t, hidden, "To the client: 12 responses a second, 50 % within 17"+space+
		"ms, 95 % within 34"+space+"ms, 0.21 failures a second")
}

// States differ by shape and word, not by colour alone.
func TestStatesDifferWithoutColour(t *testing.T) {
	seen := map[string]source.State{}
	for _, s := range []source.State{source.Ready, source.Failed, source.Starting, source.Asleep, source.Stopped, source.Stopping} {
		drawn := draw(t, picture.Flow{ID: "w", Entry: source.Ready, Steps: []picture.Step{step("n", s)}})
		_, node, _ := strings.Cut(drawn, `class="spot node`)
		_, shape, _ := strings.Cut(node, "<svg")
		shape, _, _ = strings.Cut(shape, "</svg>")
		require.Emptyf(t, seen[shape], "%s is drawn as another state", s)
		seen[shape] = s
		require.Contains(t, node, picture.Of(s).Word)
	}
	warned := step("n", source.Ready)
	warned.Warning = "9 of 12 failed"
	drawn := draw(t, picture.Flow{ID: "w", Entry: source.Ready, Steps: []picture.Step{warned}})
	require.Contains(t, drawn, `state-ready warned`)
	require.Contains(t, drawn, `<path class="cut"`)
	require.Contains(t, drawn, `⚠ 9 of 12 failed`)
	require.Equal(t, source.Stopped, picture.Of("no such state").Name)
}

func TestThirtyTwoNodes(t *testing.T) {
	flow := picture.Flow{ID: "w", Entry: source.Ready}
	for i := range 32 {
		flow.Steps = append(flow.Steps, step(fmt.Sprintf("node-%d", i), source.Ready))
	}
	all, err := read(draw(t, flow))
	require.NoError(t, err)
	ids := map[string]bool{}
	for _, e := range all {
		if id := e.attributes["id"]; id != "" {
			require.False(t, ids[id], id)
			ids[id] = true
		}
	}
	require.Len(t, ids, 35) // the list, the nodes, the entrypoint and the response
	require.Less(t, len(draw(t, flow)), 48<<10)
}

func FuzzNames(f *testing.F) {
	f.Add("etl", "?node=etl", "CrashLoopBackOff")
	f.Add(`"><script>alert(1)</script>`, "javascript:alert(1)", `' onload=alert(1) x='`)
	f.Add("</span></svg><style>*{display:none}</style>", "data:text/html,<b>", "]]><!--")
	f.Add("\x00\u202e{{.}}", "//evil.example/", "style=x:y")
	known := []string{"ol", "li", "a", "span", "svg", "path", "circle", "ellipse", "rect", "g"}
	f.Fuzz(func(t *testing.T, name, href, reason string) {
		flow := scene()
		flow.Workflow, flow.Href = name, href
		flow.Steps[0].Name, flow.Steps[0].Href, flow.Steps[0].Reason, flow.Steps[0].Cause = name, href, reason, reason
		flow.Steps[0].State, flow.ID = source.Failed, name
		drawn := strings.Map(func(r rune) rune { // what XML does not have at all
			if r == 0xFFFE || r == 0xFFFF || r < ' ' && !strings.ContainsRune("\t\n\r", r) {
				return -1
			}
			return r
		}, strings.ToValidUTF8(draw(t, flow), ""))
		all, err := read(drawn)
		require.NoError(t, err)
		for _, e := range all {
			require.Contains(t, known, e.name)
			for attribute, value := range e.attributes {
				require.False(t, strings.HasPrefix(attribute, "on") || attribute == "style", attribute)
				if attribute == "href" {
					scheme, _, found := strings.Cut(value, ":")
					require.False(t, found && slices.Contains([]string{"javascript", "data", "vbscript"}, strings.ToLower(scheme)), value)
				}
			}
		}
		require.Equal(t, 3, strings.Count(drawn, `class="spot node`))
	})
}

// An edge on which nothing was accepted has no number of events to tell.
func TestSaysWhatWasNotAccepted(t *testing.T) {
	flow := picture.Flow{ID: "w", Entry: source.Ready, Steps: []picture.Step{step("model", source.Ready)}}
	flow.Numbers = &source.WorkflowNumbers{Nodes: map[string]*source.NodeNumbers{"model": {Retries: .5, GaveUp: .1}}}
	require.Contains(t, draw(t, flow), ">To model: sent again 0.5 times a second, 0.1 events a second not accepted<")
}
