package main

import (
	"fmt"

	"github.com/golang/protobuf/proto"
	"github.com/golang/protobuf/ptypes"
	"github.com/golang/protobuf/ptypes/any"
	"github.com/konstellation-io/kre-runners/kre-go"
	"github.com/konstellation-io/kre/libs/simplelogger"

	pb "main/proto"
)

const collection = "tickets"

type ticket struct {
	Asset     string `json:"asset" bson:"asset"`
	Predicted string `json:"predicted" bson:"predicted"`
}

func handlerInit(ctx *kre.HandlerContext) {
	ctx.Logger.Info("[summary init]")
	ctx.Set("text", "Closed %d of %s")
}

func handler(ctx *kre.HandlerContext, data *any.Any) (proto.Message, error) {
	req := &pb.Ticket{}
	if err := ptypes.UnmarshalAny(data, req); err != nil {
		return nil, fmt.Errorf("invalid request: %s", err)
	}

	var closed []*ticket
	err := ctx.DB.Find(collection, kre.QueryData{"asset": req.Asset}, &closed)
	if err != nil {
		return nil, err
	}
	report(ctx.Logger, closed)

	res := &pb.Response{Closed: int32(len(closed))}
	res.Text = fmt.Sprintf(ctx.GetString("text"), len(closed), req.Asset)
	return res, nil
}

func report(logger *simplelogger.SimpleLogger, closed []*ticket) {
	for _, t := range closed {
		logger.Infof("%s: %s", t.Asset, t.Predicted)
	}
}

func main() {
	kre.Start(handlerInit, handler)
}
