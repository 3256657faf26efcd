package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/cluster/logs"
	"krt.dev/kn-krt/pkg/logline"
)

// Publish a version as the user of the current kubeconfig, and report how far it is.
func Example() {
	ctx := context.Background()
	c, err := cluster.Connect(cluster.Options{Namespace: "pricing"})
	if err != nil {
		log.Fatal(err)
	}
	var refused *cluster.RefusedError
	switch already, err := c.Publish(ctx, "price-estimator-v3", "better in New York"); {
	case errors.As(err, &refused) && refused.Rule == cluster.RuleStopped:
		log.Fatal("start it first")
	case err != nil:
		log.Fatal(err)
	case already:
		return
	}
	err = c.Wait(ctx, "price-estimator-v3", cluster.GoalPublished, cluster.WaitOptions{
		Timeout:  10 * time.Minute,
		Window:   10 * time.Second,
		Progress: func(p cluster.Progress) { fmt.Println(p.Elapsed, p.Observation) },
	})
	if err != nil {
		log.Fatal(err)
	}
}

// Follow the versions of all namespaces with the rights of whoever sent a bearer token, as
// a dashboard does.
func ExampleClient_FollowVersions() {
	c, err := cluster.Connect(cluster.Options{Token: "the caller's"})
	if err != nil {
		log.Fatal(err)
	}
	err = c.In("").FollowVersions(context.Background(), cluster.Listener[*v1alpha1.Version]{
		Listed: func(all []*v1alpha1.Version) { fmt.Println("there are", len(all)) },
		Changed: func(v *v1alpha1.Version, gone bool) {
			fmt.Println(v.Namespace, v.Name, cluster.Phase(v), gone)
		},
	})
	var failed *cluster.Error
	if errors.As(err, &failed) && failed.Reason == cluster.ReasonForbidden {
		log.Fatal("these versions are not yours to see")
	}
}

// Follow the logs of two nodes, from the last ten lines of each pod on.
func ExampleClient_FollowLogs() {
	c, err := cluster.Connect(cluster.Options{Namespace: "pricing"})
	if err != nil {
		log.Fatal(err)
	}
	query := logs.Query{Nodes: []string{"etl", "model"}, Tail: new(int64(10))}
	err = c.FollowLogs(context.Background(), "price-estimator-v3", query, logs.Handler{
		Line:   func(l logline.Line) { fmt.Println(l.Time, l.Node, l.Text) },
		Failed: func(e *logs.Error) { log.Println(e) }, // the logs of other pods are still followed
	})
	log.Fatal(err)
}
