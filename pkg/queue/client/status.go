package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"krt.dev/kn-krt/pkg/queue"
)

const (
	// dropTime bounds the removal of events: of many, it takes a server more than a moment.
	dropTime = 30 * time.Second
)

// Bytes is how many bytes wait in the stream.
func (c *Client) Bytes(ctx context.Context) (waiting int64, err error) {
	ctx, cancel := c.call(ctx)
	defer cancel()
	s, err := c.open(ctx)
	if err = ended(ctx, err); err != nil {
		return 0, fmt.Errorf("cannot read the stream %s: %w", c.settings.Stream, cmp.Or(missing(err), err))
	}
	return int64(s.CachedInfo().State.Bytes), nil
}

// Room is how many bytes of new requests may wait in the stream, and how many more of events between
// steps.
func (c *Client) Room() (most, reserve int64) {
	return c.settings.MaxBytes, max(c.settings.MaxBytes/reservedShare, leastReserved)
}

// Status reports what the stream holds. With oldest it says of each step when the oldest of
// its events was published, for which the server sends that event.
func (c *Client) Status(ctx context.Context, oldest bool) (queue.Status, error) {
	bounded, cancel := c.call(ctx)
	stream, err := c.open(bounded)
	cancel()
	if err = ended(bounded, err); err != nil {
		return queue.Status{}, fmt.Errorf("cannot read the stream %s: %w", c.settings.Stream, cmp.Or(missing(err), err))
	}
	status := statusOf(stream.CachedInfo())
	status.MaxBytes = c.settings.MaxBytes
	all, err := c.infos(ctx, stream)
	if err != nil {
		return status, err
	}
	c.steps(&status, all)
	for i := range status.Steps {
		if s := &status.Steps[i]; oldest && s.Events() > 0 {
			if err := c.oldest(ctx, stream, s); err != nil {
				return status, err
			}
		}
	}
	return status, nil
}

// steps sets what a stream's consumers have left.
func (c *Client) steps(status *queue.Status, all []*jetstream.ConsumerInfo) {
	status.Events = 0
	for _, info := range all {
		step, _ := queue.ParseConsumer(info.Name)
		one := queue.StepStatus{
			Workflow: step.Workflow, Index: step.Index, Node: step.Node,
			Waiting: int64(info.NumPending), Work: int64(info.NumAckPending), Redelivered: int64(info.NumRedelivered),
			Former: !slices.Contains(c.options.Steps, step),
		}
		status.Events += one.Events()
		status.Steps = append(status.Steps, one)
	}
	slices.SortFunc(status.Steps, func(a, b queue.StepStatus) int {
		return cmp.Or(cmp.Compare(a.Workflow, b.Workflow), cmp.Compare(a.Index, b.Index), cmp.Compare(a.Node, b.Node))
	})
}

// oldest sets when the oldest event of a step was published.
func (c *Client) oldest(ctx context.Context, stream jetstream.Stream, s *queue.StepStatus) error {
	ctx, cancel := c.call(ctx)
	defer cancel()
	subject := queue.Subject(c.options.Namespace, c.options.Version, s.Step())
	m, err := stream.GetMsg(ctx, 1, jetstream.WithGetMsgSubject(subject))
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound): // it is done meanwhile
		return nil
	case err != nil:
		return fmt.Errorf("cannot read the oldest event of the stream %s: %w", c.settings.Stream, ended(ctx, err))
	}
	s.Oldest = m.Time
	return nil
}

func statusOf(info *jetstream.StreamInfo) queue.Status {
	return queue.Status{
		Stream: info.Config.Name, Events: int64(info.State.Msgs), Bytes: int64(info.State.Bytes),
		MaxBytes: info.Config.MaxBytes, Replicas: info.Config.Replicas,
	}
}

