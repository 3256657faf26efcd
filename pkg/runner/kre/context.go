package kre

import (
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	"krt.dev/kn-krt/pkg/runner"
)

// HandlerContext is what a handler gets in addition to its message: the runner's own
// context, with the names that kre-go had before 1.9.
type HandlerContext struct {
	*runner.HandlerContext
	// Metrics is Prediction by the name it had in July 2020.
	Metrics *runner.Prediction
}

func newContext(c *runner.HandlerContext) *HandlerContext {
	return &HandlerContext{HandlerContext: c, Metrics: c.Prediction}
}

// EarlyReply sends response to the client immediately; the handler and the workflow
// continue. It fails if the request already has a response, from this node or an
// earlier one.
func (c *HandlerContext) EarlyReply(response proto.Message) error {
	err := c.HandlerContext.EarlyReply(response)
	if errors.Is(err, runner.ErrReplied) {
		return errors.New("error the message was replied previously") // the original's text
	}
	return err
}

// Reply is EarlyReply by its older name.
func (c *HandlerContext) Reply(response proto.Message) error { return c.EarlyReply(response) }

// GetPath is Path by its older name.
func (c *HandlerContext) GetPath(relativePath string) string { return c.Path(relativePath) }

// SetValue is Set by its older name.
func (c *HandlerContext) SetValue(key string, value any) { c.Set(key, value) }

// SetValueString is Set by its older name.
func (c *HandlerContext) SetValueString(key, value string) { c.Set(key, value) }

// SetValueInt is Set by its older name.
func (c *HandlerContext) SetValueInt(key string, value int) { c.Set(key, value) }

// SetValueFloat is Set by its older name.
func (c *HandlerContext) SetValueFloat(key string, value float64) { c.Set(key, value) }

// GetValue is Get by its older name.
func (c *HandlerContext) GetValue(key string) any { return c.Get(key) }

// GetValueString is GetString by its older name.
func (c *HandlerContext) GetValueString(key string) string { return c.GetString(key) }

// GetValueInt is GetInt by its older name.
func (c *HandlerContext) GetValueInt(key string) int { return c.GetInt(key) }

// GetValueFloat is GetFloat by its older name.
func (c *HandlerContext) GetValueFloat(key string) float64 { return c.GetFloat(key) }

// SaveMetric is Prediction.Save by its older name. An error is logged.
func (c *HandlerContext) SaveMetric(date time.Time, predictedValue, trueValue string) {
	_ = c.Prediction.Save(date, predictedValue, trueValue)
}

// SaveMetricError is Prediction.SaveError by its older name. An error is logged.
func (c *HandlerContext) SaveMetricError(saveMetricErr SaveMetricErr) {
	_ = c.Prediction.SaveError(saveMetricErr)
}

// SaveData is DB.Save by its older name.
func (c *HandlerContext) SaveData(collection string, data any) error {
	return c.DB.Save(collection, data)
}

// GetData is DB.Find by its older name.
func (c *HandlerContext) GetData(collection string, query QueryData, res any) error {
	return c.DB.Find(collection, query, res)
}
