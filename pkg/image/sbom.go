package image

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// spdxMediaType is what cosign and ko call an SPDX document.
const spdxMediaType types.MediaType = "text/spdx+json"

// component is something in an image that has a name and a version.
type component struct {
	name, version string
	purl          string // package URL, https://github.com/package-url/purl-spec
}

// The parts of SPDX 2.3 that are used, as ko does.
type (
	spdxDocument struct {
		ID            string             `json:"SPDXID"`
		Name          string             `json:"name"`
		Version       string             `json:"spdxVersion"`
		Creation      spdxCreation       `json:"creationInfo"`
		License       string             `json:"dataLicense"`
		Namespace     string             `json:"documentNamespace"`
		Describes     []string           `json:"documentDescribes"`
		Packages      []spdxPackage      `json:"packages"`
		Relationships []spdxRelationship `json:"relationships"`
	}
	spdxCreation struct {
		Created  string   `json:"created"`
		Creators []string `json:"creators"`
	}
	spdxPackage struct {
		ID       string         `json:"SPDXID"`
		Name     string         `json:"name"`
		Version  string         `json:"versionInfo,omitempty"`
		Analyzed bool           `json:"filesAnalyzed"`
		Download string         `json:"downloadLocation"`
		Refs     []spdxExternal `json:"externalRefs,omitempty"`
	}
	spdxExternal struct {
		Category string `json:"referenceCategory"`
		Locator  string `json:"referenceLocator"`
		Type     string `json:"referenceType"`
	}
	spdxRelationship struct {
		Element string `json:"spdxElementId"`
		Type    string `json:"relationshipType"`
		Related string `json:"relatedSpdxElement"`
	}
)

// document adds to m what the image is made of, as an image that registries take.
func (s *session) document(m *made, image v1.Image, b base, c contents) error {
	if s.o.NoSBOM {
		return nil
	}
	digest, err := image.Digest()
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(spdx(digest, b, c), "", "  ")
	if err != nil {
		return err
	}
	carrier := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	carrier, err = mutate.Append(carrier, mutate.Addendum{Layer: static.NewLayer(text, spdxMediaType)})
	m.documents[digest] = carrier
	return err
}

// notID is what an SPDX identifier must not contain.
var notID = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

// spdx describes the image: its base image, and what it contains.
func spdx(digest v1.Hash, b base, c contents) spdxDocument {
	const unknown = "NOASSERTION"
	id := func(name string) string { return "SPDXRef-Package-" + notID.ReplaceAllString(name, "-") }
	image, under := id(digest.String()), id(b.digest.String())
	d := spdxDocument{
		ID: "SPDXRef-DOCUMENT", Name: "sbom-" + digest.String(), Version: "SPDX-2.3", License: "CC0-1.0",
		// The same image has the same document: the time is the base's.
		Creation:  spdxCreation{Created: b.config.Created.UTC().Format(time.RFC3339), Creators: []string{"Tool: kn-krt"}},
		Namespace: "https://krt.dev/spdx/" + digest.String(),
		Describes: []string{image},
		Packages: []spdxPackage{
			{ID: image, Name: digest.String(), Download: unknown, Refs: purl("pkg:oci/image@" + digest.String())},
			{ID: under, Name: b.ref.Context().Digest(b.digest.String()).Name(), Version: b.ref.Name(), Download: unknown,
				Refs: purl("pkg:oci/image@" + b.digest.String())},
		},
		Relationships: []spdxRelationship{{"SPDXRef-DOCUMENT", "DESCRIBES", image}, {image, "DESCENDANT_OF", under}},
	}
	for _, one := range c.packages {
		ref := id(one.name + "-" + one.version)
		d.Packages = append(d.Packages, spdxPackage{ID: ref, Name: one.name, Version: one.version, Download: unknown, Refs: purl(one.purl)})
		d.Relationships = append(d.Relationships, spdxRelationship{image, "CONTAINS", ref})
	}
	return d
}

func purl(locator string) []spdxExternal {
	if locator == "" {
		return nil
	}
	return []spdxExternal{{Category: "PACKAGE-MANAGER", Locator: locator, Type: "purl"}}
}

// goComponent is a Go module.
func goComponent(path, version string) component {
	return component{name: path, version: version, purl: fmt.Sprintf("pkg:golang/%s@%s", path, version)}
}

// pythonComponent is an installed Python package.
func pythonComponent(name, version string) component {
	return component{name: name, version: version, purl: fmt.Sprintf("pkg:pypi/%s@%s", strings.ToLower(name), version)}
}
