package receivers

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/engine/hl7v2"
	"github.com/ladlehq/ladle/hl7/mllp"
	"github.com/ladlehq/ladle/tlsconfig"
	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"
)

// Limits of an MLLP receiver when nothing else is set.
const (
	DefaultMessageLimit         = 16 * engine.MiB
	DefaultMessagesLimit        = engine.GiB
	DefaultMLLPMaxConnections   = 10_000
	DefaultMLLPIdleTimeout      = 24 * time.Hour
	DefaultMLLPReadTimeout      = 2 * time.Minute
	DefaultMLLPWriteTimeout     = 30 * time.Second
	DefaultMLLPHandshakeTimeout = 10 * time.Second
)

// MLLP receives messages over the Minimal Lower Layer Protocol (HL7 v2 Transport
// Specification, MLLP, release 1 and 2), over TCP or TLS. Each connection is kept open, and
// its messages are answered in their order, one after the other; connections go side by
// side.
//
// It accepts what the field sends (see [mllp.Reader]). What it refuses, because there is no
// start byte, say, or the message is over the limit, it answers as Rejected or TooLarge
// where somebody could read an answer, and names in the log; the same connection goes on
// behind it. A peer that speaks TLS or HTTP to a plain port, or plain MLLP to a TLS port, is
// named in the log and disconnected.
//
// In a file it is `mllp: {...}`. The zero value lacks an address.
type MLLP struct {
	// Address is the TCP address to listen on, such as ":2575" for all addresses of the
	// machine.
	Address string `yaml:"address"`
	// Listener, when it isn't nil, is listened on instead of Address. The receiver closes
	// it.
	Listener net.Listener `yaml:"-"`
	// TLS makes the port speak TLS. Nil is plain MLLP.
	TLS *tlsconfig.Server `yaml:"tls"`
	// Acknowledgement says which acknowledgements a message is answered with. The default
	// is what each message asks for in MSH-15 and MSH-16.
	Acknowledgement hl7v2.Acknowledgement `yaml:"acknowledgement"`
	// Release is the release of MLLP, 1 or 2. With 2 each message that is accepted is answered
	// with a commit block in front of any acknowledgement, and any other with a negative
	// commit block alone, after which its sender sends it again. The default is 1.
	Release int `yaml:"release"`
	// Framing is the bytes around messages, for partners that use others than the
	// standard's: in a file as hexadecimal digits, such as "02 03". The default is
	// "0B 1C 0D".
	Framing mllp.Framing `yaml:"framing"`

	// MessageLimit bounds the size of a message. The rest of a larger one is passed over
	// without being held, and it is answered as TooLarge. The default is 16 MiB.
	MessageLimit engine.Size `yaml:"message-limit"`
	// MessagesLimit bounds the size of all large messages, of over 128 KiB, that are being
	// received or processed at one time. Those that find no room aren't read until there is
	// some. The default is 1 GiB.
	MessagesLimit engine.Size `yaml:"messages-limit"`
	// MaxConnections bounds the connections that are open at one time. One more is closed at
	// once. The default is 10,000.
	MaxConnections int `yaml:"max-connections"`
	// MaxConnectionsPerPeer bounds those of one peer address. The default is half of
	// MaxConnections, so that no peer can shut out the others.
	MaxConnectionsPerPeer int `yaml:"max-connections-per-peer"`
	// Peers are the networks from which connections are taken, such as 10.1.0.0/16, or
	// 10.1.2.3 for one address. Empty takes them from everywhere.
	Peers []Network `yaml:"peers"`

	// IdleTimeout is how long a connection may be open without a message. The default is 24
	// hours.
	IdleTimeout time.Duration `yaml:"idle-timeout"`
	// ReadTimeout bounds the time from the first byte of a message to its last. The default
	// is 2 minutes.
	ReadTimeout time.Duration `yaml:"read-timeout"`
	// WriteTimeout bounds the writing of an answer. The default is 30 s.
	WriteTimeout time.Duration `yaml:"write-timeout"`
	// HandshakeTimeout bounds the TLS handshake. The default is 10 s.
	HandshakeTimeout time.Duration `yaml:"handshake-timeout"`
	// KeepAlive is the pause between the probes of TCP that find a peer which has gone
	// without a word. The default is 15 s; a negative value sends none.
	KeepAlive time.Duration `yaml:"keep-alive"`

	log     *zap.Logger
	limit   int
	room    *semaphore.Weighted // for large messages
	serving chan struct{}       // closed by Serve, when handler is set
	handler engine.Handler
	running sync.WaitGroup // connections

	mu     sync.Mutex
	port   *port           // while it is open
	closed context.Context // ends with Close
	close  context.CancelFunc
}

