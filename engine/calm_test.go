package engine_test

import (
	"context"
	"testing"

	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/engine/hl7v2"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// Whatever a peer sends that brings no message to an activity, it can't fill the log with it.
func TestCalm(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.InfoLevel)
	log := make(chan *zap.Logger, 1)
	p := &preparedPipe{newPipe(), log}
	start(t, []engine.Workflow{{Name: "w", Receiver: p, Format: hl7v2.Format{}}}, engine.WithLogger(zap.New(core)))
	<-p.ready
	own := <-log
	for range 1000 {
		own.With(zap.Int("peer", 1)).Warn("a frame is refused")
		p.handler.Refuse(context.Background(), engine.NewMessage(nil), engine.Answer{Class: engine.TooLarge})
		p.handler.Handle(context.Background(), engine.NewMessage([]byte("no HL7")))
	}
	own.Error("a fault")
	for text, most := range map[string]int{"a frame is refused": 200, "message refused": 200, "message not accepted": 200, "a fault": 1} {
		if n := logs.FilterMessage(text).Len(); n == 0 || n > most {
			t.Errorf("%q is logged %d times", text, n)
		}
	}
	if n := logs.FilterMessageSnippet("there is more of this than is logged").Len(); n == 0 || n > 3 {
		t.Errorf("that there is more is logged %d times", n)
	}
}

// Messages that have reached an activity are logged one by one.
func TestNotCalm(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.InfoLevel)
	p := newPipe()
	fail := func(context.Context, *engine.Message) error { return engine.ErrRejected }
	start(t, []engine.Workflow{{Name: "w", Receiver: p, Activities: steps(fail)}}, engine.WithLogger(zap.New(core)))
	<-p.ready
	for range 500 {
		p.handler.Handle(context.Background(), engine.NewMessage([]byte("a")))
	}
	if n := logs.FilterMessage("message not accepted").Len(); n != 500 {
		t.Errorf("logged %d times", n)
	}
}

// A preparedPipe tells the logger that it is given.
type preparedPipe struct {
	*pipe
	log chan *zap.Logger
}

func (p *preparedPipe) Prepare(env engine.Env) error {
	p.log <- env.Logger
	return nil
}
