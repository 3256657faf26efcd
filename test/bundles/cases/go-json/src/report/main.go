package main

import (
	"encoding/json"
	"strings"

	"github.com/konstellation-io/kre-runners/kre-go"
)

func handlerInit(ctx *kre.HandlerContext) {}

func handler(ctx *kre.HandlerContext, data []byte) (interface{}, error) {
	var in struct {
		Words    []string `json:"words"`
		Label    string   `json:"label"`
		TicketID int64    `json:"ticket_id"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return nil, err
	}
	lengths := map[string]int{}
	for _, word := range in.Words {
		lengths[word] = len(word)
	}
	ctx.Measurement.Save("words", map[string]interface{}{"count": len(in.Words)}, nil)
	if err := ctx.DB.Save("tickets", map[string]interface{}{"id": in.TicketID}); err != nil {
		return nil, err
	}
	return map[string]interface{}{
		"text":      strings.Join(in.Words, "-") + " " + in.Label,
		"ticket_id": in.TicketID,
		"lengths":   lengths,
	}, nil
}

func main() {
	kre.Start(handlerInit, handler)
}
