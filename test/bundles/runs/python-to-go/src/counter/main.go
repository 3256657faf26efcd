package main

import (
	"fmt"
	"time"

	"github.com/konstellation-io/kre-runners/kre-go"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	pb "main/proto"
)

func handlerInit(ctx *kre.HandlerContext) {
	ctx.Logger.Info("[counter init]")
	ctx.Set("longest-allowed", 40)
}

func handler(ctx *kre.HandlerContext, data *anypb.Any) (proto.Message, error) {
	ctx.Logger.Infof("[counter handler] %s", data.TypeUrl)

	req := &pb.Tokens{}
	if err := anypb.UnmarshalTo(data, req, proto.UnmarshalOptions{}); err != nil {
		return nil, fmt.Errorf("invalid request: %s", err)
	}

	if len(req.Words) == 0 {
		ctx.SetEarlyExit()
		return &pb.Response{Longest: "no words at all"}, nil
	}

	res := &pb.Response{Words: int32(len(req.Words))}
	for _, word := range req.Words {
		if len(word) > ctx.GetInt("longest-allowed") {
			return nil, fmt.Errorf("no word has %d letters", len(word))
		}
		if len(word) > len(res.Longest) {
			res.Longest = word
		}
	}

	ctx.Measurement.Save("words", map[string]interface{}{"count": len(req.Words)}, map[string]string{"node": "counter"})
	ctx.Prediction.Save(time.Now(), res.Longest, res.Longest)
	if err := ctx.DB.Save("longest", map[string]interface{}{"word": res.Longest}); err != nil {
		ctx.Logger.Errorf("Error saving the longest word: %s", err)
	}
	return res, nil
}

func main() {
	kre.Start(handlerInit, handler)
}
