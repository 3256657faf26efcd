package apiserver

import (
	"bytes"
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	flowsv1 "knative.dev/eventing/pkg/apis/flows/v1"
	messagingv1 "knative.dev/eventing/pkg/apis/messaging/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// Config is an administrator's, whose clients nothing slows down. It is the
// caller's to change.
func (s *Server) Config() *rest.Config {
	return &rest.Config{
		Host: s.URL, BearerToken: s.Token, QPS: -1,
		TLSClientConfig: rest.TLSClientConfig{CAFile: s.CAFile},
	}
}

// As is the configuration of a service account, which may do what RBAC lets it.
func (s *Server) As(namespace, account string) *rest.Config {
	config := s.Config()
	config.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + namespace + ":" + account,
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"},
	}
	return config
}

// NewScheme knows the kinds of Kubernetes, ours, and what a version is made of.
func NewScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	kinds := runtime.NewSchemeBuilder(clientscheme.AddToScheme, servingv1.AddToScheme, flowsv1.AddToScheme, messagingv1.AddToScheme,
		v1alpha1.AddToScheme)
	if err := kinds.AddToScheme(scheme); err != nil {
		panic(err) // the kinds are always the same
	}
	return scheme
}

// NewClient makes an administrator's client, without a cache, for the kinds of [NewScheme].
func (s *Server) NewClient() (client.Client, error) {
	return client.New(s.Config(), client.Options{Scheme: NewScheme()})
}

// Install creates the objects in YAML files, given as patterns of filepath.Glob,
// one after the other, and returns them. A field that the kind does not have is an
// error. What was installed of them before the error stays.
func (s *Server) Install(ctx context.Context, patterns ...string) (all []*unstructured.Unstructured, err error) {
	c, err := s.NewClient()
	if err != nil {
		return nil, err
	}
	c = client.WithFieldValidation(c, "Strict")
	for _, pattern := range patterns {
		texts, err := documents(pattern)
		if err != nil {
			return all, fmt.Errorf("cannot install: %w", err)
		}
		for _, text := range texts {
			object := &unstructured.Unstructured{}
			if err := yaml.Unmarshal(text, object); err != nil {
				return all, fmt.Errorf("cannot install an object of %s: %w", pattern, err)
			}
			if err := c.Create(ctx, object); err != nil {
				return all, fmt.Errorf("cannot install %s %q of %s: %w", object.GetKind(), object.GetName(), pattern, err)
			}
			all = append(all, object)
		}
	}
	return all, nil
}

// documents are the objects, as YAML, in the files that match pattern, of which there is one at least.
func documents(pattern string) (all [][]byte, err error) {
	files, err := read(pattern)
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		for document := range bytes.SplitSeq(append([]byte("\n"), file...), []byte("\n---")) {
			if bytes.Contains(document, []byte("\nkind: ")) {
				all = append(all, document)
			}
		}
	}
	return all, nil
}
