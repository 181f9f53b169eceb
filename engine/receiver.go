package engine

import (
	"context"
	"net"
)

// A Receiver brings messages in and carries the answers back. It lives like this:
//
//  1. It is made as a struct literal, or decoded from a file. That acquires
//     nothing.
//  2. If it is a [Preparer], [New] calls Prepare, which reports every mistake in
//     its settings and acquires nothing.
//  3. Open acquires what it needs, such as a port, and reports every error that
//     can be known at start. What Open has acquired before it fails, it releases
//     itself.
//  4. Serve hands messages to h until ctx ends, finishes what it has accepted,
//     and returns nil; any other return is a failure, which stops the engine. A
//     receiver that has come to its natural end, such as the end of a file, may
//     return nil before ctx ends.
//  5. Close releases everything at once and makes Serve return. It may be called
//     at any time after Open, from any goroutine, any number of times; after a
//     Serve that has returned it finds little left to do.
//
// A receiver of another module needs no more than these three methods; see
// enginetest for the tests that it should pass.
type Receiver interface {
	Open(ctx context.Context) error
	Serve(ctx context.Context, h Handler) error
	Close() error
}

// A Handler is what a [Receiver] hands its messages to. Its methods are safe for
// concurrent use, never panic, and block until there is an answer to write. What they
// return may have a Then, which the receiver is to call: see [Reply].
type Handler interface {
	// Handle runs the message through the workflow and returns the answer to it.
	// The end of ctx does not end the run: a message once taken is finished, even
	// when its peer has gone away, and only the engine's hard stop cuts it short.
	// The values of ctx reach the activities.
	Handle(ctx context.Context, m *Message) Reply
	// Refuse returns the answer to a message that the receiver itself turns away,
	// because it is too large, say, or empty, in the words of the workflow's
	// Format. No activity sees the message.
	Refuse(ctx context.Context, m *Message, a Answer) Reply
}

// An Addresser is a [Receiver] that listens. Addr returns the address it listens
// on, with the port that :0 became, once Open has returned nil.
type Addresser interface{ Addr() net.Addr }

// A HealthReporter is a [Receiver] that can be open without taking messages, since it waits
// for something. Health says for what, in a line for people, and returns nil while messages
// can come in. It is safe for concurrent use.
type HealthReporter interface{ Health() error }

// An Endpoint is a [Receiver] whose address can be written in one line and handed
// to a partner. URL returns it once Open has returned nil.
type Endpoint interface{ URL() string }
