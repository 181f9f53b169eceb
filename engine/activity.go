package engine

import "context"

// An Activity does one thing with one message: it writes it to disk, changes it,
// sends it on. Do is called by many goroutines at once, each with a message of
// its own, and blocks until the thing is done.
//
// An error ends the run of the message, which is then answered negatively: see
// [ErrRejected] and its neighbours for how an error chooses the answer. Do should
// return soon after ctx has ended; while it doesn't, it delays the engine's stop
// and is named in the log.
//
// An Activity may also be a [Preparer] (its settings are checked and it learns
// its workflow's Format and Logger) and an [Opener] (it acquires something that
// lives as long as the engine runs).
type Activity interface {
	Do(ctx context.Context, m *Message) error
}

// ActivityFunc makes an [Activity] of a function.
type ActivityFunc func(ctx context.Context, m *Message) error

// Do calls f.
func (f ActivityFunc) Do(ctx context.Context, m *Message) error { return f(ctx, m) }

// A Sender sends a message to one address and returns what came back. It returns
// an error unless the partner has accepted the message, or is configured not to
// say; the reply is returned beside the error where there was one. Send is called
// by many goroutines at once and blocks until the partner has answered or ctx
// ends.
//
// Like an [Activity], a Sender may also be a [Preparer] and an [Opener].
type Sender interface {
	Send(ctx context.Context, m *Message) (Reply, error)
}

// An Opener is an [Activity] or a [Sender] that acquires something which lives as
// long as the engine runs. Open is called before any receiver opens and reports
// every error that can be known at start; Close after the last message has been
// processed.
type Opener interface {
	Open(ctx context.Context) error
	Close() error
}

// A Filter decides whether a message goes on. It is called by many goroutines at
// once. An error ends the run as an activity's does.
type Filter interface {
	Match(ctx context.Context, m *Message) (bool, error)
}

// FilterFunc makes a [Filter] of a function.
type FilterFunc func(ctx context.Context, m *Message) (bool, error)

// Match calls f.
func (f FilterFunc) Match(ctx context.Context, m *Message) (bool, error) { return f(ctx, m) }

var (
	_ Activity = ActivityFunc(nil)
	_ Filter   = FilterFunc(nil)
)
