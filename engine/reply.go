package engine

import (
	"fmt"
	"time"
)

// A Class says in one word how a message fared. What is written to the peer for
// each, in its own protocol, follows from it: an acknowledgement code, a status.
type Class int

// The zero Class is Failed, so that an answer which nobody filled in is never a
// positive one.
const (
	// Failed: the content was at fault, or an activity. Sending the same again
	// will not help (HL7: AE).
	Failed Class = iota
	// Accepted: the message is processed, or safe on disk (HL7: AA).
	Accepted
	// Filtered: the workflow has no use for this message and has set it aside on
	// purpose (HL7: AA).
	Filtered
	// Rejected: what came can't be taken for a message of this workflow (HL7: AR).
	Rejected
	// Unavailable: nothing is wrong with the message, but it can't be processed
	// now: a partner is away, the engine is stopping. Sending the same again
	// later will help (HL7: AR).
	Unavailable
	// TooLarge: the message is over the receiver's limit (HL7: AR).
	TooLarge
)

var classNames = [...]string{"failed", "accepted", "filtered", "rejected", "unavailable", "too large"}

func (c Class) String() string {
	if c < 0 || int(c) >= len(classNames) {
		return fmt.Sprintf("class %d", int(c))
	}
	return classNames[c]
}

// Positive reports whether the class tells the peer that it has nothing more to
// do: Accepted or Filtered.
func (c Class) Positive() bool { return c == Accepted || c == Filtered }

// An Answer is what is said of a message, before a [Format] has put it into the
// payload's own words, or after it has read it there.
type Answer struct {
	// Class is how the message fared.
	Class Class
	// Text explains the class to a person. "" stands for the Format's fixed text
	// for the class. It never holds the text of an inner error, nor content of a
	// message.
	Text string
	// PassOn, when it isn't nil, is a partner's reply that answers the message in
	// place of an acknowledgement of the engine's own. The Format makes it refer
	// to the message that is answered.
	PassOn []byte
	// Code is the code to answer with in place of the Format's own for the class, as
	// set in a [Response]; "" leaves it to the Format.
	Code string
	// Cause is why the message was not accepted. A Format may look into it for
	// errors of its own that are made for a peer; the text of any other stays here.
	Cause error
	// Apart says that the application acknowledgement of enhanced mode goes another
	// way than the message came: see [Response].
	Apart bool
}

// A Reply is what goes back to a peer, or what came back from one.
type Reply struct {
	// Class is how the message fared. The zero value is Failed.
	Class Class
	// Accept is the accept acknowledgement of HL7's enhanced mode, which goes out
	// before Body; empty where there is none. A transport that carries one answer
	// alone carries Body where there is one, and else Accept.
	Accept []byte
	// Body is the answer in the payload's own format; empty where there is none.
	Body []byte
	// Later says that Body is an application acknowledgement of enhanced mode,
	// which may go another way than the message came.
	Later bool
	// Then, when it isn't nil, sends that acknowledgement the other way. The receiver
	// calls it once, after it has written the answer or has failed to: the accept
	// acknowledgement comes first, and a partner may take nothing before it.
	Then func()
	// ContentType is the media type of Body, or "" where the transport has none.
	ContentType string
	// RetryAfter is when the peer may try again, from now; 0 says nothing of it.
	// It is set with Unavailable only.
	RetryAfter time.Duration
	// Unconfirmed says that a partner is configured to send no acknowledgement:
	// the message was sent, and nobody has said that it arrived.
	Unconfirmed bool
}
