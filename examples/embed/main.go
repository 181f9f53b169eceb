// Command embed runs a workflow that is written in Go: no file, no registry, and an
// activity and a receiver of its own.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/ladlehq/ladle/activities"
	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/engine/hl7v2"
	"github.com/ladlehq/ladle/hl7"
	"github.com/ladlehq/ladle/receivers"
	"go.uber.org/zap"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, "127.0.0.1:8080", "inbox"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, address, inbox string) error {
	log, err := zap.NewDevelopment()
	if err != nil {
		return err
	}
	eng, err := newEngine(address, inbox, log)
	if err != nil {
		return err
	}
	return eng.Run(ctx) // until ctx ends; what was taken is finished
}

func newEngine(address, inbox string, log *zap.Logger) (*engine.Engine, error) {
	// cut: workflow
	return engine.New([]engine.Workflow{{
		Name:     "Receive HL7",
		Receiver: &receivers.HTTP{Address: address, Path: "/hl7"},
		Activities: []engine.Step{
			{Name: "refuse test patients", Activity: engine.ActivityFunc(refuseTestPatients)},
			{Activity: &activities.WriteToDisk{Directory: inbox, File: "${MSH-9.1}/${MSH-10}.hl7"}},
		},
	}, {
		Name:     "Heartbeat",
		Receiver: &heartbeat{every: time.Minute},
		Activities: []engine.Step{
			{Activity: &activities.WriteToDisk{Directory: inbox, File: "alive", Exists: activities.ExistsOverwrite}},
		},
	}}, engine.WithLogger(log))
	// end
}

var patientClass = hl7.MustPath("PV1-2")

// refuseTestPatients is an activity: it ends the run of messages about nobody.
func refuseTestPatients(_ context.Context, m *engine.Message) error {
	msg, err := hl7v2.View(m)
	if err != nil {
		return err
	}
	if msg.Get(patientClass) == "N" {
		return fmt.Errorf("patient class N: %w", engine.ErrRejected)
	}
	return nil
}

// A heartbeat is a receiver: it brings a message of its own making at intervals.
type heartbeat struct {
	every time.Duration
	close context.CancelFunc
	ended context.Context
}

func (h *heartbeat) Open(context.Context) error {
	h.ended, h.close = context.WithCancel(context.Background())
	return nil
}

func (h *heartbeat) Serve(ctx context.Context, next engine.Handler) error {
	tick := time.NewTicker(h.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-h.ended.Done():
			return nil
		case now := <-tick.C:
			next.Handle(ctx, engine.NewMessage([]byte(now.Format(time.RFC3339))))
		}
	}
}

func (h *heartbeat) Close() error {
	h.close()
	return nil
}

var _ engine.Receiver = (*heartbeat)(nil)
