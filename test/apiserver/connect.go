package apiserver

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
)

// connect waits for the certificate that the apiserver makes itself, then for
// the apiserver, and writes the kubeconfig.
func (s *Server) connect(ctx context.Context) error {
	s.CAFile, s.Kubeconfig = s.path("cert/apiserver.crt"), s.path("kubeconfig")
	err := poll(ctx, func() error {
		trusted, err := os.ReadFile(s.CAFile)
		if err != nil {
			return err
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(trusted) {
			return errors.New("the apiserver's certificate is not written yet")
		}
		s.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
		if err := s.call(ctx, http.MethodGet, "/readyz", nil, nil); err != nil {
			return err
		}
		// Made by the apiserver after it is ready.
		return s.call(ctx, http.MethodGet, "/api/v1/namespaces/default", nil, nil)
	})
	if err != nil {
		return err
	}
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: %q, certificate-authority: %q}}]
users: [{name: admin, user: {token: %q}}]
contexts: [{name: test, context: {cluster: test, user: admin}}]
current-context: test
`, s.URL, s.CAFile, s.Token)
	return os.WriteFile(s.Kubeconfig, []byte(text), 0o600)
}

// call sends YAML, if any, and reads the JSON answer into out, if that is wanted.
func (s *Server) call(ctx context.Context, method, path string, yaml []byte, out any) error {
	request, err := http.NewRequestWithContext(ctx, method, s.URL+path, bytes.NewReader(yaml))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+s.Token)
	request.Header.Set("Content-Type", "application/yaml")
	request.Header.Set("Accept", "application/json")
	response, err := s.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, body)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(body, out)
}

// InstallCRDs creates every CRD of the files, given as patterns of filepath.Glob,
// and waits until each is served. Objects of other kinds in a file are left out.
func (s *Server) InstallCRDs(ctx context.Context, patterns ...string) error {
	const crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
	var all errgroup.Group
	all.SetLimit(4)
	for _, pattern := range patterns {
		texts, err := documents(pattern)
		if err != nil {
			return errors.Join(fmt.Errorf("CRDs: %w", err), all.Wait())
		}
		for _, text := range texts {
			if bytes.Contains(text, []byte("\nkind: CustomResourceDefinition\n")) {
				all.Go(func() error { return s.call(ctx, http.MethodPost, crds, text, nil) })
			}
		}
	}
	if err := all.Wait(); err != nil {
		return fmt.Errorf("CRDs: %w", err)
	}
	return poll(ctx, func() error { return s.established(ctx, crds) })
}

// read returns the files that match pattern, of which there is one at least.
func read(pattern string) (texts [][]byte, err error) {
	files, err := filepath.Glob(pattern)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no file matches %q", pattern)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, nil
}

func (s *Server) established(ctx context.Context, path string) error {
	var list struct {
		Items []struct {
			Metadata struct{ Name string }
			Status   struct {
				Conditions []struct{ Type, Status string }
			}
		}
	}
	if err := s.call(ctx, http.MethodGet, path, nil, &list); err != nil {
		return err
	}
	for _, item := range list.Items {
		served := false
		for _, c := range item.Status.Conditions {
			served = served || c.Type == "Established" && c.Status == "True"
		}
		if !served {
			return fmt.Errorf("CRD %q is not served", item.Metadata.Name)
		}
	}
	return nil
}

// poll calls f until it returns nil or ctx is done; then the last error is told.
func poll(ctx context.Context, f func() error) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}
