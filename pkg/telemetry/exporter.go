package telemetry

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"golang.org/x/net/http/httpguts"
)

// exporterPrefix begins the names of the variables that the exporters read.
const exporterPrefix = "OTEL_EXPORTER_OTLP_"

// exportLimit is how long an export by HTTP may take, unless a variable says otherwise.
const exportLimit = 10 * time.Second

// newClient returns OpenTelemetry's exporter for a protocol. It reads the variables of its
// own, which must have been checked.
func newClient(p Protocol, s exporterSettings) otlptrace.Client {
	otel.SetLogger(logr.Discard()) // the exporters log the values of variables, which may be secret
	if p == GRPC {
		return otlptracegrpc.NewClient()
	}
	return otlptracehttp.NewClient(otlptracehttp.WithHTTPClient(s.client()))
}

// exporterSettings are those that an HTTP client of our own needs.
type exporterSettings struct {
	limit time.Duration
	tls   *tls.Config // nil is the default
}

// client returns an HTTP client that follows no redirect: one is sent by what is not a
// collector, and the response of another server would count as an export.
func (s exporterSettings) client() *http.Client {
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: s.tls, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: exportLimit, IdleConnTimeout: time.Minute,
	}
	return &http.Client{
		Transport: transport, Timeout: s.limit,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// readExporter checks the variables that the exporters would pass over with a line that has
// the value, which may be secret. An error names the variable only.
func readExporter() (exporterSettings, error) {
	s := exporterSettings{limit: exportLimit}
	var config tls.Config
	for _, signal := range []string{exporterPrefix, exporterPrefix + "TRACES_"} { // the second wins
		for name, read := range map[string]func(string) error{
			signal + "HEADERS": checkHeaders,
			signal + "TIMEOUT": func(text string) error {
				ms, err := strconv.Atoi(text)
				if err != nil || ms <= 0 {
					return errors.New("it is not a positive number of milliseconds")
				}
				s.limit = time.Duration(ms) * time.Millisecond
				return nil
			},
			signal + "CERTIFICATE": func(path string) error {
				config.RootCAs = x509.NewCertPool()
				return addCertificates(config.RootCAs, path)
			},
			signal + "CLIENT_CERTIFICATE": func(path string) error {
				pair, err := tls.LoadX509KeyPair(path, setting(signal+"CLIENT_KEY"))
				if err != nil {
					return fmt.Errorf("its file and that of %sCLIENT_KEY are not a certificate and its key in PEM", signal)
				}
				config.Certificates = []tls.Certificate{pair}
				return nil
			},
		} {
			text := setting(name)
			if text == "" {
				continue
			}
			if err := read(text); err != nil {
				return exporterSettings{}, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	if config.RootCAs != nil || config.Certificates != nil {
		s.tls = &config
	}
	return s, nil
}

// setting is the value of a variable as the exporters read it.
func setting(name string) string { return strings.TrimSpace(os.Getenv(name)) }

func addCertificates(to *x509.CertPool, path string) error {
	text, err := os.ReadFile(path)
	if err != nil || !to.AppendCertsFromPEM(text) {
		return errors.New("there is no file of that name with certificates in PEM")
	}
	return nil
}

// checkHeaders checks a list such as "authorization=Basic%20eA==,x=y".
func checkHeaders(list string) error {
	for header := range strings.SplitSeq(list, ",") {
		name, value, ok := strings.Cut(header, "=")
		plain, err := url.PathUnescape(value)
		if !ok || err != nil || !httpguts.ValidHeaderFieldName(strings.TrimSpace(name)) ||
			!httpguts.ValidHeaderFieldValue(strings.TrimSpace(plain)) {
			return errors.New("it is not of the form key=value,key=value with values that are escaped as in a URL")
		}
	}
	return nil
}