// DefaultFormat returns the format of HL7 v2, which answers as Acknowledgement says.
func (r *MLLP) DefaultFormat() engine.Format {
	return hl7v2.Format{Acknowledgement: r.Acknowledgement}
}

// Prepare checks the settings.
func (r *MLLP) Prepare(env engine.Env) error {
	r.log = env.Logger
	errs := []error{validatePort(r.Address, r.Listener, r.TLS), engine.InField("framing", r.Framing.Validate())}
	bad := func(field, format string, args ...any) {
		errs = append(errs, engine.InField(field, fmt.Errorf(format, args...)))
	}
	if r.Address != "" && r.Listener != nil {
		bad("address", "the receiver has a Listener and an Address: choose one")
	}
	if r.Release < 0 || r.Release > 2 {
		bad("release", "there is no release %d of MLLP: write 1 or 2", r.Release)
	}
	if r.Acknowledgement < hl7v2.AcknowledgementHL7 || r.Acknowledgement > hl7v2.AcknowledgementBoth {
		bad("acknowledgement", "%v is none", r.Acknowledgement)
	}
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"message-limit", int64(r.MessageLimit)}, {"messages-limit", int64(r.MessagesLimit)},
		{"max-connections", int64(r.MaxConnections)}, {"max-connections-per-peer", int64(r.MaxConnectionsPerPeer)},
		{"idle-timeout", int64(r.IdleTimeout)}, {"read-timeout", int64(r.ReadTimeout)},
		{"write-timeout", int64(r.WriteTimeout)}, {"handshake-timeout", int64(r.HandshakeTimeout)},
	} {
		if f.value < 0 {
			bad(f.name, "a limit can't be negative: leave it out for the default")
		}
	}
	limit := cmp.Or(r.MessageLimit, DefaultMessageLimit)
	r.limit = int(min(limit, math.MaxInt32))
	all := cmp.Or(r.MessagesLimit, max(DefaultMessagesLimit, limit))
	if limit > math.MaxInt32 {
		bad("message-limit", "%v is more than a message can have here: 2 GiB", limit)
	}
	if all < limit {
		bad("messages-limit", "%v must leave room for one message of %v", all, limit)
	}
	r.room = semaphore.NewWeighted(int64(max(all, limit, 1)))
	if key := portKey(r.Address); key != "" && r.Listener == nil {
		if owner, err := engine.Shared(env, key, func() *MLLP { return r }); err != nil {
			bad("address", "%w", err)
		} else if owner != r {
			bad("address", "another workflow listens on it: MLLP has no paths to tell messages apart by, so each receiver needs a port of its own")
		}
	}
	return errors.Join(errs...)
}

// Open takes the port.
func (r *MLLP) Open(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	total := cmp.Or(r.MaxConnections, DefaultMLLPMaxConnections)
	r.serving = make(chan struct{})
	r.closed, r.close = context.WithCancel(context.Background())
	p := &port{
		address: r.Address, given: r.Listener, settings: r.TLS, log: r.log, keepAlive: r.KeepAlive,
		total: total, perPeer: cmp.Or(r.MaxConnectionsPerPeer, max(1, total/2)), allowed: r.Peers, newServer: r.newServer,
	}
	if err := p.open(ctx); err != nil {
		return err
	}
	r.port = p
	return nil
}

