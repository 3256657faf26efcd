package load_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// fillQueue gives the queue, whose volume has the room of the whole machine on the cluster of
// `make cluster`, a small volume with what the former has, fills that for a while, and gives the
// queue its own volume back with what is there then.
func fillQueue(ctx context.Context, p place) (err error) {
	folder, err := p.queueFolder(ctx)
	if err != nil {
		return err
	}
	queue := statefulSet("krt-system", "krt-queue")
	volume, err := os.MkdirTemp("", "krt-queue-")
	if err != nil {
		return err
	}
	if err := p.withoutQueue(ctx, queue, func() error {
		return p.commands([][]string{
			{"mount", "-t", "tmpfs", "-o", "size=96m,mode=0777", "tmpfs", volume},
			{"cp", "-a", folder + "/.", volume},
			{"mount", "--bind", volume, folder},
		})
	}); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, p.withoutQueue(context.WithoutCancel(ctx), queue, func() error {
			return p.commands([][]string{
				{"umount", folder},
				{"find", folder, "-mindepth", "1", "-delete"},
				{"cp", "-a", volume + "/.", folder},
				{"umount", volume},
			})
		}), os.Remove(volume))
	}()
	ready := func(want bool) error {
		return until(ctx, func() error {
			if is := p.havePods(ctx, queue, map[string]string{"app.kubernetes.io/name": "krt-queue"}, 1) == nil; is != want {
				return fmt.Errorf("the queue is ready: %t", is)
			}
			return nil
		})
	}
	if err := ready(true); err != nil {
		return err
	}
	fill := filepath.Join(volume, "fill")
	// dd ends with an error, because no room is left: that is what it is for.
	if out, err := p.Try("", "dd", "if=/dev/zero", "of="+fill, "bs=4k"); err == nil || !strings.Contains(err.Error(), "No space left") {
		return fmt.Errorf("the volume is not full: %w\n%s", err, out)
	}
	if err := errors.Join(ready(false), pause(ctx, *away), os.Remove(fill)); err != nil {
		return err
	}
	return ready(true)
}

// queueFolder is where the queue's volume is on this machine.
func (p place) queueFolder(ctx context.Context) (string, error) {
	var volume corev1.PersistentVolume
	if err := p.client.Get(ctx, client.ObjectKey{Name: "krt-queue"}, &volume); err != nil || volume.Spec.Local == nil {
		return "", fmt.Errorf("%w: the queue has no volume krt-queue of this machine: %w", errLeftOut, err)
	}
	if _, err := os.Stat(volume.Spec.Local.Path); err != nil {
		return "", fmt.Errorf("%w: the queue's volume is not on this machine: %w", errLeftOut, err)
	}
	return volume.Spec.Local.Path, nil
}

// withoutQueue does something while the queue has no pod.
func (p place) withoutQueue(ctx context.Context, queue client.Object, do func() error) error {
	if err := p.client.Get(ctx, client.ObjectKeyFromObject(queue), queue); err != nil {
		return err
	}
	if err := errors.Join(p.scale(ctx, queue, 0), p.gone(ctx, queue)); err != nil {
		return errors.Join(err, p.scale(ctx, queue, 1))
	}
	return errors.Join(do(), p.scale(ctx, queue, 1))
}

func (p place) commands(all [][]string) error {
	for _, one := range all {
		if _, err := p.Try("", one[0], one[1:]...); err != nil {
			return err
		}
	}
	return nil
}
