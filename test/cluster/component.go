package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
)

// component is one of the cluster's processes.
type component struct {
	name string
	args []string
	env  []string
	// ready reports, by nil, that the components after it may start; without it they start at once.
	ready func(context.Context) error
}

const kubeProxy = "kube-proxy"

// components are in the order in which they start.
func components(p place) []component {
	const etcd = "http://127.0.0.1:2379"
	admin := "--kubeconfig=" + p.kubeconfig()
	kube := p.bin("kube")
	return []component{
		{name: "etcd", args: []string{kube, "etcd", "--data-dir=" + filepath.Join(p.State, "etcd"),
			"--listen-client-urls=" + etcd, "--advertise-client-urls=" + etcd,
			"--listen-peer-urls=http://127.0.0.1:2380", "--unsafe-no-fsync", "--log-level=warn"}},
		{name: "registry", args: []string{p.bin("crane"), "registry", "serve", "--address=127.0.0.1:5000", "--disk=" + blobDir(p)},
			// crane makes a temporary folder for uploads; a folder that goes with the cluster serves.
			env: []string{"TMPDIR=" + p.Data}, ready: dial("tcp", "127.0.0.1:5000")},
		p.containerd(),
		{name: "apiserver", args: apiserverArgs(p, kube, etcd), ready: apiserverReady},
		// Both end by themselves when the apiserver is not ready within seconds of their start.
		{name: "controller-manager", args: []string{kube, "kube-controller-manager", admin,
			"--service-account-private-key-file=" + p.pki("sa.key"), "--root-ca-file=" + p.pki("ca.crt"),
			"--use-service-account-credentials", "--cluster-cidr=" + podCIDR, "--allocate-node-cidrs",
			"--service-cluster-ip-range=" + serviceCIDR, "--cluster-signing-cert-file=" + p.pki("ca.crt"),
			"--cluster-signing-key-file=" + p.pki("ca.key"), "--leader-elect=false"}},
		{name: "scheduler", args: []string{kube, "kube-scheduler", admin, "--leader-elect=false"}},
		{name: "coredns", args: []string{p.bin("coredns"), "-conf=" + p.conf("Corefile")}},
		p.kubeProxy(), p.kubelet(),
		{name: "ingress", args: []string{p.bin("ingress"), "-kubeconfig=" + p.kubeconfig(),
			"-public=" + nodeIP + ":80", "-private=" + nodeIP + ":8081", "-address=" + nodeIP}},
		{name: "gateway", args: []string{p.bin("gateway"), "-kubeconfig=" + p.kubeconfig()}},
	}
}

// nodeComponents are those of a node after the first, in the order in which they start.
func nodeComponents(p place) []component {
	containerd := p.containerd()
	containerd.ready = dial("unix", filepath.Join(p.State, "containerd.sock")) // kubelet ends without it
	return []component{containerd, p.kubeProxy(), p.kubelet()}
}

func (p place) containerd() component {
	return component{name: "containerd", args: []string{"containerd", "--config=" + p.conf("containerd.toml"), "--log-level=warn"}}
}

func (p place) kubeProxy() component {
	return component{name: kubeProxy, args: []string{p.bin("kube"), kubeProxy, "--kubeconfig=" + p.kubeconfig(),
		"--cluster-cidr=" + podCIDR, p.override(), "--proxy-mode=iptables", "--conntrack-max-per-core=0",
		"--conntrack-tcp-timeout-established=0", "--conntrack-tcp-timeout-close-wait=0", "--iptables-min-sync-period=100ms"}}
}

func (p place) kubelet() component {
	return component{name: "kubelet", args: []string{p.bin("kube"), "kubelet", "--config=" + p.conf("kubelet.yaml"),
		"--kubeconfig=" + p.pki("kubelet.kubeconfig"), p.override(), "--node-ip=" + p.nodeIP()}}
}

// override is the flag by which a node's kubelet and kube-proxy are told from those of others.
func (p place) override() string { return "--hostname-override=" + p.nodeName() }

func apiserverArgs(p place, kube, etcd string) []string {
	return []string{kube, "kube-apiserver", "--etcd-servers=" + etcd,
		"--bind-address=0.0.0.0", "--advertise-address=" + nodeIP, "--secure-port=6443",
		"--tls-cert-file=" + p.pki("apiserver.crt"), "--tls-private-key-file=" + p.pki("apiserver.key"),
		"--client-ca-file=" + p.pki("ca.crt"), "--service-account-key-file=" + p.pki("sa.pub"),
		"--service-account-signing-key-file=" + p.pki("sa.key"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-cluster-ip-range=" + serviceCIDR, "--authorization-mode=Node,RBAC", "--allow-privileged",
		"--kubelet-client-certificate=" + p.pki("admin.crt"), "--kubelet-client-key=" + p.pki("admin.key"),
		"--kubelet-preferred-address-types=InternalIP", "--endpoint-reconciler-type=lease"}
}

func dial(network, address string) func(context.Context) error {
	return func(ctx context.Context) error {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

func apiserverReady(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, apiServer+"/readyz", http.NoBody)
	if err != nil {
		return err
	}
	// No secret is sent to it, and only that it is up is believed.
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // see above
	}}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("apiserver: %s", response.Status)
	}
	return nil
}
