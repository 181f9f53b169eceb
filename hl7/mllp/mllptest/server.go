package mllptest

import (
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
)

// A Server is a partner that messages are sent to, and that misbehaves by script.
//
// Its steps are done one after the other, each on the connection that is at hand: when a step ends the connection, or the
// sender does, the next step is done on the next connection. A step that begins with taking a message, such as [Answer],
// is begun on the connection on which the next message comes; any other one at once. When no step is left every message is
// answered AA.
//
// All methods are safe for concurrent use.
type Server struct {
	// Address is the "host:port" that it listens on: the loopback interface, and a port that the system chose.
	Address string

	listener net.Listener
	config   *tls.Config
	wg       sync.WaitGroup

	mu          sync.Mutex
	steps       []Step
	open        map[*Conn]bool
	connections int
	messages    []Message
	taken       []string
	changed     chan struct{} // closed, and made anew, when something above has changed
	closed      chan struct{}
}

// A Message is one frame that a [Server] has received.
type Message struct {
	// Connection is the number of the connection that it came on, from 1.
	Connection int
	// Content is the message, without the frame.
	Content []byte
}

// Start starts a Server with a script. Where config isn't nil it speaks TLS. The caller closes it.
func Start(config *tls.Config, steps ...Step) (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("mllptest: %w", err)
	}
	s := &Server{Address: l.Addr().String(), listener: l, config: config, steps: slices.Clone(steps), open: make(map[*Conn]bool), changed: make(chan struct{}), closed: make(chan struct{})}
	s.wg.Go(s.accept)
	return s, nil
}

// NewServer starts a Server with a script that ends with the test.
func NewServer(t testing.TB, steps ...Step) *Server {
	t.Helper()
	return NewTLSServer(t, nil, steps...)
}

// NewTLSServer is [NewServer] for a partner that speaks TLS.
func NewTLSServer(t testing.TB, config *tls.Config, steps ...Step) *Server {
	t.Helper()
	s, err := Start(config, steps...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// Close stops listening, ends every connection with the step on it, and returns when all that has ended.
func (s *Server) Close() {
	s.mu.Lock()
	select {
	case <-s.closed:
	default:
		close(s.closed)
		_ = s.listener.Close()
		for c := range s.open {
			_ = c.Close()
		}
	}
	s.mu.Unlock()
	s.wg.Wait()
}

// Messages returns what has been received, in the order in which it came.
func (s *Server) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.messages)
}

// Await waits until n messages have been received, and returns all that have. It returns fewer when the Server is closed
// first.
func (s *Server) Await(n int) []Message {
	for {
		s.mu.Lock()
		all, changed := slices.Clone(s.messages), s.changed
		s.mu.Unlock()
		if len(all) >= n {
			return all
		}
		select {
		case <-changed:
		case <-s.closed:
			return all
		}
	}
}

// Accepted returns the control ids (MSH-10) of the messages that were answered AA or CA without a fault, in that order,
// each as often as it was. What a sender calls delivered must be among them.
func (s *Server) Accepted() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.taken)
}

// Connections returns how many connections there have been.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connections
}

func (s *Server) received(m Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = append(s.messages, m)
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *Server) accepted(controlID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken = append(s.taken, controlID)
}

func (s *Server) accept() {
	for {
		raw, err := s.listener.Accept()
		if err != nil {
			return // closed
		}
		conn := raw
		if s.config != nil {
			conn = tls.Server(raw, s.config)
		}
		c := newConn(raw, conn)
		c.server = s
		s.mu.Lock()
		select {
		case <-s.closed:
			_ = c.Close()
		default:
			s.open[c] = true
			s.connections++
			c.number = s.connections
			s.wg.Go(func() { s.serve(c) })
		}
		s.mu.Unlock()
	}
}

func (s *Server) serve(c *Conn) {
	defer func() {
		if t, ok := c.conn.(*tls.Conn); ok {
			_ = t.Close() // says goodbye
		}
		_ = c.Close()
		s.mu.Lock()
		delete(s.open, c)
		s.mu.Unlock()
	}()
	if t, ok := c.conn.(*tls.Conn); ok && t.Handshake() != nil {
		return // no step is spent on who can't come in
	}
	for {
		step, ok := s.next(false)
		if !ok {
			if c.awaitFrame() != nil {
				return
			}
			step, _ = s.next(true)
		}
		if step.run(c) != nil {
			return
		}
	}
}

// next takes the step to do next, if that is one that doesn't begin with taking a message, or a message has come.
func (s *Server) next(come bool) (Step, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.steps) == 0 {
		return Answer("AA"), come
	}
	step := s.steps[0]
	if step.takes && !come {
		return Step{}, false
	}
	s.steps = s.steps[1:]
	return step, true
}
