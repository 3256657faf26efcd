// Package image makes the images of a version's nodes and pushes them to a registry,
// without a Docker daemon: the same bundle gives the same digests.
//
// A node's image is its base and, above it, layers that change from seldom to often:
//
//	the runner           /ko-app/runner     Python, when the base has none
//	the program          /ko-app/<name>     Go
//	its requirements     /krt-python        Python, when there is a requirements.txt
//	the models           /krt-files/models  the same for all nodes
//	what nodes share     /krt-files         the same for all nodes
//	the node's own code  /krt-files/src/…   all that a changed line changes
//
// So what is pushed after a change is what changed, and a registry and a cluster's nodes hold
// the rest once. All images of a registry path are in one repository, "krt-nodes", for the
// same reason: a layer that is there is never sent again. Tags are made of the content and never
// move, so that no registry's clean-up takes an image away that a cluster runs. The files for people
// (docs/, metrics/ and examples) are an artifact of its own there: see package artifact.
//
// Which of the bundle's files are in a node's image: all that packing would include, without the
// code of other nodes. A file is another node's code if it is a program in Go that a node has as
// src, or lies in a folder that (1) directly holds the src of a node, or is it, (2) is at least
// two levels deep (src/etl, not src), and (3) holds no other node's folder. Such a folder stays in
// nevertheless if this node's own code seems to refer to it (see reach.go), or cannot be read
// (prebuilt programs). Everything else is shared and stays: models, helper modules, protos.
//
// Go sources, and nodes whose image is ko://path, are built with the go command and the SDK that this
// program carries, in the environment of gobuild.Environ: a bundle cannot change how it is built. The
// layout of ko's images is followed: /ko-app, kodata, KO_DATA_PATH, annotations, SBOM.
package image