// Serve hands messages to next until ctx ends, and returns when those that it has taken are
// answered. A message that is still coming in then has 5 seconds left.
func (r *MLLP) Serve(ctx context.Context, next engine.Handler) error {
	r.mu.Lock()
	p, closed := r.port, r.closed
	r.handler = next
	close(r.serving)
	r.mu.Unlock()
	if p == nil {
		return nil
	}
	var err error
	select {
	case <-ctx.Done():
	case <-closed.Done():
	case <-p.failed:
		err = p.failure()
	}
	p.finish(closed)
	r.running.Wait()
	return err
}

// Close closes the port and every connection.
func (r *MLLP) Close() error {
	r.mu.Lock()
	p := r.port
	r.port = nil
	r.mu.Unlock()
	if p == nil {
		return nil
	}
	r.close()
	return p.close()
}

// Addr returns the address that is listened on, or nil while none is.
func (r *MLLP) Addr() net.Addr {
	if p := r.current(); p != nil {
		return p.addr()
	}
	return nil
}

// URL returns the address to hand to a partner, as `ladle send` takes it, or "" while the
// receiver doesn't listen.
func (r *MLLP) URL() string {
	p := r.current()
	if p == nil {
		return ""
	}
	host, number := p.hostPort()
	if host == "" {
		return ""
	}
	scheme := "mllp"
	if r.TLS != nil {
		scheme = "mllps"
	}
	return scheme + "://" + net.JoinHostPort(host, number)
}

// Health returns nil while the receiver listens, and why it doesn't when it is open and
// waits for a certificate to be bound to its port, or for the port to become free.
func (r *MLLP) Health() error {
	if p := r.current(); p != nil {
		return p.health()
	}
	return nil
}

func (r *MLLP) current() *port {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.port
}

// mllpServer is the server of one session of the port.
type mllpServer struct {
	*MLLP
	ending context.Context // ends when no more messages are to be taken
	end    context.CancelFunc
	cut    context.Context // ends with close
	cutOff context.CancelFunc

	mu    sync.Mutex
	conns map[*mllpConn]struct{}
	none  *sync.Cond
}

func (r *MLLP) newServer() server {
	s := &mllpServer{MLLP: r, conns: make(map[*mllpConn]struct{})}
	s.none = sync.NewCond(&s.mu)
	s.ending, s.end = context.WithCancel(context.Background())
	s.cut, s.cutOff = context.WithCancel(context.Background())
	return s
}

// serve accepts connections once there is somebody to take their messages.
func (s *mllpServer) serve(l net.Listener, config *tls.Config) error {
	select {
	case <-s.serving:
	case <-s.ending.Done():
		return nil
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		x := &mllpConn{mllpServer: s, conn: c, idle: true}
		s.mu.Lock()
		if s.ending.Err() != nil {
			s.mu.Unlock()
			c.Close()
			return nil
		}
		s.conns[x] = struct{}{}
		s.running.Go(func() { x.serve(config) })
		s.mu.Unlock()
	}
}

func (s *mllpServer) shutdown(ctx context.Context) {
	s.end()
	s.mu.Lock()
	for x := range s.conns {
		x.hurry()
	}
	s.mu.Unlock()
	defer context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.none.Broadcast()
	})()
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.conns) > 0 && ctx.Err() == nil {
		s.none.Wait()
	}
}

func (s *mllpServer) close() error {
	s.end()
	s.cutOff()
	s.mu.Lock()
	defer s.mu.Unlock()
	for x := range s.conns {
		x.conn.Close()
	}
	return nil
}

func (s *mllpServer) remove(x *mllpConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, x)
	if len(s.conns) == 0 {
		s.none.Broadcast()
	}
}

// smallMessage is up to which size a message needs no room of its own: a connection may
// hold so much at any time.
const smallMessage = 128 << 10

// An mllpConn is one connection. Its goroutine alone reads and writes; hurry sets its
// deadline from outside.
type mllpConn struct {
	*mllpServer
	conn   net.Conn // TCP
	secure *tls.Conn
	stream net.Conn // conn or secure
	log    *zap.Logger
	peer   netip.AddrPort
	held   int64  // of room
	taken  int    // bytes of the message that is being read
	out    []byte // answers

	deadlines sync.Mutex
	idle      bool      // between two messages, or in the first read of one
	hurried   bool      // there is no more time
	awaited   time.Time // when the limit that is set was set for the time between messages
	writing   time.Time // when the limit for writing was set
}

