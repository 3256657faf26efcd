package cluster_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/krt/configvalue"
)

// soon waits for what the status already is.
var soon = cluster.WaitOptions{Timeout: patience, Window: time.Second}

func TestLife(t *testing.T) {
	c := newClient(t)
	checkCreation(t, c)
	checkStart(t, c)
	checkPublication(t, c)
	checkEnd(t, c)
}

// checkCreation creates version a.
func checkCreation(t *testing.T, c *cluster.Client) {
	t.Helper()
	ctx := bounded(t)
	// Nothing is created by a check.
	missing, err := c.CheckCreate(ctx, newVersion(c, "a"), map[string][]byte{"CURRENCY": []byte("EUR")})
	require.NoError(t, err)
	require.Equal(t, &configvalue.MissingError{Files: []string{"CERT"}}, missing)
	_, err = c.Get(ctx, "a")
	var unknown *cluster.NotFoundError
	require.ErrorAs(t, err, &unknown)
	require.Empty(t, unknown.Known)

	// Created with its values; the name is then taken, and no value is lost.
	require.NoError(t, c.Create(ctx, newVersion(c, "a"), values()))
	refused := refusedBy(t, cluster.RuleExists, c.Create(ctx, newVersion(c, "a"), nil))
	require.Equal(t, v1alpha1.PhaseStopped, refused.Phase)
	v, err := c.Get(ctx, "a")
	require.NoError(t, err)
	require.Equal(t, "Version", v.Kind)
	kept, err := c.ConfigValues(ctx, v)
	require.NoError(t, err)
	require.Equal(t, values(), kept)
}

// checkStart starts a, but not without its config.
func checkStart(t *testing.T, c *cluster.Client) {
	t.Helper()
	ctx := bounded(t)
	_, err := c.SetConfig(ctx, "a", nil, []string{"CURRENCY"})
	require.NoError(t, err)
	_, err = c.Start(ctx, "a", "")
	require.Equal(t, []string{"CURRENCY"}, refusedBy(t, cluster.RuleConfigMissing, err).Missing.Variables)
	_, err = c.SetConfig(ctx, "a", values(), nil)
	require.NoError(t, err)
	already, err := c.Start(ctx, "a", "first")
	require.NoError(t, err)
	require.False(t, already)
	_, err = c.Publish(ctx, "a", "")
	refusedBy(t, cluster.RuleNotReady, err)
	mark(t, c, "a", started)
	require.NoError(t, c.Wait(ctx, "a", cluster.GoalStarted, soon))
	already, err = c.Start(ctx, "a", "again")
	require.NoError(t, err)
	require.True(t, already)
	v, err := c.Get(ctx, "a")
	require.NoError(t, err)
	require.Equal(t, "first", v.Spec.Comment)
	refusedBy(t, cluster.RuleExistsStarted, c.Create(ctx, newVersion(c, "a"), nil))
}

// checkPublication publishes a, so that it can be neither stopped nor deleted; then b over
// it, and a again.
func checkPublication(t *testing.T, c *cluster.Client) {
	t.Helper()
	ctx := bounded(t)
	_, err := c.Rollback(ctx, "")
	refusedBy(t, cluster.RuleNeverPublished, err)
	_, err = c.Publish(ctx, "a", "better")
	require.NoError(t, err)
	published(t, c)
	mark(t, c, "a", func(v *v1alpha1.Version) { v.Status.Phase = v1alpha1.PhasePublished })
	require.NoError(t, c.Wait(ctx, "a", cluster.GoalPublished, soon))
	_, err = c.Stop(ctx, "a", "")
	refusedBy(t, cluster.RulePublished, err)
	_, err = c.Deletable(ctx, "a", true)
	refusedBy(t, cluster.RulePublished, err)
	_, err = c.Rollback(ctx, "")
	require.Equal(t, "a", refusedBy(t, cluster.RuleFirstPublished, err).Other)

	require.NoError(t, c.Create(ctx, newVersion(c, "b"), values()))
	_, err = c.Publish(ctx, "b", "")
	refusedBy(t, cluster.RuleStopped, err)
	_, err = c.Start(ctx, "b", "")
	require.NoError(t, err)
	mark(t, c, "b", started)
	_, err = c.Publish(ctx, "b", "")
	require.NoError(t, err)
	_, err = c.Stop(ctx, "a", "")
	require.Equal(t, "b", refusedBy(t, cluster.RuleStillPublished, err).Other)
	published(t, c)
	back, err := c.Rollback(ctx, "b is wrong")
	require.NoError(t, err)
	require.Equal(t, "a", back)
	published(t, c)
}

