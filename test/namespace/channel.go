package namespace

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/test/channel"
)

// ChannelTemplate is the tests' own kind of channel, as the setting channel-template names it.
const ChannelTemplate = "apiVersion: messaging.krt.test/v1\nkind: TestChannel\n"

// channelAddress is where all channels of that kind are.
const channelAddress = "http://test-channel.krt-test-channel.svc.cluster.local"

// InstallChannel installs the tests' own kind of channel (test/channel) and waits until it is there.
func (n *Namespace) InstallChannel() {
	n.t.Helper()
	require.NoError(n.t, installChannel())
	n.Kubectl("rollout", "status", "deployment/test-channel", "-n", "krt-test-channel", "--timeout", Patience.String())
}

var installChannel = sync.OnceValue(func() error {
	root, err := findRoot()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(root, "test/channel/channel.yaml"))
	if err != nil {
		return err
	}
	node, err := kubectl("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}")
	if err != nil {
		return err
	}
	file, err := os.CreateTemp("", "test-channel-*.yaml")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	if _, err := file.WriteString(strings.ReplaceAll(string(text), ": NODE}", ": "+node+"}")); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	_, err = ko("apply", "--sbom=none", "--filename="+file.Name())
	return err
})

// ChannelCounts returns what the tests' channels have done since their process began.
func (n *Namespace) ChannelCounts() (c channel.Counts, err error) {
	request, err := http.NewRequestWithContext(n.ctx, http.MethodGet, channelAddress+"/counts", http.NoBody)
	if err != nil {
		return c, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return c, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s/counts: HTTP %d: %s", channelAddress, response.StatusCode, body)
	}
	if err == nil {
		err = json.Unmarshal(body, &c)
	}
	return c, err
}
