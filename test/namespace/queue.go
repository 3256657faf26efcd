package namespace

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/stretchr/testify/require"
)

// InstallQueue brings the queue of durable deliveries onto the cluster, after Install, once in a
// test's process, and waits until it works.
func (n *Namespace) InstallQueue() {
	n.t.Helper()
	queueDisk.Do(n.makeQueueDisk)
	require.NoError(n.t, installQueue())
	n.Kubectl("rollout", "status", "statefulset/krt-queue", "-n", "krt-system", "--timeout", Patience.String())
}

var (
	queueDisk    sync.Once
	installQueue = sync.OnceValue(func() error {
		_, err := ko("apply", "--sbom=none", "--filename=config/queue/")
		return err
	})
)

// makeQueueDisk gives the queue a disk beside the store's on the cluster of `make cluster`, where
// nothing makes one for its claim.
func (n *Namespace) makeQueueDisk() {
	n.t.Helper()
	text := n.Kubectl("get", "persistentvolume", "krt-store", "--ignore-not-found", "-o", "json")
	if strings.TrimSpace(text) == "" {
		return // another cluster, with a StorageClass
	}
	var store struct{ Spec map[string]any }
	require.NoError(n.t, json.Unmarshal([]byte(text), &store))
	local, ok := store.Spec["local"].(map[string]any)
	require.True(n.t, ok, "krt-store is a local volume")
	folder := filepath.Join(filepath.Dir(local["path"].(string)), "queue")
	require.NoError(n.t, os.MkdirAll(folder, 0o750))
	require.NoError(n.t, os.Chmod(folder, 0o777)) // as the store's: a pod of any user writes there
	local["path"] = folder
	store.Spec["claimRef"] = map[string]any{"namespace": "krt-system", "name": "data-krt-queue-0"}
	volume, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "PersistentVolume", "metadata": map[string]any{"name": "krt-queue"}, "spec": store.Spec,
	})
	require.NoError(n.t, err)
	if n.Kubectl("get", "persistentvolume", "krt-queue", "--ignore-not-found", "-o", "name") == "" {
		n.Run(string(volume), "kubectl", "create", "-f", "-")
	}
}
