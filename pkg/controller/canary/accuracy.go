package canary

import (
	"context"
	"errors"

	"krt.dev/kn-krt/pkg/credential"
	"krt.dev/kn-krt/pkg/data"
	"krt.dev/kn-krt/pkg/data/quality"
	"krt.dev/kn-krt/pkg/judge"
)

// accuracy counts the predictions of both versions since the step began, by their true values.
func (m *Meter) accuracy(ctx context.Context, task Task, out *Measurement) {
	published, err := m.correct(ctx, task, task.Published)
	canary, errCanary := m.correct(ctx, task, task.Canary)
	if err = errors.Join(err, errCanary); err != nil {
		out.Away[judge.AccuracyOf] = "the store cannot be read: " + why(err)
		return
	}
	out.PublishedCorrect, out.CanaryCorrect = published, canary
}

func (m *Meter) correct(ctx context.Context, task Task, version string) (judge.Share, error) {
	settings, err := m.Settings()
	if err != nil {
		return judge.Share{}, err
	}
	if settings.Store() == "" {
		return judge.Share{}, errors.New("the cluster has none (setting store-url)")
	}
	key, err := m.StoreKey()
	if err != nil {
		return judge.Share{}, err
	}
	store := &data.Client{
		Address: settings.Store(), HTTP: m.client(settings.StoreCA),
		Credential: credential.New(key, credential.Holder{Role: credential.Owner, Namespace: task.Namespace, Version: version}),
	}
	summary, err := store.Summary(ctx, quality.Selected{From: task.Since, Version: version}, "", 1)
	if err != nil {
		return judge.Share{}, err
	}
	return judge.Share{Part: summary.Correct, Total: summary.Labelled}, nil
}
