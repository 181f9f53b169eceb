package engine

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// An error that an activity, a filter or a sender returns chooses the answer to
// the message by what it wraps. Anything that wraps none of these is answered as
// Failed. The text of an error goes to the log and never to a peer.
var (
	// ErrRejected is answered as Rejected.
	ErrRejected = errors.New("message rejected")
	// ErrFiltered ends the run without a fault; it is answered as Filtered.
	ErrFiltered = errors.New("message filtered")
	// ErrUnavailable is answered as Unavailable.
	ErrUnavailable = errors.New("not available now")
	// ErrStopped says that the engine has been stopped, or was stopped before the
	// message was finished. It is answered as Unavailable.
	ErrStopped error = &outcome{"the engine is stopped", ErrUnavailable}
)

// What a sender can say of its partner. Each wraps the class that an inline
// failure is answered with.
var (
	// ErrUnreachable: no connection, or one that broke before the message was out.
	ErrUnreachable error = &outcome{"partner unreachable", ErrUnavailable}
	// ErrTimeout: no answer in time. Whether the partner has the message is unknown.
	ErrTimeout error = &outcome{"partner did not answer in time", ErrUnavailable}
	// ErrNoAcknowledgement: what came back is no acknowledgement.
	ErrNoAcknowledgement error = &outcome{"no acknowledgement", ErrUnavailable}
	// ErrWrongID: the acknowledgement is another message's.
	ErrWrongID error = &outcome{"the acknowledgement is for another message", ErrUnavailable}
	// ErrPartnerStatus: the transport reports a failure, such as HTTP 500, and
	// nothing in the answer says more.
	ErrPartnerStatus error = &outcome{"partner reports a failure", ErrUnavailable}
	// ErrPartnerError: the partner has answered that the message is at fault (HL7: AE).
	ErrPartnerError = errors.New("partner found the message in error")
	// ErrPartnerRejected: the partner has answered that it doesn't take the message
	// (HL7: AR).
	ErrPartnerRejected error = &outcome{"partner rejected the message", ErrRejected}
)

// An outcome is an error of a fixed text that is answered as another one is.
type outcome struct {
	text  string
	class error
}

func (o *outcome) Error() string { return o.text }
func (o *outcome) Unwrap() error { return o.class }

var (
	errStarted    = errors.New("the engine has been started already")
	errNotRunning = errors.New("the engine is not running")
	errNotStarted = errors.New("the engine has not been started")
)

// RetryAfter returns err with the advice to try again after d. It is answered as
// Unavailable, and the advice reaches the peer where its protocol has a place for
// it. It returns nil when err is nil.
func RetryAfter(err error, d time.Duration) error {
	if err == nil {
		return nil
	}
	return &retryAfterError{err: err, after: d}
}

type retryAfterError struct {
	err   error
	after time.Duration
}

func (e *retryAfterError) Error() string   { return e.err.Error() }
func (e *retryAfterError) Unwrap() []error { return []error{e.err, ErrUnavailable} }

// classOf chooses the answer to a message whose run has ended with err.
func classOf(err error) Class {
	switch {
	case err == nil:
		return Accepted
	case errors.Is(err, ErrFiltered):
		return Filtered
	case errors.Is(err, ErrUnavailable):
		return Unavailable
	case errors.Is(err, ErrRejected):
		return Rejected
	}
	return Failed
}

// A StepError says which step of which workflow failed, and for which message.
type StepError struct {
	Workflow string
	// Step is the step's name, or its type and place where it has no name.
	Step    string
	Message uuid.UUID
	Err     error
}

func (e *StepError) Error() string {
	return fmt.Sprintf("workflow %q: %s: message %s: %v", e.Workflow, e.Step, e.Message, e.Err)
}

func (e *StepError) Unwrap() error { return e.Err }

// A PanicError stands for a panic in an activity, a filter or a receiver. It names
// the type of the value and not the value, which may hold content of a message.
type PanicError struct {
	// Type is the Go type of the value that panic was called with.
	Type string
	// Stack is the stack of the goroutine that panicked.
	Stack []byte
}

func (e *PanicError) Error() string { return "panic with a value of type " + e.Type }