// checkEnd unpublishes, stops and deletes a.
func checkEnd(t *testing.T, c *cluster.Client) {
	t.Helper()
	ctx := bounded(t)
	require.Equal(t, "a", refusedBy(t, cluster.RuleNotPublished, c.Unpublish(ctx, "b", "")).Other)
	require.NoError(t, c.Unpublish(ctx, "a", ""))
	published(t, c)
	mark(t, c, "a", started)
	require.NoError(t, c.Wait(ctx, "a", cluster.GoalUnpublished, soon))
	_, err := c.Deletable(ctx, "a", false)
	refusedBy(t, cluster.RuleStarted, err)
	require.NoError(t, c.Restart(ctx, "a", "new settings"))
	_, err = c.Stop(ctx, "a", "over")
	require.NoError(t, err)
	refusedBy(t, cluster.RuleStopped, c.Restart(ctx, "a", ""))
	mark(t, c, "a", stopped)
	require.NoError(t, c.Wait(ctx, "a", cluster.GoalStopped, soon))
	already, err := c.Stop(ctx, "a", "")
	require.NoError(t, err)
	require.True(t, already)
	_, err = c.Deletable(ctx, "a", false)
	require.NoError(t, err)
	require.NoError(t, c.Delete(ctx, "a"))
	require.NoError(t, c.Wait(ctx, "a", cluster.GoalDeleted, soon))
	require.NoError(t, c.DeleteConfig(ctx, "a"))
	require.NoError(t, c.DeleteConfig(ctx, "a"))
	_, err = c.Rollback(ctx, "")
	require.Equal(t, "a", refusedBy(t, cluster.RulePreviousDeleted, err).Version)
	_, err = c.Get(ctx, "a")
	var unknown *cluster.NotFoundError
	require.ErrorAs(t, err, &unknown)
	require.Equal(t, []string{"b"}, unknown.Known)

	list, err := c.In(metav1.NamespaceAll).List(ctx)
	require.NoError(t, err)
	require.True(t, slices.ContainsFunc(list.Items, func(v v1alpha1.Version) bool { return v.Namespace == c.Namespace() && v.Name == "b" }))
}

// A version that the cluster refuses leaves no Secret behind.
func TestRefused(t *testing.T) {
	c := newClient(t)
	ctx := bounded(t)
	v := newVersion(c, "a")
	v.Spec.Workflows[0].Sequential = []string{"nobody"} // a rule of the kind
	require.ErrorContains(t, c.Create(ctx, v, values()), `cannot create version "a": `)
	kept, err := c.ConfigValues(ctx, v)
	require.NoError(t, err)
	require.Nil(t, kept)
}

// After an upgrade, what serves users is restarted when all others have shown that it works.
func TestBehindHasThePublishedLast(t *testing.T) {
	c := newClient(t)
	for name, phase := range map[string]v1alpha1.Phase{
		"a-published": v1alpha1.PhasePublished, "b-started": v1alpha1.PhaseStarted, "c-started": v1alpha1.PhaseStarted,
		"d-current": v1alpha1.PhaseStarted, "e-stopped": v1alpha1.PhaseStopped,
	} {
		v := newVersion(c, name)
		if phase != v1alpha1.PhaseStopped {
			v.Spec.State = v1alpha1.StateStarted
		}
		require.NoError(t, admin.Create(t.Context(), v))
		mark(t, c, name, func(v *v1alpha1.Version) {
			v.Status.Phase = phase
			if v.MarkBehind("kn-krt"); name == "d-current" {
				v.MarkCurrent()
			}
		})
	}
	names, err := c.Behind(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"a-published", "b-started", "c-started"}, names, "none is published")
	require.NoError(t, admin.Create(t.Context(), &v1alpha1.Runtime{
		ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.RuntimeName, Namespace: c.Namespace()},
		Spec:       v1alpha1.RuntimeSpec{PublishedVersion: "a-published"},
	}))
	names, err = c.Behind(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"b-started", "c-started", "a-published"}, names)
}
