package load_test

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

const (
	connectionAge = 2 * time.Second
	// watched is how long is looked at what answers once the connection age has passed.
	watched = 800 * time.Millisecond
)

var publishes = flag.Int("publishes", 100, "how many versions TestHundredPublishes and TestNodesPublish publish")

// turn is one publish.
type turn struct {
	version         string
	asked, reported time.Time
}

func TestHundredPublishes(t *testing.T) {
	p := newPlace(t)
	p.publishUnderLoad(nil, map[string]clients{"this machine": {rate: 12}})
}

// publishUnderLoad publishes two versions in turn, while clients at several places have requests for what is published.
func (p place) publishUnderLoad(change func(*v1alpha1.Version), from map[string]clients) {
	p.t.Helper()
	p.Install()
	p.Set("config-krt", "krt-system", "connection-age", connectionAge.String())
	names := []string{"a", "b"}
	for _, name := range names {
		p.version(name, change)
	}
	for _, name := range names {
		p.Ready("version/" + name)
	}
	rt := &v1alpha1.Runtime{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.RuntimeName, Namespace: p.Name}}
	require.NoError(p.t, p.client.Create(p.t.Context(), rt))
	turns := []turn{p.turn(rt, "b")}
	loads := map[string]*load{}
	for where, c := range from {
		c.connections = 1 // each, in steady use: one that rests is renewed by its next request
		loads[where] = startLoad(p.t, "active-entrypoint."+p.Name+".svc.cluster.local", c)
	}
	for _, l := range loads {
		l.steady(p)
	}
	begin := time.Now()
	for i := range *publishes {
		turns = append(turns, p.turn(rt, names[i%len(names)]))
		if i/len(names)%4 == 0 { // the others are published as fast as it goes
			// Time is what is measured here: what answers after the connection age.
			time.Sleep(time.Until(turns[len(turns)-1].reported.Add(connectionAge + watched)))
		}
	}
	for _, l := range loads {
		l.end()
	}
	turns = append(turns, turn{asked: time.Now()}) // the end
	for _, where := range slices.Sorted(maps.Keys(loads)) {
		table := publishTable(loads[where].since(begin), turns)
		p.t.Logf("requests from %s (%d more were not sent)\n%s", where, loads[where].notSent, table)
		assert.Zero(p.t, table.lost, "requests lost")
		assert.Zero(p.t, table.wrong, "answers of a version that is no longer published")
	}
}

func (p place) turn(rt *v1alpha1.Runtime, version string) turn {
	p.t.Helper()
	asked, reported, err := p.publish(p.t.Context(), rt, version)
	require.NoError(p.t, err)
	return turn{version, asked, reported}
}

// publishFigures are what a hundred publishes did to the requests of each kind.
type publishFigures struct {
	rows        []row
	lost, wrong int
	examples    []string
	took        []time.Duration // from asked to reported
}

// row is the requests of one kind.
type row struct {
	kind        string
	count, lost int
	// wrong requests began after the connection age; late is when the last one
	// answered by the former version began, after the new one was reported.
	wrong int
	late  time.Duration
	took  []time.Duration
}

func publishTable(results []result, turns []turn) publishFigures {
	f := publishFigures{}
	for _, t := range turns[1 : len(turns)-1] {
		f.took = append(f.took, t.reported.Sub(t.asked))
	}
	for _, kind := range []string{grpcLong, grpcNew, httpLong, httpNew} {
		one := row{kind: kind}
		for _, r := range results {
			if r.kind == kind {
				f.examples = append(f.examples, one.add(r, turns)...)
			}
		}
		f.rows = append(f.rows, one)
		f.lost, f.wrong = f.lost+one.lost, f.wrong+one.wrong
	}
	return f
}

// add counts a request, and tells of one that should not be.
func (w *row) add(r result, turns []turn) (examples []string) {
	w.count++
	w.took = append(w.took, r.took)
	at, _ := slices.BinarySearchFunc(turns, r.begun, func(t turn, at time.Time) int { return t.asked.Compare(at) })
	now, next := turns[at-1], turns[at]
	after := r.begun.Sub(now.reported)
	if r.err != nil {
		w.lost++
		return []string{fmt.Sprintf("lost: %s, begun at %s, %s after %s was reported, took %s: %v",
			w.kind, r.begun.Format(time.StampMilli), after, now.version, r.took, r.err)}
	}
	if r.version == now.version || r.ended().After(next.asked) {
		return nil
	}
	w.late = max(w.late, after)
	if after <= connectionAge {
		return nil
	}
	w.wrong++
	return []string{fmt.Sprintf("wrong: %s, begun at %s, %s after %s was reported, took %s",
		w.kind, r.begun.Format(time.StampMilli), after, now.version, r.took)}
}

func (f publishFigures) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d publishes under load, connection-age %s; from asked to reported: p50 %s, p99 %s\n",
		len(f.took), connectionAge, quantile(f.took, 50), quantile(f.took, 99))
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "requests\tcount\tlost\twrong version\tlast one of the former\tp50\tp99\tlongest\t")
	all := row{kind: "all", lost: f.lost, wrong: f.wrong}
	for _, r := range f.rows {
		all.count, all.late, all.took = all.count+r.count, max(all.late, r.late), append(all.took, r.took...)
	}
	for _, r := range append(f.rows, all) {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\t%s\t%s\t%s\t\n", r.kind, r.count, r.lost, r.wrong,
			r.late.Round(time.Millisecond), quantile(r.took, 50), quantile(r.took, 99), quantile(r.took, 100))
	}
	_ = w.Flush() // into memory
	for _, example := range f.examples[:min(len(f.examples), 20)] {
		fmt.Fprintln(&text, example)
	}
	return text.String()
}

// quantile is the value that so many percent do not exceed.
func quantile(values []time.Duration, percent int) time.Duration {
	if len(values) == 0 {
		return 0
	}
	values = slices.Sorted(slices.Values(values))
	return values[(len(values)-1)*percent/100].Round(100 * time.Microsecond)
}
