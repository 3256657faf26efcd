//go:build deps

package deps

import (
	_ "github.com/google/go-containerregistry/pkg/registry"
	_ "github.com/google/go-containerregistry/pkg/v1/remote"
	_ "github.com/google/ko/pkg/build"
	_ "k8s.io/api/core/v1"
	_ "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	_ "k8s.io/cli-runtime/pkg/genericclioptions"
	_ "k8s.io/client-go/tools/portforward"
	_ "knative.dev/eventing/pkg/apis/flows/v1"
	_ "knative.dev/serving/pkg/apis/serving/v1"
	_ "krt.dev/kn-krt/functions/greeter/src/go-greeter/proto"
	_ "sigs.k8s.io/controller-runtime"
	_ "sigs.k8s.io/yaml"
)