// Drop removes what waits: of one step, of a workflow if the step has no node, or all if it
// has no workflow either. It returns how many events it removed, also of those in work.
func (c *Client) Drop(ctx context.Context, s queue.Step) (dropped int64, err error) {
	subject := queue.Subjects(c.options.Namespace, c.options.Version)
	switch {
	case s.Node != "":
		subject = queue.Subject(c.options.Namespace, c.options.Version, s)
	case s.Workflow != "":
		subject = queue.Workflow(c.options.Namespace, c.options.Version, s.Workflow)
	}
	bounded, cancel := context.WithTimeout(ctx, dropTime)
	defer cancel()
	stream, err := c.open(bounded)
	if err != nil {
		return 0, fmt.Errorf("cannot find the stream %s: %w", c.settings.Stream, cmp.Or(missing(err), err))
	}
	before, err := events(bounded, stream, subject)
	if err != nil {
		return 0, err
	}
	if err := stream.Purge(bounded, jetstream.WithPurgeSubject(subject)); err != nil {
		return 0, fmt.Errorf("cannot remove events of the stream %s: %w", c.settings.Stream, err)
	}
	after, err := events(bounded, stream, subject)
	return max(before-after, 0), err
}

// events counts those of the subjects that match subject; others may come and go meanwhile.
func events(ctx context.Context, stream jetstream.Stream, subject string) (n int64, err error) {
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(subject))
	if err != nil {
		return 0, fmt.Errorf("cannot read the stream %s: %w", stream.CachedInfo().Config.Name, err)
	}
	for _, count := range info.State.Subjects {
		n += int64(count)
	}
	return n, nil
}

// Streams reports on all streams of versions, without their steps.
func (c *Client) Streams(ctx context.Context) (all []queue.Status, err error) {
	list := c.js.ListStreams(ctx, jetstream.WithStreamListSubject("krt.>"))
	for info := range list.Info() {
		if _, _, ok := queue.ParseStream(info.Config.Name); ok {
			all = append(all, statusOf(info))
		}
	}
	if err := list.Err(); err != nil {
		return all, fmt.Errorf("cannot list the streams of %s: %w", c.URL(), err)
	}
	return all, nil
}

// Find reports on a version's stream; nil: there is none. What its consumers have left is what counts, and of steps
// that have nothing left, what the stream has for them, so that no event is missing that is passed on meanwhile: it may
// be one that is done (see [Client.Sweep]). Without consumers there are no Steps, and all that the stream has counts.
func (c *Client) Find(ctx context.Context, namespace, version string) (*queue.Status, error) {
	bounded, cancel := c.call(ctx)
	s, err := c.js.Stream(bounded, queue.Stream(namespace, version))
	cancel()
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("cannot read the stream of version %q at %s: %w", version, c.URL(), ended(bounded, err))
	}
	status := statusOf(s.CachedInfo())
	all, err := c.infos(ctx, s)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 { // nobody has begun with what it has
		return &status, nil
	}
	c.steps(&status, all)
	if err := c.unseen(ctx, s, &status, namespace, version); err != nil {
		return nil, fmt.Errorf("cannot read the stream of version %q at %s: %w", version, c.URL(), err)
	}
	return &status, nil
}

// unseen adds what the stream has for steps whose consumers have nothing left. Consumers are read one by one, and get to
// know an event only after the stream has it, on servers of a cluster much later: one that is passed on meanwhile is left
// at none of them. In the stream it is at any time, for the one step or for the other.
func (c *Client) unseen(ctx context.Context, stream jetstream.Stream, status *queue.Status, namespace, version string) error {
	ctx, cancel := c.call(ctx)
	defer cancel()
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(queue.StepSubjects(namespace, version)))
	if err != nil {
		return ended(ctx, err)
	}
	for i := range status.Steps {
		if s := &status.Steps[i]; s.Events() == 0 {
			s.Waiting = int64(info.State.Subjects[queue.Subject(namespace, version, s.Step())])
			status.Events += s.Waiting
		}
	}
	return nil
}

// Delete removes a version's stream and all that waits in it. One that does not exist is no error.
func (c *Client) Delete(ctx context.Context, namespace, version string) error {
	ctx, cancel := c.call(ctx)
	defer cancel()
	err := c.js.DeleteStream(ctx, queue.Stream(namespace, version))
	if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("cannot delete the stream of version %q at %s: %w", version, c.URL(), ended(ctx, err))
	}
	return nil
}
