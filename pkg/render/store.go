package render

import (
	"encoding/pem"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"

	"krt.dev/kn-krt/pkg/entrypoint/measure"
	"krt.dev/kn-krt/pkg/retention"
	"krt.dev/kn-krt/pkg/runner/store"
)

// NoStore is the setting store-url of a cluster without a store.
const NoStore = "none"

const (
	// storeFolder is where nodes and entrypoint find their credentials for the store.
	storeFolder = "/krt-store"
	storeVolume = "krt-store"
)

// Store is the URL of the store; empty if there is none.
func (s Settings) Store() string {
	switch s.StoreURL {
	case NoStore:
		return ""
	case "":
		return ServiceURL(StoreName, SystemNamespace, s.ClusterDomain)
	}
	return s.StoreURL
}

// saves reports whether the entrypoint saves anything: automatic measurements or letters.
func (in Input) saves() bool {
	return in.Settings.Store() != "" && (in.Settings.Measurements != measure.Off || in.Kept)
}

// letters reports whether the entrypoint keeps dead letters and, if the version wants it, results.
func (in Input) letters() bool { return in.Kept && in.Settings.Store() != "" }

// defaultResults is how long results are kept of a version that does not say.
const defaultResults = 24 * time.Hour

// results is how long results are kept; empty: they are not.
func (in Input) results() string {
	wanted := in.Version.Spec.Entrypoint.Results
	switch {
	case wanted == nil || !in.letters():
		return ""
	case wanted.Retention == nil:
		return defaultResults.String()
	}
	return wanted.Retention.Duration.String()
}

// mountStore mounts a credential into a container: the one in the Secret's key that is its node's or the
// entrypoint's. The others in the same Secret are left out.
func (in Input) mountStore(pod *corev1.PodSpec, container *corev1.Container, key string) {
	if in.StoreSecret == "" {
		return
	}
	secret := &corev1.SecretVolumeSource{
		SecretName: in.StoreSecret,
		Items:      []corev1.KeyToPath{{Key: key, Path: store.FileCredential}},
	}
	if in.Settings.StoreCA != "" {
		secret.Items = append(secret.Items, corev1.KeyToPath{Key: StoreSecretCA, Path: store.FileCA})
	}
	pod.Volumes = append(pod.Volumes, corev1.Volume{Name: storeVolume, VolumeSource: corev1.VolumeSource{Secret: secret}})
	container.VolumeMounts = append(container.VolumeMounts,
		corev1.VolumeMount{Name: storeVolume, MountPath: storeFolder, ReadOnly: true})
}

// storeKeyOfEntrypoint is the key of the entrypoint's credential; it has that of nodes in a version that an
// older kn-krt has started.
func (in Input) storeKeyOfEntrypoint() string {
	if in.Divides() {
		return StoreSecretEntrypoint
	}
	return StoreSecretNode
}

func storeKeys() []settingKey {
	keys := []settingKey{
		{"store-url", "The URL (http or https) of the store for ctx.measurement, ctx.prediction and ctx.db of nodes. Default:\n" +
			"the one of config/600-store.yaml. With \"none\", measurements and predictions are logged, and ctx.db is\n" +
			"an error.", "http://krt-store.krt-system.svc.cluster.local",
			func(s *Settings, text string) error { return storeURL(&s.StoreURL, text) }},
		{"store-ca", "Certificates (PEM) by one of which that of an https store is signed. Default: the system's.",
			"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
			func(s *Settings, text string) error { return certificates(&s.StoreCA, text) }},
		{"automatic-measurements", "Which measurements workflow_elapsed_time and node_elapsed_time are saved in the store, if there is\n" +
			"one: off, aggregated (one for each 10 seconds) or each (one for each request).", "aggregated",
			func(s *Settings, text string) (err error) {
				s.Measurements, err = measure.ParseMode(text)
				return err
			}},
	}
	for _, r := range retention.Settings() {
		about := "How long the store keeps " + r.Kind + ": hours (12h), days (30d) or weeks (8w); or forever."
		keys = append(keys, settingKey{r.Name, about, r.Default,
			func(s *Settings, text string) (err error) {
				*r.Of(&s.Retention), err = retention.Parse(text)
				return err
			}})
	}
	return keys
}

func certificates(to *string, text string) error {
	for rest := []byte(text); len(rest) > 0; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil || block.Type != "CERTIFICATE" {
			return errors.New("it must have certificates in PEM, and nothing else")
		}
	}
	*to = text
	return nil
}
