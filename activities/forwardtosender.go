package activities

import (
	"context"
	"errors"

	"github.com/ladlehq/ladle/engine"
	"go.uber.org/zap"
)

// ForwardToSender sends each message to a partner and succeeds when the partner has
// accepted it. What the partner has replied is kept on the message, accepted or not,
// so that the workflow can answer with it: give the step a name, and the workflow a
// [engine.Response] with ReplyOf.
//
// In a file it is `forward-to-sender: {http: {...}}`, with the sender's name in the
// place of http.
type ForwardToSender struct {
	// Sender sends the message. It is required.
	Sender engine.Sender `yaml:",inline"`

	log *zap.Logger
}

// Prepare prepares the sender.
func (f *ForwardToSender) Prepare(env engine.Env) error {
	if f.Sender == nil {
		return errors.New("a sender is missing")
	}
	f.log = env.Logger
	if p, ok := f.Sender.(engine.Preparer); ok {
		return p.Prepare(env)
	}
	return nil
}

// Open opens the sender.
func (f *ForwardToSender) Open(ctx context.Context) error {
	if o, ok := f.Sender.(engine.Opener); ok {
		return o.Open(ctx)
	}
	return nil
}

// Close closes the sender.
func (f *ForwardToSender) Close() error {
	if o, ok := f.Sender.(engine.Opener); ok {
		return o.Close()
	}
	return nil
}

// Do sends m and keeps the reply.
func (f *ForwardToSender) Do(ctx context.Context, m *engine.Message) error {
	reply, err := f.Sender.Send(ctx, m)
	if err == nil || len(reply.Body) > 0 {
		m.SetReply(reply)
	}
	if err == nil && reply.Unconfirmed {
		f.log.Debug("sent, unconfirmed", zap.Inline(m))
	}
	return err
}

var (
	_ engine.Activity = (*ForwardToSender)(nil)
	_ engine.Preparer = (*ForwardToSender)(nil)
	_ engine.Opener   = (*ForwardToSender)(nil)
)
