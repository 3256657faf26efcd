package dashboard

import (
	"context"
	"slices"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/panel"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/inspection"
)

// trafficView is how the requests of the version's namespace are divided.
type trafficView struct {
	*source.Version
	*source.Division
	// Rest is the percentage of the published version.
	Rest int
	// State is that of the verdict, for its sign.
	State source.State
	Plan  []panel.PlanStep
	Rows  []panel.JudgedRow
	// Actions are the canary's; Problem is why they are not known.
	Actions []actionButton
	Problem string
	// Differences are copied requests whose responses differ, and Notes sentences about what could not
	// be read of them; Unread is why none could.
	Differences []differing
	Notes       []string
	Unread      *failure
}

// differing is a pair of responses that differ, and the path of its request.
type differing struct {
	inspection.Difference
	Path string
}

// maxDiffering is how many of them the page shows.
const maxDiffering = 20

func trafficPage() page {
	return page{
		name: "traffic", path: "traffic", title: "Traffic", tab: "Traffic", remote: true,
		view: func(r *request) (any, error) { return newTrafficView(r) },
		live: func(view any) []fragment {
			return []fragment{
				{id: "division", template: "traffic-division", data: view},
				{id: "differences", template: "traffic-differences", data: view},
			}
		},
	}
}

func newTrafficView(r *request) (*trafficView, error) {
	d, err := r.source.Division(r.Context(), r.ref)
	if err != nil {
		return nil, err
	}
	v := &trafficView{Version: r.version, Division: d, Rest: 100}
	if d.Canary == nil {
		return v, nil
	}
	c := d.Canary
	v.Rest = 100 - c.Weight
	v.State = panel.CanaryState(c)
	v.Plan, v.Rows = panel.PlanSteps(c), panel.JudgedRows(c)
	v.Actions, v.Problem = canaryButtons(r, c)
	if c.Mirror > 0 || c.Mirrored > 0 {
		v.readDifferences(r.Context(), r)
	}
	return v, nil
}

// canaryButtons are the actions of the canary, whichever version of the namespace the page is of.
func canaryButtons(r *request, c *source.Canary) (_ []actionButton, problem string) {
	v, err := r.source.Version(r.Context(), c.Ref)
	if err != nil {
		return nil, "" // a canary that does not exist has no actions; the verdict says so
	}
	reasons, err := r.source.Rights(r.Context(), c.Ref)
	if err != nil {
		return nil, unknownRights + err.Error()
	}
	all := buttons(r, v, reasons)
	return slices.DeleteFunc(all, func(b actionButton) bool { return !b.Action.OfCanary() }), ""
}

// differencesTime bounds how long entrypoints are asked.
const differencesTime = 5 * time.Second

// readDifferences asks the entrypoints of the published version for the pairs that they keep.
func (v *trafficView) readDifferences(ctx context.Context, r *request) {
	ctx, cancel := context.WithTimeout(ctx, differencesTime)
	defer cancel()
	list, notes, err := r.source.Differences(ctx, r.ref)
	if err != nil {
		v.Unread = explain(err)
		return
	}
	v.Notes = notes
	for _, d := range list[:min(len(list), maxDiffering)] {
		v.Differences = append(v.Differences, differing{d, r.link.Request(v.Division.Published, d.ID)})
	}
}
