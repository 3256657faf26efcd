package remote

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/term"
)

type eventsOptions struct {
	lookOptions

	warnings bool
}

func newEventsCommand(s term.Streams) *cobra.Command {
	o := eventsOptions{lookOptions: lookOptions{streams: s}}
	cmd := &cobra.Command{
		Use:   "events NAME",
		Short: "Show what happened to a version and all that was made for it",
		Long: `Show the cluster's events of a version: its own, and those of its nodes' Knative
Services, revisions and pods, its Sequences and its entrypoint; the newest last. A
cluster keeps events for an hour, unless it is set up otherwise.`,
		Example: `  kn-krt events price-estimator-v3
  kn-krt events price-estimator-v3 --warnings`,
	}
	lookCommand(cmd, &o.lookOptions, func(ctx context.Context, c *Cluster) error { return runEvents(ctx, c, o) })
	cmd.Flags().BoolVar(&o.warnings, "warnings", false, "show warnings only")
	o.out.addFlags(cmd)
	return cmd
}

func runEvents(ctx context.Context, c *Cluster, o eventsOptions) error {
	v, err := c.version(ctx, o.name)
	if err != nil {
		return err
	}
	list := &corev1.EventList{}
	if err := c.List(ctx, list, c.in()); err != nil {
		return c.Explain(err, "cannot list events")
	}
	all := &v1alpha1.VersionList{}
	if err := c.List(ctx, all, c.in()); err != nil {
		return c.Explain(err, "cannot list versions")
	}
	about := eventFilter(v, all.Items)
	list.Items = slices.DeleteFunc(list.Items, func(e corev1.Event) bool {
		return !about(e.InvolvedObject) || o.warnings && e.Type != corev1.EventTypeWarning
	})
	slices.SortFunc(list.Items, func(a, b corev1.Event) int {
		return cmp.Or(lastSeen(a).Compare(lastSeen(b).Time), cmp.Compare(a.Name, b.Name))
	})
	for i := range list.Items {
		list.Items[i].SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Event"))
	}
	if o.out.machine() {
		list.APIVersion, list.Kind = "v1", "List"
		return o.out.write(o.streams.Out, list)
	}
	if o.out.format == outputName {
		for _, e := range list.Items {
			fmt.Fprintln(o.streams.Out, "event/"+e.Name)
		}
		return nil
	}
	if len(list.Items) == 0 {
		_, err := fmt.Fprintln(o.streams.Out, "No events found.")
		return err
	}
	return term.WriteTable(o.streams.Out, eventColumns(), list.Items)
}

func eventColumns() []term.Column[corev1.Event] {
	return []term.Column[corev1.Event]{
		{Head: "LAST SEEN", Cell: eventAge},
		{Head: "TYPE", Cell: func(e corev1.Event) string { return e.Type }},
		{Head: "REASON", Cell: func(e corev1.Event) string { return e.Reason }},
		{Head: "OBJECT", Cell: func(e corev1.Event) string {
			return strings.ToLower(e.InvolvedObject.Kind) + "/" + e.InvolvedObject.Name
		}},
		{Head: "MESSAGE", Cell: func(e corev1.Event) string { return e.Message }},
	}
}

// lastSeen is when the event happened last. Events of the newer kind say it elsewhere.
func lastSeen(e corev1.Event) metav1.Time {
	switch {
	case e.Series != nil:
		return metav1.NewTime(e.Series.LastObservedTime.Time)
	case !e.LastTimestamp.IsZero():
		return e.LastTimestamp
	case !e.EventTime.IsZero():
		return metav1.NewTime(e.EventTime.Time)
	}
	return e.CreationTimestamp
}

func eventAge(e corev1.Event) string {
	count := e.Count
	if e.Series != nil {
		count = e.Series.Count
	}
	if count > 1 {
		return fmt.Sprintf("%s (x%d)", age(lastSeen(e)), count)
	}
	return age(lastSeen(e))
}
