package receivers

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/tlsconfig"
	"go.uber.org/zap"
)

// A server serves the connections of one session of a port.
type server interface {
	// serve accepts connections from l until that is closed. config is nil without TLS.
	serve(l net.Listener, config *tls.Config) error
	// shutdown takes no more, and returns when what was taken is answered, or at ctx's end.
	// The listener is closed by then.
	shutdown(ctx context.Context)
	// close closes every connection at once. It may be called again.
	close() error
}

// A port is a TCP port that is listened on, with TLS or without. With a certificate from a
// binding table it is open while one is bound to it, and each time from its opening to its
// closing is a session. Its methods are safe for concurrent use.
type port struct {
	// What it is made of; none of it changes once it is open.
	address   string
	given     net.Listener // in place of address
	settings  *tlsconfig.Server
	total     int // connections
	perPeer   int
	allowed   []Network // peers; empty for everybody
	keepAlive time.Duration
	log       *zap.Logger
	newServer func() server

	mu       sync.Mutex
	source   *tlsconfig.Source
	session  *session // nil while the port is closed
	old      map[*session]bool
	why      error       // why it is closed
	retry    *time.Timer // of opening it
	finished bool        // nothing more is to be opened
	failed   chan struct{}
	err      error
}

// A session is the port from when it is opened to when it is closed.
type session struct {
	server
	listener net.Listener
	cut      context.Context // ends when what it has taken is to be left
	cutShort context.CancelFunc
	accepted chan struct{}  // closed when no more connections come
	done     sync.WaitGroup // its goroutines
}

// validatePort reports mistakes in what a port is made of.
func validatePort(address string, given net.Listener, settings *tlsconfig.Server) error {
	var errs []error
	switch {
	case address == "" && given == nil:
		errs = append(errs, engine.InField("address", errors.New(`missing: write for example ":8443"`)))
	case address != "":
		errs = append(errs, engine.InField("address", validateAddress(address)))
	}
	if settings != nil {
		errs = append(errs, engine.InField("tls", atEndpoint(settings, address).Validate()))
		if given != nil && isBound(settings) {
			errs = append(errs, engine.InField("tls.certificate[0].bound", errors.New("opens and closes the port, and a Listener is open already: give an Address")))
		}
	}
	return errors.Join(errs...)
}

func validateAddress(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf(`%q is no address to listen on: write ":8443", or "10.0.0.5:8443" for one address of the machine`, address)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("%q is no port: ports go from 1 to 65535, and 0 lets the system choose", port)
	}
	return nil
}

// atEndpoint returns the settings with the address that bound certificates are looked up by.
func atEndpoint(settings *tlsconfig.Server, address string) tlsconfig.Server {
	t := *settings
	t.Endpoint = address
	return t
}

// isBound reports whether the certificate comes from a binding table.
func isBound(settings *tlsconfig.Server) bool {
	return settings != nil && len(settings.Certificates) > 0 && settings.Certificates[0].Bound != ""
}

// open takes the port, unless it waits for a certificate. failed is closed when a session
// has ended by itself, with err as the reason.
func (p *port) open(ctx context.Context) (err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed, p.err, p.session, p.finished, p.old = make(chan struct{}), nil, nil, false, make(map[*session]bool)
	if p.settings != nil {
		if p.source, err = atEndpoint(p.settings, p.address).Open(ctx); err != nil {
			return engine.InField("tls", err)
		}
		for _, w := range p.source.Warnings() {
			p.log.Warn(w)
		}
	}
	if p.source != nil && p.source.Waiting() {
		p.why = p.waiting()
	} else if p.session, err = p.listen(ctx); err != nil {
		if p.source != nil {
			err = errors.Join(err, p.source.Close())
			p.source = nil
		}
		return err
	}
	if p.source != nil {
		p.source.Watch(p.noticed) // now that an issuer's authority can look at the port
	}
	return nil
}

func (p *port) waiting() error {
	endpoint := p.address
	if host, number, err := net.SplitHostPort(endpoint); err == nil && net.ParseIP(host) == nil {
		endpoint = ":" + number // a certificate for a name is shown to those alone who call it by that name
	}
	return fmt.Errorf("the port is closed, because no certificate is bound to it: `ladle certificates bind -table %s %s FILE` opens it", p.settings.Certificates[0].Bound, endpoint)
}

// listen opens the port and lets a server of its own serve it.
func (p *port) listen(ctx context.Context) (*session, error) {
	l := p.given
	if l == nil {
		var err error
		if l, err = listen(ctx, p.address, p.keepAlive); err != nil {
			return nil, err
		}
	}
	s := &session{server: p.newServer(), listener: newLimitListener(l, p.total, p.perPeer, p.allowed, p.log)}
	s.cut, s.cutShort = context.WithCancel(context.Background())
	s.accepted = make(chan struct{})
	var config *tls.Config
	if p.source != nil {
		config = p.source.Config()
	}
	s.done.Go(func() {
		err := s.serve(s.listener, config)
		close(s.accepted)
		if err != nil {
			p.ended(s, err)
		}
	})
	return s, nil
}

