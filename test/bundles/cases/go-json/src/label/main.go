package main

import (
	"encoding/json"
	"fmt"

	"github.com/konstellation-io/kre/libs/simplelogger"
	"github.com/konstellation-io/kre/runtime-runners/kre-go"
)

type ticket struct {
	ID   int64  `json:"ticket_id" bson:"ticket_id"`
	Mark string `json:"mark_of_ticket" bson:"mark_of_ticket"`
}

func handlerInit(ctx *kre.HandlerContext) {
	ctx.SetValue("marks", map[bool]string{true: "!", false: "."})
}

func handler(ctx *kre.HandlerContext, data []byte) (result interface{}, err error) {
	var values map[string]interface{}
	if err := json.Unmarshal(data, &values); err != nil {
		return nil, err
	}
	var in ticket
	if err := json.Unmarshal(data, &in); err != nil {
		return nil, err
	}
	in.Mark = ctx.GetValue("marks").(map[bool]string)[values["urgent"].(bool)]
	if err := ctx.SaveData("marks", in); err != nil {
		return nil, err
	}
	var found []ticket
	if err := ctx.GetData("marks", kre.QueryData{"ticket_id": in.ID}, &found); err != nil {
		return nil, err
	}
	report(ctx.Logger, found)
	return map[string]interface{}{
		"words": values["words"], "ticket_id": found[0].ID, "label": fmt.Sprint(values["model"], found[0].Mark),
	}, nil
}

func report(logger *simplelogger.SimpleLogger, found []ticket) {
	logger.Infof("%d marked", len(found))
}

func main() {
	kre.Start(handlerInit, handler)
}
