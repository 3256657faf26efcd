package render

import "krt.dev/kn-krt/pkg/apis/krt/v1alpha1"

// Latest returns with as this kn-krt starts a version: its objects do all that they can. Whether Knative encrypts is
// not its to say.
func Latest(with v1alpha1.StartedWith) v1alpha1.StartedWith {
	with.Traffic, with.Kept, with.Warm, with.Patient, with.Attempts = true, true, true, true, true
	with.Level = v1alpha1.Level
	return with
}

// Started returns in for a version that was started with that: its objects do what the kn-krt has them do that has
// started it.
func (in Input) Started(with v1alpha1.StartedWith) Input {
	in.Traffic, in.Kept, in.Warm, in.Patient = with.Traffic, with.Kept, with.Warm, with.Patient
	in.Encrypted, in.Attempts, in.Level = with.Encrypted, with.Attempts, with.Level
	return in
}
