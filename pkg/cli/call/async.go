package call

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"

	"krt.dev/kn-krt/pkg/cli/requests"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/invocation"
	"krt.dev/kn-krt/pkg/legible"
)

const (
	// acceptTime bounds how long a version may take to accept an event, without --timeout.
	acceptTime = time.Minute
	// maxRefusal bounds what is read of a refusal, maxShown what is printed of it, in bytes.
	maxRefusal, maxShown = 64 << 10, 1000
)

func (o *invokeOptions) addAsyncFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&o.send, "async", false, "do not wait for the response: print the id, with which 'result' fetches it")
	flags.StringVar(&o.web, "web-address", "",
		"with --async, the web address of a version on this machine (default: that of the run at --address)")
}

// check reports flags that exclude each other.
func (o *invokeOptions) check(cmd *cobra.Command) error {
	o.inspect = o.inspect || cmd.Flag("inspect-address").Changed
	switch {
	case o.timeout < 0:
		return term.UsageError(cmd, "invalid --timeout %v: must not be negative", o.timeout)
	case o.send && (o.trace || o.inspect):
		return term.UsageError(cmd, "--async cannot be combined with --trace or --inspect: 'requests ID' shows the request")
	case o.web != "" && !o.send:
		return term.UsageError(cmd, "--web-address is for --async")
	}
	return nil
}

// sendHere sends the request to the version that runs on this machine.
func (o invokeOptions) sendHere(cmd *cobra.Command) (err error) {
	given := strings.TrimSuffix(strings.TrimPrefix(o.web, "http://"), "/") // as a run prints it
	to := requests.Web{Address: given, Result: o.program + " result"}
	if o.web == "" {
		if o.address, err = o.here(cmd); err != nil {
			return err
		}
		if to, err = requests.LocalWeb(cmd.Context(), o.program, o.address); err != nil {
			return err
		}
	}
	return o.sendTo(cmd.Context(), to)
}

// sendOn sends the request to the named version on the cluster, or to the published one if version is "".
func (o invokeOptions) sendOn(cmd *cobra.Command, c Versions, version string) error {
	to, err := c.ReachWeb(cmd, version)
	if err != nil {
		return unreached(cmd, c, version, err)
	}
	defer to.Release()
	return o.sendTo(cmd.Context(), to)
}

// client follows no redirects: a version has none, and credentials are for nobody else.
var client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// sendTo sends the request as an event whose response nobody waits for, and prints its id.
func (o invokeOptions) sendTo(ctx context.Context, to requests.Web) error {
	text, by, err := o.input()
	if err != nil {
		return err
	}
	if o.timeout == 0 {
		o.timeout = acceptTime
	}
	ctx, cancel := o.limited(ctx)
	defer cancel()
	r, err := o.event(ctx, to.Address, text, by)
	if err != nil {
		return err
	}
	response, err := client.Do(r)
	if err != nil {
		return unsent(to.Address, err)
	}
	defer response.Body.Close()
	id := response.Header.Get("Krt-Correlation-Id")
	if response.StatusCode != http.StatusAccepted || id == "" {
		return unaccepted(response)
	}
	return o.accepted(id, to.Result)
}

// accepted prints the id of a request that was accepted, and to people how to go on.
func (o invokeOptions) accepted(id, result string) error {
	id = legible.Line(id, maxShown)
	fetch := result + " " + id
	if o.output == term.OutputJSON {
		return term.PrintJSON(o.streams.Out, struct {
			ID     string `json:"id"`
			Result string `json:"result"`
		}{id, fetch})
	}
	if _, err := fmt.Fprintln(o.streams.Out, id); err != nil {
		return err
	}
	fmt.Fprintf(o.streams.Err, "Accepted. Wait for the result, if the version keeps it: %s -w\n", fetch)
	return nil
}

// event is the request to the web port.
func (o invokeOptions) event(ctx context.Context, address string, text []byte, by invocation.Credentials) (*http.Request, error) {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return nil, fmt.Errorf("%.200q is not the web address of a version, such as 127.0.0.1:8080", address)
	}
	at := url.URL{Scheme: "http", Host: address, Path: "/"}
	target := at.JoinPath("workflows", url.PathEscape(o.workflow)).String()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("cannot send to %.200q: %w", address, err)
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "Prefer": "respond-async", "Ce-Specversion": "1.0", "Ce-Id": rand.Text(),
		"Ce-Source": "/kn-krt/invoke", "Ce-Type": "dev.krt.invoke",
	} {
		r.Header.Set(name, value)
	}
	sent, err := by.GetRequestMetadata(ctx)
	for name, value := range sent {
		r.Header.Set(name, value)
	}
	return r, err
}

// unsent is the error of a request that the version did not get, or not in time.
func unsent(address string, err error) error {
	var failed *url.Error
	if errors.As(err, &failed) { // its text has the whole address
		err = failed.Err
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return term.WithHint(fmt.Errorf("no version is running at %s: connection refused", address),
			"Name the version's web address with --web-address.")
	case errors.Is(err, context.DeadlineExceeded):
		return errors.New("the version did not accept the request in time; it may do it nevertheless")
	}
	return fmt.Errorf("cannot send the request to the version at %s: %w", address, err)
}

// unaccepted is the error of a response that is not 202.
func unaccepted(response *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(response.Body, maxRefusal))
	said := &spb.Status{}
	if (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(text, said) != nil || said.GetMessage() == "" {
		said.Message = fmt.Sprintf("the server responded with HTTP %d, not as a version does", response.StatusCode)
	}
	err := fmt.Errorf("the request was not accepted: %s", legible.Line(said.GetMessage(), maxShown))
	switch codes.Code(said.GetCode()) {
	case codes.NotFound:
		return term.WithCode(term.ExitNotFound, err)
	case codes.Unauthenticated:
		return term.WithHint(err, credentialsHint)
	}
	return err
}
