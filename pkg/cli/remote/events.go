package remote

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/cli/remote/printing"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/observe"
)

type eventsOptions struct {
	showOptions

	warnings bool
}

func newEventsCommand(s term.Streams) *cobra.Command {
	o := eventsOptions{showOptions: showOptions{streams: s}}
	cmd := &cobra.Command{
		Use:   "events NAME",
		Short: "Show the events of a version and of its objects",
		Long: `Show the cluster's events about a version: about the version itself, the Knative
Services, revisions and pods of its nodes, its Sequences and its entrypoint; the newest
last. A cluster keeps events for an hour, unless it is configured otherwise.`,
		Example: `  kn-krt events price-estimator-v3
  kn-krt events price-estimator-v3 --warnings`,
	}
	showCommand(cmd, &o.showOptions, func(ctx context.Context, c *Cluster) error { return runEvents(ctx, c, o) })
	cmd.Flags().BoolVar(&o.warnings, "warnings", false, "show warnings only")
	o.out.AddFlags(cmd)
	return cmd
}

func runEvents(ctx context.Context, c *Cluster, o eventsOptions) error {
	list, err := c.Events(ctx, o.name)
	if err != nil {
		return err
	}
	if o.warnings {
		list.Items = slices.DeleteFunc(list.Items, func(e corev1.Event) bool { return e.Type != corev1.EventTypeWarning })
	}
	switch {
	case o.out.Machine():
		list.APIVersion, list.Kind = "v1", "List"
		return o.out.Write(o.streams.Out, list)
	case o.out.Format == printing.Name:
		for i := range list.Items {
			fmt.Fprintln(o.streams.Out, "event/"+list.Items[i].Name)
		}
		return nil
	case len(list.Items) == 0:
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

func eventAge(e corev1.Event) string {
	last, count := observe.Occurrences(&e)
	if count > 1 {
		return fmt.Sprintf("%s (x%d)", age(metav1.NewTime(last)), count)
	}
	return age(metav1.NewTime(last))
}
