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
	"slices"
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
	var crds []*crd
	var all errgroup.Group
	all.SetLimit(4)
	for _, pattern := range patterns {
		texts, err := documents(pattern)
		if err != nil {
			return errors.Join(fmt.Errorf("CRDs: %w", err), all.Wait())
		}
		for _, text := range texts {
			if bytes.Contains(text, []byte("\nkind: CustomResourceDefinition\n")) {
				c := &crd{}
				crds = append(crds, c)
				all.Go(func() error {
					return s.call(ctx, http.MethodPost, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", text, c)
				})
			}
		}
	}
	if err := all.Wait(); err != nil {
		return fmt.Errorf("CRDs: %w", err)
	}
	for _, c := range crds {
		if err := poll(ctx, func() error { return s.served(ctx, c) }); err != nil {
			return fmt.Errorf("CRDs: %w", err)
		}
	}
	return nil
}

// crd is what tells where objects of a kind are.
type crd struct {
	Spec struct {
		Group    string
		Names    struct{ Plural string }
		Versions []struct {
			Name   string
			Served bool
		}
	}
}

// served returns an error until objects of the kind are served, and found by clients: the apiserver does
// both some time after the CRD is established.
func (s *Server) served(ctx context.Context, c *crd) error {
	for _, version := range c.Spec.Versions {
		if !version.Served {
			continue
		}
		path := "/apis/" + c.Spec.Group + "/" + version.Name
		if err := s.call(ctx, http.MethodGet, path+"/"+c.Spec.Names.Plural+"?limit=1", nil, nil); err != nil {
			return err
		}
		var found struct{ Resources []struct{ Name string } }
		if err := s.call(ctx, http.MethodGet, path, nil, &found); err != nil {
			return err
		}
		if !slices.ContainsFunc(found.Resources, func(r struct{ Name string }) bool { return r.Name == c.Spec.Names.Plural }) {
			return fmt.Errorf("the apiserver does not list %s of %s", c.Spec.Names.Plural, path)
		}
	}
	return nil
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
