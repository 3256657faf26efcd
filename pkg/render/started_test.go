package render_test

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/render"
)

// What a version is started with reaches its objects, whatever is added to it: a version of today has all of it, and
// one that an older kn-krt has started has what that knew.
func TestWhatAVersionIsStartedWithReachesItsObjects(t *testing.T) {
	latest := render.Latest(v1alpha1.StartedWith{EntrypointImage: "e"})
	require.Equal(t, "e", latest.EntrypointImage)
	require.EqualValues(t, v1alpha1.Level, latest.Level)
	require.EqualValues(t, v1alpha1.Level, render.Input{}.Started(latest).Level)
	all, count := reflect.ValueOf(latest), 0
	for i := range all.NumField() {
		name := all.Type().Field(i).Name
		if all.Field(i).Kind() != reflect.Bool {
			continue
		}
		count++
		require.Equal(t, name != "Encrypted", all.Field(i).Bool(), "%s of a version that is started now", name)
		var with v1alpha1.StartedWith
		reflect.ValueOf(&with).Elem().Field(i).SetBool(true)
		in := reflect.ValueOf(render.Input{}.Started(with)).FieldByName(name)
		require.True(t, in.IsValid() && in.Bool(), "%s is not in the input", name)
		require.Equal(t, render.Input{}, render.Input{Traffic: true, Warm: true, Level: 1}.Started(v1alpha1.StartedWith{}))
	}
	require.NotZero(t, count)
}
