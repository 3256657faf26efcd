package kre

// protos is the encoded google.protobuf.FileDescriptorSet of the version's protos. The
// kn-krt command replaces this file when it builds a node whose handler takes JSON,
// because messages can be converted to JSON only with their descriptors.
const protos = ""