// retryListen is how long after a failure the port is tried again.
const retryListen = 5 * time.Second

// noticed logs what becomes of the certificates, and opens and closes the port with them.
func (p *port) noticed(n tlsconfig.Notice) {
	switch n.Kind {
	case tlsconfig.Renewed, tlsconfig.Stapled:
		p.log.Info(n.String())
	case tlsconfig.Bound, tlsconfig.Unbound:
		p.log.Info(n.String())
		p.follow()
	default:
		p.log.Warn(n.String(), zap.Error(n.Err))
	}
}

// follow makes the port open when there is a certificate for it, and closed when there is
// none.
func (p *port) follow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.source == nil || p.finished {
		return
	}
	if p.retry != nil {
		p.retry.Stop() // this is it, or comes before it
		p.retry = nil
	}
	switch waiting := p.source.Waiting(); {
	case waiting && p.session == nil:
		p.why = p.waiting() // and no more that the port was in use
	case waiting:
		s := p.session
		p.session, p.why, p.old[s] = nil, p.waiting(), true
		// The port is free when this returns; what was taken is finished in its own time.
		s.listener.Close()
		s.done.Go(func() { p.drain(s) })
		p.log.Info("the port is closed: its last certificate was unbound", zap.String("address", p.address))
	case p.session == nil:
		var err error
		if p.session, err = p.listen(context.Background()); err != nil {
			if p.why == nil || p.why.Error() != err.Error() { // and not each time again
				p.log.Error("the port can't be opened for the certificate that was bound to it; it is tried again", zap.Error(err))
			}
			p.why = err
			p.retry = time.AfterFunc(retryListen, p.follow)
			return
		}
		p.why = nil
		p.log.Info("the port is open", zap.Stringer("address", p.session.listener.Addr()))
	}
}

// drain finishes what a closed session has taken.
func (p *port) drain(s *session) {
	<-s.accepted // so that it knows of every connection
	s.shutdown(s.cut)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.old, s)
}

// ended says why a session has ended, unless it was to end.
func (p *port) ended(s *session, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.session != s || p.finished || p.err != nil {
		return
	}
	p.err = err
	close(p.failed)
}

// finish takes no more, and finishes what was taken until ctx ends.
func (p *port) finish(ctx context.Context) {
	p.mu.Lock()
	p.finished = true
	all := p.sessionsLocked()
	p.mu.Unlock()
	var wg sync.WaitGroup
	for _, s := range all {
		s.listener.Close()
		wg.Go(func() {
			<-s.accepted
			s.shutdown(ctx)
		})
	}
	wg.Wait()
}

func (p *port) sessionsLocked() []*session {
	var all []*session
	if p.session != nil {
		all = append(all, p.session)
	}
	for s := range p.old {
		all = append(all, s)
	}
	return all
}

// cutShort closes the connections of every session at once.
func (p *port) cutShort() error {
	p.mu.Lock()
	p.finished = true
	all := p.sessionsLocked()
	p.mu.Unlock()
	var errs []error
	for _, s := range all {
		s.listener.Close()
		s.cutShort()
		if err := s.close(); !errors.Is(err, net.ErrClosed) { // by finish, or by whoever made the listener
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// close closes everything, and returns when every goroutine of the port has ended. It may
// be called again.
func (p *port) close() error {
	err := p.cutShort()
	p.mu.Lock()
	if p.retry != nil {
		p.retry.Stop()
	}
	source, all := p.source, p.sessionsLocked()
	p.source, p.session, p.why = nil, nil, nil
	p.mu.Unlock()
	for _, s := range all {
		s.done.Wait()
	}
	if source != nil {
		err = errors.Join(err, source.Close())
	}
	return err
}

// failure is why a session has ended by itself.
func (p *port) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// health says why the port is closed, or nil.
func (p *port) health() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.why
}

// serves reports whether a connection may go on whose certificate may have been unbound
// since it was opened.
func (p *port) serves(name string, local net.Addr) bool {
	p.mu.Lock()
	source := p.source
	p.mu.Unlock()
	return source == nil || source.Serves(name, local)
}

// addr returns the address that is listened on, or nil.
func (p *port) addr() net.Addr {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.session == nil {
		return nil
	}
	return p.session.listener.Addr()
}

// hostPort returns the address to hand to a partner, with the machine's name where all its
// addresses are listened on.
func (p *port) hostPort() (host, number string) {
	a := p.addr()
	if a == nil {
		return "", ""
	}
	host, number, err := net.SplitHostPort(a.String())
	if err != nil {
		return "", ""
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		if host, err = os.Hostname(); err != nil {
			host = "localhost"
		}
	}
	return host, number
}

// portKey names an address so that receivers that mean the same port find each other. It is
// "" for a port that the system chooses, which nobody can share by its name.
func portKey(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil || port == "0" {
		return ""
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = ""
	}
	return "the address " + net.JoinHostPort(host, port)
}

// bracketed writes an IPv6 address as it stands in URLs.
func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}
