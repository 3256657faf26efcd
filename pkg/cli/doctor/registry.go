package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	registry "github.com/google/go-containerregistry/pkg/v1/remote"

	"krt.dev/kn-krt/pkg/cluster/diagnosis"
)

// registryTimeout bounds the check of the registry.
const registryTimeout = 15 * time.Second

// setRegistry is how to name a registry.
const setRegistry = "export KO_DOCKER_REPO=REGISTRY/PATH"

// checkRegistry checks whether node images can be pushed to the registry.
func (o *doctorOptions) checkRegistry(ctx context.Context) row {
	repo := cmp.Or(o.registry, os.Getenv("KO_DOCKER_REPO"))
	if repo == "" {
		return registryRow(diagnosis.Info, "no registry is set: 'create' needs one", setRegistry)
	}
	var options []name.Option
	if o.insecure {
		options = append(options, name.Insecure)
	}
	ref, err := name.NewTag(strings.ToLower(strings.TrimSuffix(repo, "/"))+"/krt-nodes:doctor", options...)
	if err != nil {
		return registryRow(diagnosis.Bad, fmt.Sprintf("%q is not a registry and path: %v", repo, err), setRegistry)
	}
	checked := make(chan error, 1)
	go func() { checked <- registry.CheckPushPermission(ref, authn.DefaultKeychain, http.DefaultTransport) }()
	select {
	case err = <-checked:
	case <-time.After(registryTimeout):
		err = errors.New("no response in time")
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return registryRow(diagnosis.Bad, fmt.Sprintf("cannot push to %s: %v", repo, err), "docker login "+ref.RegistryStr())
	}
	return registryRow(diagnosis.Good, "images can be pushed to "+repo, "")
}

func registryRow(result diagnosis.Result, text, fix string) row {
	return row{State: result, About: "registry", Text: text, Fix: fix}
}
