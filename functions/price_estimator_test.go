package functions_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"krt.dev/kn-krt/test/localrun"
)

const (
	estimate    = "roomprice.Entrypoint/MakePrediction"
	saveMetrics = "roomprice.Entrypoint/SaveMetrics"
)

// pricesInQueens are price in EUR and category for 1 to 8 guests.
var pricesInQueens = [...][2]string{
	{"53.28", "low"}, {"59.96", "low"}, {"67.49", "mid"}, {"75.95", "mid"},
	{"85.48", "mid"}, {"96.21", "mid"}, {"108.27", "high"}, {"121.86", "high"},
}

// room is a request for a room in borough for so many guests.
func room(borough string, guests int) string {
	return fmt.Sprintf(`{"borough": %q, "room_type": "Private room", "accommodates": %d, "bedrooms": 1,
		"bathrooms": 1, "beds": 1, "latitude": 40.73, "longitude": -73.86, "tv": true, "internet": true}`, borough, guests)
}

func TestPriceEstimator(t *testing.T) {
	localrun.NeedPython(t)
	v := localrun.Start(t, "price-estimator", "--set", "OUTPUT_PRICE_CURRENCY=EUR")

	for _, c := range []call{
		{"estimate", estimate, "ny-room-price", room("Queens", 2),
			`{"success": true, "price": 59.96, "currency": "EUR", "category": "low"}`},
		{"early exit", estimate, "ny-room-price", `{"borough": "Queens", "room_type": "Castle"}`,
			`{"error": "room_type: 'Castle' is none of Entire home, Private room, Shared room"}`},
		{"metrics", saveMetrics, "save-metrics",
			`{"predicted_category": "low", "true_category": "mid", "date": "2024-05-06T07:08:09Z"}`,
			`{"success": true, "message": "saved"}`},
		{"metrics missing", saveMetrics, "save-metrics", `{"true_category": "mid"}`,
			`{"message": "predicted_category and true_category are both needed"}`},
		{"metrics unknown", saveMetrics, "save-metrics", `{"predicted_category": "low", "true_category": "free"}`,
			`{"message": "the model does not know the category 'free'"}`},
	} {
		t.Run(c.name, func(t *testing.T) { answersAlike(t, v, c) })
	}

	t.Run("exception", func(t *testing.T) {
		fails(t, v, estimate, room("Atlantis", 2),
			"error in 'model': borough 'Atlantis' is unknown to the model, it knows Bronx, Brooklyn, Manhattan, Queens, Staten Island")
		fails(t, v, estimate, room("Queens", 40),
			"error in 'model': accommodates is 40, the model knows 1 to 8")
	})
	t.Run("many", func(t *testing.T) {
		manyAtOnce(t, v, estimate, func(i int) (string, string) {
			// Eight sizes of room, so that a neighbour's answer is a wrong one.
			return room("Queens", i%8+1), fmt.Sprintf(`{"success": true, "price": %s, "currency": "EUR", "category": %q}`,
				pricesInQueens[i%8][0], pricesInQueens[i%8][1])
		})
	})
	t.Run("saved", func(t *testing.T) {
		saved(t, v, "/v1/measurements?name=room_price", `"borough":"Queens"`)
		for _, text := range []string{`"true_value":"mid"`, `"error":"missing_values"`, `"error":"new_labels"`} {
			saved(t, v, "/v1/predictions", text)
		}
	})
}

func TestPriceEstimatorWantsItsCurrency(t *testing.T) {
	localrun.NeedPython(t)
	for _, c := range []struct {
		name, want string
		args       []string
	}{
		{"missing", "OUTPUT_PRICE_CURRENCY", nil},
		{"unknown", "ValueError: OUTPUT_PRICE_CURRENCY: no rate for 'XXX', only for EUR, GBP, JPY, USD",
			[]string{"--set", "OUTPUT_PRICE_CURRENCY=XXX"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := append([]string{"run", "price-estimator", "--grpc-port", "0", "--web-port", "0"}, c.args...)
			printed, code := localrun.Command(t, args...)
			require.Equal(t, 1, code, printed)
			require.Contains(t, printed, c.want)
		})
	}
}
