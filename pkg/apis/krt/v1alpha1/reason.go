package v1alpha1

// Reasons of conditions, nodes and workflows that need no person.
const (
	ReasonReady             = "Ready"            // everything is as it should be
	ReasonDeploying         = "Deploying"        // work in progress, which leaves the summary of nodes or workflows Unknown
	ReasonWaitingForNode    = "WaitingForNode"   // a pod waits for a machine that can run it, such as one with a GPU from a pool at zero
	ReasonStopped           = "Stopped"          // spec.state is Stopped, and nothing of the version runs
	ReasonStopping          = "Stopping"         // the requests in flight are finished before the objects are deleted
	ReasonPublished         = "Published"        // the Service active-entrypoint routes to the version
	ReasonPublishing        = "Publishing"       // the version is published once it is ready
	ReasonNotPublished      = "NotPublished"     // the Runtime of the namespace names another version, or none
	ReasonNothingPublished  = "NothingPublished" // spec.publishedVersion of the Runtime is empty
	ReasonCanary            = "Canary"           // the Runtime of the namespace names the version as its canary
	ReasonLeaving           = "Leaving"          // the entrypoints are being updated: a canary gets no more requests
	ReasonCanaryProgressing = "Progressing"      // the plan is at a step: the message has it, and what it waits for
	ReasonCurrent           = "Current"          // the version has the settings of the cluster, and what its kn-krt gives
	ReasonBehind            = "Behind"           // the cluster has other settings, or another kn-krt, than the version was started with
	ReasonRestarting        = "Restarting"       // the new objects of a restart are not ready yet
	ReasonAccepted          = "Accepted"         // the Gateway of the settings accepts the routes to the published version
	ReasonGatewayPending    = "GatewayPending"   // it has not reported yet whether it accepts them
	ReasonUnknownKeys       = "UnknownKeys"      // ConfigReady=True, and the Secret has keys that the version does not declare
)

// Reasons that need a person.
const (
	ReasonConfigMissing    = "ConfigMissing"    // a declared variable or file has no value
	ReasonConfigUnreadable = "ConfigUnreadable" // the controller may not read the Secret
	ReasonSettingsInvalid  = "SettingsInvalid"  // config-krt is invalid, and no valid one was read before
	ReasonInvalid          = "Invalid"          // the version contradicts itself: a proto does not compile, an rpc does not exist
	ReasonNotOwned         = "NotOwned"         // an object with the name exists and belongs to another owner
	ReasonRefused          = "Refused"          // the apiserver or a webhook refused an object
	ReasonFeatureDisabled  = "FeatureDisabled"  // one of Knative's flags is off
	ReasonServingMissing   = "ServingMissing"   // Knative Serving is not installed
	ReasonEventingMissing  = "EventingMissing"  // Knative Eventing is not installed
	ReasonImageNotFound    = "ImageNotFound"    // the image cannot be pulled or resolved
	ReasonCrashed          = "Crashed"          // a container exited
	ReasonNotAnswering     = "NotAnswering"     // a container runs and does not become ready
	ReasonUnschedulable    = "Unschedulable"    // no machine of the cluster can run the pod
	ReasonRevisionFailed   = "RevisionFailed"   // any other failure of a node's Knative Service
	ReasonChannelLimit     = "ChannelLimit"     // WorkflowsReady=True, and messages may be too large for the channels
	ReasonSequenceFailed   = "SequenceFailed"   // a workflow's Sequence, its channels or subscriptions
	ReasonStoreUnavailable = "StoreUnavailable" // the store does not respond or cannot use its databases
	ReasonQueueUnavailable = "QueueUnavailable" // the queue of durable deliveries does not respond
	ReasonEntrypointFailed = "EntrypointFailed" // any other failure of the entrypoint's Deployment
)

// Reasons of a Runtime whose spec.publishedVersion cannot be published.
const (
	ReasonVersionNotFound = "VersionNotFound" // the namespace has no version of that name
	ReasonVersionNotReady = "VersionNotReady" // the version is stopped, or cannot become ready
)

// Reasons of a Runtime whose published version cannot be reached through the Gateway of the settings.
const (
	ReasonGatewayAPIMissing = "GatewayAPIMissing" // the Gateway API is not installed, or older than v1.1
	ReasonGatewayNotFound   = "GatewayNotFound"   // the Gateway of the settings does not exist
	ReasonRouteNotAccepted  = "RouteNotAccepted"  // the Gateway does not accept a route, or cannot follow it
)

// Reasons of a canary that gets no requests, besides those of a version that cannot be published.
const (
	ReasonContractDiffers = "ContractDiffers" // it does not serve the published contract
	ReasonRestartNeeded   = "RestartNeeded"   // an older kn-krt has started one of the two versions
)

// IsExpected reports whether a condition, node or workflow that is not ready for this
// reason is in the state that was asked for: there is nothing to do.
func IsExpected(reason string) bool {
	switch reason {
	case ReasonStopped, ReasonStopping, ReasonNotPublished, ReasonNothingPublished, ReasonCanary:
		return true
	}
	return false
}

// IsProgress reports whether a node, workflow or entrypoint that is not ready for this reason may become
// ready without a person.
func IsProgress(reason string) bool {
	return reason == ReasonDeploying || reason == ReasonWaitingForNode
}

// Reasons of a canary with a plan.
const (
	ReasonPausedByHand   = "PausedByHand"  // spec.canary.paused is true
	ReasonNoData         = "NoData"        // a step has waited for too long for requests, predictions or a query's result
	ReasonUndecided      = "Undecided"     // a value is beyond its limit, may be so by chance, and stayed so for too long
	ReasonLimitExceeded  = "LimitExceeded" // a value is beyond its limit, and not by chance
	ReasonCanaryNotReady = "NotReady"      // the canary could get no requests for too long
	ReasonPlanSucceeded  = "Succeeded"     // all steps were within the limits
)