func (x *mllpConn) serve(config *tls.Config) {
	defer x.remove(x)
	defer x.conn.Close()
	defer x.giveRoom()
	x.peer = peerAddr(x.conn.RemoteAddr())
	x.log = x.MLLP.log.With(zap.Stringer("peer", x.peer))
	x.stream = x.conn
	if config != nil && !x.handshake(config) {
		return
	}
	reader := x.Framing.NewReader(x, x.limit)
	for x.next(reader) {
		if x.ending.Err() != nil || x.secure != nil && !x.served() {
			x.linger()
			break
		}
	}
}

// lingerTime is how long a connection is left open that is closed right behind an answer.
const lingerTime = 500 * time.Millisecond

// linger ends the connection so that the last answer arrives: a close with bytes unread, of
// messages that aren't taken any more, would throw it away on its way.
func (x *mllpConn) linger() {
	_ = x.conn.SetDeadline(time.Now().Add(lingerTime))
	if x.secure != nil {
		_ = x.secure.CloseWrite()
	}
	if c, ok := x.conn.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite()
	}
	_, _ = io.CopyN(io.Discard, x.conn, 1<<20)
}

// served reports whether the connection's certificate is still bound.
func (x *mllpConn) served() bool {
	p := x.current()
	return p == nil || p.serves(x.secure.ConnectionState().ServerName, x.conn.LocalAddr())
}

// handshake reports whether there is TLS to go on with.
func (x *mllpConn) handshake(config *tls.Config) bool {
	x.secure = tls.Server(x.conn, config)
	ctx, cancel := context.WithTimeout(x.ending, cmp.Or(x.HandshakeTimeout, DefaultMLLPHandshakeTimeout))
	defer cancel()
	err := x.secure.HandshakeContext(ctx)
	if err == nil {
		x.stream = x.secure
		return true
	}
	if header, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		if p := mllp.Sniff(header.RecordHeader[:]); p != mllp.UnknownProtocol {
			x.log.Warn("the peer doesn't speak TLS, as this port does: it is disconnected", zap.Stringer("speaks", p))
			return false
		}
	}
	if x.ending.Err() == nil && !errors.Is(err, io.EOF) {
		x.log.Info("the TLS handshake failed", zap.Error(err))
	}
	return false
}

// Read reads for the frame reader. It looks after the time limits: one for the time between
// messages, and another for a message whose first bytes weren't all of it; and after the
// room for large ones.
func (x *mllpConn) Read(b []byte) (int, error) {
	if x.taken > 0 && x.idle {
		x.begin()
	}
	if x.taken > smallMessage && x.held == 0 {
		if err := x.takeRoom(); err != nil {
			return 0, err
		}
	}
	n, err := x.stream.Read(b)
	if x.taken > 0 || len(bytes.Trim(b[:n], "\x00\r\n")) > 0 { // fillers begin no message
		x.taken += n
	}
	return n, err
}

// takeRoom waits for room for the largest message there may be. Who waits gets it in the
// order of asking, and holds all that it may ever need, so that nobody waits for ever.
func (x *mllpConn) takeRoom() error {
	want := int64(x.limit)
	if !x.room.TryAcquire(want) {
		if err := x.room.Acquire(x.ending, want); err != nil {
			return os.ErrDeadlineExceeded
		}
		x.begin() // the time in which it couldn't be read doesn't count
	}
	x.held = want
	return nil
}

func (x *mllpConn) giveRoom() {
	if x.held > 0 {
		x.room.Release(x.held)
		x.held = 0
	}
}

