package engine

import (
	"crypto/x509"
	"maps"
	"net/netip"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap/zapcore"
)

// A Message is one message on its way through a workflow: the bytes as they
// were received, what is known of where they came from, and what the activities
// have made of them.
//
// A Message belongs to the activity it is handed to until that activity
// returns; it is not safe for concurrent use. An activity that wants to keep one
// longer, or to hand it to another goroutine, takes a [Message.Clone].
//
// Make one with [NewMessage]; the zero value has no id and no body.
type Message struct {
	// ID names the message within the engine. It is a UUIDv7, so ids sort by
	// the time of their making.
	ID uuid.UUID
	// ContentType is the media type that the transport gave, with its
	// parameters, or "" where it gave none. A charset parameter overrides what
	// the payload says of its own character set.
	ContentType string
	// Received is when the last byte had arrived.
	Received time.Time
	// Origin is where the message came from.
	Origin Origin
	// Variables are values that activities leave for those behind them. It is
	// nil until somebody makes it; [Message.SetVariable] does so.
	Variables Variables

	original []byte
	body     []byte
	view     any
	step     string
	replies  map[string]Reply
}

// Variables are named text values that travel with a message.
type Variables map[string]string

// An Origin says where a message came from. The zero value is a message that was
// made inside the program.
type Origin struct {
	// Peer is the address of the peer's end of the connection.
	Peer netip.AddrPort
	// Certificate is the client certificate that the peer has proved to own and
	// that the receiver's trust has accepted; nil where there is none.
	Certificate *x509.Certificate
}

// NewMessage returns a message with a new id, received now, whose body is body.
// The message keeps body: the caller must not change its bytes afterwards.
func NewMessage(body []byte) *Message {
	id, err := uuid.NewV7()
	if err != nil {
		// crypto/rand never fails on the systems that Go supports: it ends the
		// process instead.
		panic("engine: no random bytes for a message id")
	}
	return &Message{ID: id, Received: time.Now(), original: body, body: body}
}

// Body returns the message's bytes as they are now. The caller must not change
// them; [Message.SetBody] replaces them.
func (m *Message) Body() []byte { return m.body }

// Original returns the message's bytes as they were received, whatever the
// activities have made of them since. The caller must not change them.
func (m *Message) Original() []byte { return m.original }

// SetBody replaces the message's bytes and drops its view. The message keeps b:
// the caller must not change its bytes afterwards.
func (m *Message) SetBody(b []byte) {
	m.body = b
	m.view = nil
}

// SetBodyAndView replaces the message's bytes together with the view that
// belongs to them, so that the next [View] need not parse what its caller has
// just encoded.
func (m *Message) SetBodyAndView(b []byte, view any) {
	m.body = b
	m.view = view
}

// View returns the message's body as a T, made by parse when it is first asked
// for and kept until the body changes. A body that parse refuses is parsed again
// at the next call. A message holds one view at a time: asking for another type
// replaces it.
//
// Formats wrap View for their own type: an HL7 v2 message is had by View of
// package engine/hl7v2.
func View[T any](m *Message, parse func([]byte) (T, error)) (T, error) {
	if v, ok := m.view.(T); ok {
		return v, nil
	}
	v, err := parse(m.body)
	if err != nil {
		var zero T
		return zero, err
	}
	m.view = v
	return v, nil
}

// SetVariable sets the variable name to value.
func (m *Message) SetVariable(name, value string) {
	if m.Variables == nil {
		m.Variables = make(Variables)
	}
	m.Variables[name] = value
}

// SetReply keeps r as the reply of the activity that is running, so that the
// workflow can answer with it ([Response]) and later activities can read it. An
// activity that has no name in its workflow keeps its reply under "".
func (m *Message) SetReply(r Reply) {
	if m.replies == nil {
		m.replies = make(map[string]Reply)
	}
	m.replies[m.step] = r
}

// Reply returns what the activity named step has kept with [Message.SetReply],
// and whether it has kept anything.
func (m *Message) Reply(step string) (Reply, bool) {
	r, ok := m.replies[step]
	return r, ok
}

// Clone returns a copy that shares nothing with m that either may change: the
// bodies are shared, since nobody changes them, and the view is left behind.
func (m *Message) Clone() *Message {
	c := *m
	c.view = nil
	c.Variables = maps.Clone(m.Variables)
	c.replies = maps.Clone(m.replies)
	return &c
}

// MarshalLogObject writes the message's id, type and size to a zap log, and
// never its content. It implements [zapcore.ObjectMarshaler].
func (m *Message) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	enc.AddString("id", m.ID.String())
	if m.ContentType != "" {
		enc.AddString("contentType", m.ContentType)
	}
	enc.AddInt("bytes", len(m.body))
	if m.Origin.Peer.IsValid() {
		enc.AddString("peer", m.Origin.Peer.String())
	}
	return nil
}

var _ zapcore.ObjectMarshaler = (*Message)(nil)
