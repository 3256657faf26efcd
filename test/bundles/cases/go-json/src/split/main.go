package main

import (
	"encoding/json"
	"errors"
	"io/ioutil"
	"strings"
	"time"

	"gitlab.com/konstellation/kre/runtime-runners/kre-go"
)

type input struct {
	Text     string `json:"text"`
	TicketID int64  `json:"ticket_id"`
	Urgent   *bool  `json:"urgent"`
}

type output struct {
	Words    []string `json:"words"`
	TicketID int64    `json:"ticket_id"`
	Urgent   bool     `json:"urgent"`
	Model    string   `json:"model"`
}

func handlerInit(ctx *kre.HandlerContext) {
	name, err := ioutil.ReadFile(ctx.GetPath("models/name.txt"))
	if err != nil {
		panic(err)
	}
	ctx.SetValue("model", strings.TrimSpace(string(name)))
	ctx.SetValueInt("most", 5)
}

func handler(ctx *kre.HandlerContext, data []byte) (interface{}, error) {
	in := &input{}
	if err := json.Unmarshal(data, in); err != nil {
		return nil, err
	}
	if in.Urgent == nil {
		return nil, errors.New("urgent is not there")
	}
	words := strings.Fields(in.Text)
	if len(words) > ctx.GetValueInt("most") {
		ctx.SaveMetricError(kre.ErrMissingValues)
		return nil, errors.New("too many words")
	}
	ctx.SaveMetric(time.Unix(1588749429, 0), "short", "short")
	return output{Words: words, TicketID: in.TicketID, Urgent: *in.Urgent, Model: ctx.GetValueString("model")}, nil
}

func main() {
	kre.Start(handlerInit, handler)
}
