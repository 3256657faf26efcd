package v1alpha1

// Reasons of conditions, nodes and workflows. Those of a state that needs nobody:
const (
	ReasonReady            = "Ready"
	ReasonDeploying        = "Deploying" // work in progress: the only reason of a node or workflow that leaves its sum Unknown
	ReasonStopped          = "Stopped"
	ReasonStopping         = "Stopping"
	ReasonPublished        = "Published"
	ReasonPublishing       = "Publishing"
	ReasonNotPublished     = "NotPublished"
	ReasonNothingPublished = "NothingPublished" // of a Runtime
	ReasonCurrent          = "Current"
	ReasonBehind           = "Behind"      // the cluster has other settings than the version was started with
	ReasonRestarting       = "Restarting"  // what a restart makes beside is not ready yet
	ReasonUnknownKeys      = "UnknownKeys" // ConfigReady=True, and the Secret has keys that nobody reads
)

// Reasons of what needs a person.
const (
	ReasonConfigMissing    = "ConfigMissing"    // a declared variable or file has no value
	ReasonConfigUnreadable = "ConfigUnreadable" // the controller may not read the Secret
	ReasonSettingsInvalid  = "SettingsInvalid"  // config-krt, and there is no last good one
	ReasonInvalid          = "Invalid"          // the version contradicts itself: a proto does not compile, an rpc does not exist
	ReasonNotOwned         = "NotOwned"         // an object of the name exists and is someone else's
	ReasonRefused          = "Refused"          // the apiserver or a webhook refused an object
	ReasonFeatureDisabled  = "FeatureDisabled"  // one of Knative's flags is off
	ReasonServingMissing   = "ServingMissing"   // Knative Serving is not installed
	ReasonEventingMissing  = "EventingMissing"  // Knative Eventing is not installed
	ReasonImageNotFound    = "ImageNotFound"    // the image cannot be pulled or resolved
	ReasonCrashed          = "Crashed"          // a container ended
	ReasonNotAnswering     = "NotAnswering"     // a container runs and never becomes ready
	ReasonUnschedulable    = "Unschedulable"    // no node of the cluster takes the pod
	ReasonRevisionFailed   = "RevisionFailed"   // any other failure of a node's Knative Service
	ReasonSequenceFailed   = "SequenceFailed"   // a workflow's Sequence, its channels or subscriptions
	ReasonEntrypointFailed = "EntrypointFailed" // any other failure of the entrypoint's Deployment
)

// Reasons of a Runtime that does not have the version published that it should.
const (
	ReasonVersionNotFound = "VersionNotFound"
	ReasonVersionNotReady = "VersionNotReady"
)
