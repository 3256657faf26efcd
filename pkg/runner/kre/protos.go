package kre

// protos is the google.protobuf.FileDescriptorSet of the version's protos, in its wire
// form. The kn-krt command puts another file in the place of this one when it builds a
// node whose handler takes JSON: to make it of messages, their descriptors are needed.
const protos = ""
