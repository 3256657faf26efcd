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

	"krt.dev/kn-krt/pkg/cli/term"
)

// registryTimeout bounds the check of the registry.
const registryTimeout = 15 * time.Second

// setRegistry is how to name a registry.
const setRegistry = "export KO_DOCKER_REPO=REGISTRY/PATH"

// checkRegistry checks whether node images can be pushed to the registry.
func (o *doctorOptions) checkRegistry(ctx context.Context) term.Check {
	repo := cmp.Or(o.registry, os.Getenv("KO_DOCKER_REPO"))
	if repo == "" {
		return registryRow(term.CheckInfo, "no registry is set: 'create' needs one", setRegistry)
	}
	var options []name.Option
	if o.insecure {
		options = append(options, name.Insecure)
	}
	ref, err := name.NewTag(strings.ToLower(strings.TrimSuffix(repo, "/"))+"/krt-nodes:doctor", options...)
	if err != nil {
		return registryRow(term.CheckBad, fmt.Sprintf("%q is not a registry and path: %v", repo, err), setRegistry)
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
		return registryRow(term.CheckBad, fmt.Sprintf("cannot push to %s: %v", repo, err), "docker login "+ref.RegistryStr())
	}
	return registryRow(term.CheckGood, "images can be pushed to "+repo, "")
}

func registryRow(state term.CheckState, text, fix string) term.Check {
	return term.Check{State: state, About: "registry", Text: text, Fix: fix}
}