// await sets the limit for the time until the next message begins. One that was set a short
// time ago will do: to set it costs as much as to read a header.
func (x *mllpConn) await() {
	x.deadlines.Lock()
	defer x.deadlines.Unlock()
	x.idle, x.taken = true, 0
	now, limit := time.Now(), cmp.Or(x.IdleTimeout, DefaultMLLPIdleTimeout)
	switch {
	case x.hurried:
		_ = x.conn.SetReadDeadline(now)
	case now.Sub(x.awaited) > limit/64:
		x.awaited = now
		_ = x.conn.SetReadDeadline(now.Add(limit))
	}
}

// begin sets the limit for a message that has begun.
func (x *mllpConn) begin() {
	x.deadlines.Lock()
	defer x.deadlines.Unlock()
	x.idle, x.awaited = false, time.Time{}
	limit := cmp.Or(x.ReadTimeout, DefaultMLLPReadTimeout)
	if x.hurried {
		limit = min(limit, drainTime)
	}
	_ = x.conn.SetReadDeadline(time.Now().Add(limit))
}

// hurry ends the waiting for a message that hasn't begun, and gives one that has a last
// time limit.
func (x *mllpConn) hurry() {
	x.deadlines.Lock()
	defer x.deadlines.Unlock()
	x.hurried = true
	limit := time.Now()
	if !x.idle {
		limit = limit.Add(drainTime)
	}
	_ = x.conn.SetReadDeadline(limit)
}

