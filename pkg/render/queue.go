package render

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/queue"
)

const (
	// queueFolder is where the entrypoint finds its credentials for the queue.
	queueFolder = "/etc/krt-queue"
	queueVolume = "queue"
	// queuePort is the port of the queue of config/queue.
	queuePort = 4222
	// mostQueueReplicas is on how many servers of a cluster JetStream keeps a stream at most.
	mostQueueReplicas = 5
)

// Queue is the URL of the queue of durable deliveries.
func (s Settings) Queue() string {
	if s.QueueURL != "" {
		return s.QueueURL
	}
	host := strings.TrimPrefix(ServiceURL(QueueName, SystemNamespace, s.ClusterDomain), "http://")
	return "nats://" + net.JoinHostPort(host, strconv.Itoa(queuePort))
}

func (in Input) durable() bool {
	return in.Version.Delivery() == v1alpha1.DeliveryDurable
}

// checkQueue reports why durable delivery cannot be rendered.
func (in Input) checkQueue() error {
	switch {
	case !in.durable():
		return nil
	case !in.Kept:
		return errors.New("entrypoint: delivery Durable needs an entrypoint of this kn-krt: restart the version")
	case in.Settings.Store() == "":
		return errors.New("entrypoint: delivery Durable needs the store, for what has failed for good: " +
			"change setting store-url, or the delivery")
	}
	return nil
}

// queue is how the entrypoint reaches its queue; nil if the version has none.
func (in Input) queue() *queue.Settings {
	if !in.durable() {
		return nil
	}
	s := &queue.Settings{
		URL: in.Settings.Queue(), Stream: queue.Stream(in.Version.Namespace, in.Version.Name),
		Replicas: int(in.Settings.QueueReplicas), MaxBytes: in.Settings.QueueMaxBytes,
	}
	if in.QueueSecret != "" {
		s.Credentials = queueFolder
	}
	return s
}

// mountQueue mounts the credentials for the queue into the entrypoint.
func (in Input) mountQueue(pod *corev1.PodSpec, container *corev1.Container) {
	if !in.durable() || in.QueueSecret == "" {
		return
	}
	pod.Volumes = append(pod.Volumes, corev1.Volume{Name: queueVolume, VolumeSource: corev1.VolumeSource{
		Secret: &corev1.SecretVolumeSource{SecretName: in.QueueSecret},
	}})
	container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: queueVolume, MountPath: queueFolder, ReadOnly: true})
}

func queueKeys() []settingKey {
	return []settingKey{
		{"queue-url", "The URL (nats or tls) of the queue of versions with durable delivery: NATS with JetStream; several servers\n" +
			"of a cluster are separated by commas. Default: the one of config/queue. Before it names another queue,\n" +
			"stop the versions, and start them after that: a restart leaves in the former one what waits there.",
			"nats://nats.messaging:4222",
			func(s *Settings, text string) error { return queueURL(&s.QueueURL, text) }},
		{"queue-secret", "The Secret, in the namespace of each version, with its credentials for the NATS of queue-url:\n" +
			"nats.creds, or user and password; and ca.crt for one whose certificate is not signed by one of the\n" +
			"system's. Default: none. Then the version shows the credential that kn-krt makes for config/queue.",
			"nats-login",
			func(s *Settings, text string) error { return name(&s.QueueSecret, text) }},
		{"queue-ca", "Certificates (PEM) by one of which that of the queue is signed, if it is the one of config/queue with TLS:\n" +
			"then queue-url begins with tls. Default: the system's.",
			"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
			func(s *Settings, text string) error { return certificates(&s.QueueCA, text) }},
		{"queue-replicas", "On how many servers of a cluster of NATS each event is kept: 1, 3 or 5. That of config/queue is one server.", "1",
			func(s *Settings, text string) error {
				if err := integer(&s.QueueReplicas, text, 1, mostQueueReplicas); err != nil {
					return err
				}
				if s.QueueReplicas%2 == 0 {
					return fmt.Errorf("%q is not 1, 3 or 5", text)
				}
				return nil
			}},
		{"queue-max-bytes", "How many bytes of events of a version may wait; further requests are refused with RESOURCE_EXHAUSTED or\n" +
			"429. The queue of config/queue reserves it for each version, and an eighth more, at least 64Mi.", "256Mi",
			func(s *Settings, text string) error { return byteSize(&s.QueueMaxBytes, cmp.Or(text, "256Mi")) }},
	}
}

func queueURL(to *string, text string) error {
	if *to = text; text == "" {
		return nil
	}
	for one := range strings.SplitSeq(text, ",") {
		u, err := url.Parse(one)
		if err != nil || u.Scheme != "nats" && u.Scheme != "tls" || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" {
			return fmt.Errorf("%q is not a URL such as \"nats://host:4222\", without a user", text)
		}
	}
	return nil
}