// next takes one message and answers it, and reports whether the connection goes on.
func (x *mllpConn) next(reader *mllp.Reader) bool {
	x.await()
	x.taken = reader.Buffered() // of what came together with the one before
	_, err := reader.Next()
	switch {
	case err == nil:
		return x.take(reader.Take())
	case mllp.ReasonOf(err) != 0:
		return x.refuseFrame(reader, err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		x.explainTimeout()
	case !errors.Is(err, io.EOF) && x.cut.Err() == nil:
		x.log.Info("the connection broke", zap.Error(err))
	}
	return false
}

func (x *mllpConn) explainTimeout() {
	x.deadlines.Lock()
	idle, hurried := x.idle, x.hurried || x.ending.Err() != nil
	x.deadlines.Unlock()
	switch {
	case hurried && !idle:
		x.log.Warn("a message did not arrive in time before the port was closed; it was not taken")
	case hurried:
	case idle:
		x.log.Info("the connection was idle for too long and is closed")
	default:
		x.log.Warn("a message did not arrive in time, and the connection is closed: raise read-timeout if the peer is that slow")
	}
}

// message makes a message of body with all that is known of its origin.
func (x *mllpConn) message(body []byte) *engine.Message {
	m := engine.NewMessage(body)
	m.Origin.Peer = x.peer
	if x.secure != nil {
		if certificates := x.secure.ConnectionState().PeerCertificates; len(certificates) > 0 {
			m.Origin.Certificate = certificates[0]
		}
	}
	return m
}

// take gives a message to the workflow and answers it.
func (x *mllpConn) take(body []byte) bool {
	defer x.giveRoom()
	switch {
	case mllp.CommitOf(body) != mllp.NoCommit:
		x.log.Info("the peer sends a commit block where a message was expected: it is passed over")
		return true
	case len(body) == 0:
		return x.refuse(nil, engine.Rejected, textEmptyFrame)
	}
	return x.answer(x.handler.Handle(x.cut, x.message(body)))
}

// refuse answers what brings no message to the workflow. head is what there is of it.
func (x *mllpConn) refuse(head []byte, class engine.Class, text string) bool {
	return x.answer(x.handler.Refuse(x.cut, x.message(head), engine.Answer{Class: class, Text: text}))
}

// Texts of answers to frames that bring no message.
const (
	textEmptyFrame  = "No HL7 message was received: the MLLP frame is empty."
	textNoStart     = "The message has no MLLP start byte (0B) in front of it."
	textStartInside = "There is an MLLP start byte (0B) inside the message."
	textEndInside   = "There is an MLLP end byte (1C) inside the message."
)

// refuseFrame answers a frame that is none, or passes over a peer that could read no answer.
func (x *mllpConn) refuseFrame(reader *mllp.Reader, err error) bool {
	defer x.giveRoom()
	head := append([]byte(nil), reader.Head()...)
	reason := mllp.ReasonOf(err)
	if speaks := mllp.Sniff(head); reason == mllp.NoStart && (speaks == mllp.TLSProtocol || speaks == mllp.HTTPProtocol) {
		x.log.Warn("the peer doesn't speak MLLP, as this port does: it is disconnected", zap.Stringer("speaks", speaks))
		return false
	}
	x.log.Warn("a frame is refused", zap.Error(err))
	if reason == mllp.Truncated {
		return false
	}
	head = wholeFields(head, x.Framing)
	goesOn := true
	switch err := reader.Skip(); {
	case errors.Is(err, os.ErrDeadlineExceeded):
		x.explainTimeout()
		goesOn = false
	case errors.Is(err, io.EOF): // it can still read
		goesOn = false
	case err != nil:
		return false
	}
	switch reason {
	case mllp.TooLarge:
		return x.refuse(head, engine.TooLarge, "") && goesOn
	case mllp.StartInside:
		return x.refuse(head, engine.Rejected, textStartInside) && goesOn
	case mllp.EndInside:
		return x.refuse(head, engine.Rejected, textEndInside) && goesOn
	}
	return x.refuse(head, engine.Rejected, textNoStart) && goesOn
}

// wholeFields returns what an answer can be made from: the MSH segment at the beginning of
// head as far as its fields have arrived whole. A part of a control id could be another
// message's.
func wholeFields(head []byte, f mllp.Framing) []byte {
	if f == (mllp.Framing{}) {
		f = mllp.Standard()
	}
	msh := bytes.Index(head[:min(len(head), 16)], []byte("MSH")) // behind line ends and a byte order mark
	if msh < 0 {
		return head
	}
	for i := msh; i < len(head); i++ {
		switch head[i] {
		case '\r', '\n', f.End:
			return head[:i]
		case f.Start:
			head = head[:i]
		}
	}
	if len(head) < msh+4 {
		return head
	}
	return head[:bytes.LastIndexByte(head, head[msh+3])]
}

// answer writes the answer, gives up the message's room, and lets go out what goes another
// way.
func (x *mllpConn) answer(reply engine.Reply) bool {
	goesOn := x.write(reply)
	if reply.Then != nil {
		x.giveRoom()
		reply.Then()
	}
	return goesOn
}

// write writes the commit block of release 2, and the acknowledgements, at once. Behind a
// negative commit block there are none: the sender is to send the message again, and would
// take one for the next message's.
func (x *mllpConn) write(reply engine.Reply) bool {
	out, bodies := x.out[:0], [][]byte{reply.Accept, reply.Body}
	switch {
	case x.Release == 2 && reply.Class.Positive():
		out = x.Framing.AppendCommit(out, mllp.CommitACK)
	case x.Release == 2:
		out, bodies = x.Framing.AppendCommit(out, mllp.CommitNAK), nil
	}
	for _, body := range bodies {
		if len(body) == 0 {
			continue
		}
		if err := x.Framing.Check(body); err != nil {
			x.log.Error("the answer can't be framed, and the connection is closed", zap.Error(err))
			return false
		}
		out = x.Framing.Append(out, body)
	}
	if cap(out) <= smallMessage {
		x.out = out
	}
	if len(out) == 0 {
		return true
	}
	limit := cmp.Or(x.WriteTimeout, DefaultMLLPWriteTimeout)
	if now := time.Now(); now.Sub(x.writing) > limit/64 { // as await does
		x.writing = now
		_ = x.conn.SetWriteDeadline(now.Add(limit))
	}
	if _, err := x.stream.Write(out); err != nil {
		x.log.Info("the answer did not reach the peer", zap.Error(err))
		return false
	}
	return true
}

var (
	_ engine.Receiver       = (*MLLP)(nil)
	_ engine.Preparer       = (*MLLP)(nil)
	_ engine.Addresser      = (*MLLP)(nil)
	_ engine.Endpoint       = (*MLLP)(nil)
	_ engine.HealthReporter = (*MLLP)(nil)
	_ engine.FormatProvider = (*MLLP)(nil)
)
