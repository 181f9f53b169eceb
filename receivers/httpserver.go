package receivers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/tlsconfig"
	"go.uber.org/zap"
)

// Limits of an HTTP server when nothing else is set.
const (
	DefaultReadHeaderTimeout = 10 * time.Second
	DefaultReadTimeout       = 2 * time.Minute
	DefaultWriteTimeout      = 30 * time.Second
	DefaultIdleTimeout       = 2 * time.Minute
	DefaultHeaderLimit       = 64 * engine.KiB
	DefaultMaxConnections    = 4096 // and half as many for each peer
)

// HTTPLimits bound what peers can take of an HTTP server. Each zero value stands for
// the default.
type HTTPLimits struct {
	// ReadHeaderTimeout bounds the TLS handshake, and the time from the first byte of
	// a request to the last of its header. The default is 10 s.
	ReadHeaderTimeout time.Duration `yaml:"read-header-timeout"`
	// ReadTimeout bounds the time from the first byte of a request to the last of its
	// body. The default is 2 minutes.
	ReadTimeout time.Duration `yaml:"read-timeout"`
	// WriteTimeout bounds the writing of an answer, from when there is one. The
	// default is 30 s.
	WriteTimeout time.Duration `yaml:"write-timeout"`
	// IdleTimeout is how long a connection is kept open between requests. The default
	// is 2 minutes.
	IdleTimeout time.Duration `yaml:"idle-timeout"`
	// HeaderLimit bounds the size of a request's header. The default is 64 KiB.
	HeaderLimit engine.Size `yaml:"header-limit"`
	// MaxConnections bounds the connections that are open at one time. One more is
	// closed at once. The default is 4096.
	MaxConnections int `yaml:"max-connections"`
	// MaxConnectionsPerPeer bounds those of one peer address. The default is half of
	// MaxConnections, so that no peer can shut out the others.
	MaxConnectionsPerPeer int `yaml:"max-connections-per-peer"`
}

func (l HTTPLimits) validate() error {
	var errs []error
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"read-header-timeout", int64(l.ReadHeaderTimeout)}, {"read-timeout", int64(l.ReadTimeout)},
		{"write-timeout", int64(l.WriteTimeout)}, {"idle-timeout", int64(l.IdleTimeout)},
		{"header-limit", int64(l.HeaderLimit)}, {"max-connections", int64(l.MaxConnections)},
		{"max-connections-per-peer", int64(l.MaxConnectionsPerPeer)},
	} {
		if f.value < 0 {
			errs = append(errs, engine.InField(f.name, errors.New("a limit can't be negative: leave it out for the default")))
		}
	}
	return errors.Join(errs...)
}

func (l HTTPLimits) withDefaults() HTTPLimits {
	return HTTPLimits{
		ReadHeaderTimeout:     cmp.Or(l.ReadHeaderTimeout, DefaultReadHeaderTimeout),
		ReadTimeout:           cmp.Or(l.ReadTimeout, DefaultReadTimeout),
		WriteTimeout:          cmp.Or(l.WriteTimeout, DefaultWriteTimeout),
		IdleTimeout:           cmp.Or(l.IdleTimeout, DefaultIdleTimeout),
		HeaderLimit:           cmp.Or(l.HeaderLimit, DefaultHeaderLimit),
		MaxConnections:        cmp.Or(l.MaxConnections, DefaultMaxConnections),
		MaxConnectionsPerPeer: cmp.Or(l.MaxConnectionsPerPeer, max(1, cmp.Or(l.MaxConnections, DefaultMaxConnections)/2)),
	}
}

// An HTTPServer is a port that several HTTP receivers share, each with a path of its
// own. Receivers of one engine that name the same address share a server without
// being told; a program that makes its own listener, or wants to say it aloud, makes
// one HTTPServer and gives it to each.
//
// It listens while any of its receivers is open. With a certificate from a binding table
// it listens only while one is bound to the port: it opens, closes and opens again as the
// table says, and finishes and answers what it has taken before. The zero value has no
// address.
type HTTPServer struct {
	// Address is the TCP address to listen on, such as ":8443" for all addresses of
	// the machine, or "127.0.0.1:0" for a port that the system chooses.
	Address string
	// Listener, when it isn't nil, is listened on instead of Address. The server
	// closes it.
	Listener net.Listener
	// TLS makes the port HTTPS. Nil is plain HTTP.
	TLS *tlsconfig.Server
	// Limits bound what peers can take.
	Limits HTTPLimits

	mu      sync.Mutex
	limits  HTTPLimits // with defaults
	routes  map[string]*HTTP
	owners  map[string]string // the workflow of each path
	log     *zap.Logger
	open    map[*HTTP]bool // routes that are open: false until their Serve has ended
	source  *tlsconfig.Source
	session *httpSession // nil while the port is closed
	why     error        // why it is closed
	retry   *time.Timer  // of opening it
	old     map[*httpSession]bool
	failed  chan struct{} // closed with err when a session has ended by itself
	err     error
}

// An httpSession is the port from when it is opened to when it is closed.
type httpSession struct {
	listener net.Listener
	server   *http.Server
	ending   context.Context // ends when it is to take no more
	end      context.CancelFunc
	cut      context.Context // ends when what it has taken is to be left
	cutShort context.CancelFunc
	done     sync.WaitGroup // its goroutines
}

// validate reports mistakes in the settings of the server itself.
func (s *HTTPServer) validate() error {
	var errs []error
	if s.Address == "" && s.Listener == nil {
		errs = append(errs, engine.InField("address", errors.New(`missing: write for example ":8443"`)))
	}
	if s.Address != "" {
		if err := validateAddress(s.Address); err != nil {
			errs = append(errs, engine.InField("address", err))
		}
	}
	if s.TLS != nil {
		errs = append(errs, engine.InField("tls", s.tls().Validate()))
		if s.Listener != nil && s.bound() {
			errs = append(errs, engine.InField("tls.certificate[0].bound", errors.New("opens and closes the port, and a Listener is open already: give an Address")))
		}
	}
	return errors.Join(append(errs, s.Limits.validate())...)
}

// tls returns the settings with the address that bound certificates are looked up by.
func (s *HTTPServer) tls() tlsconfig.Server {
	t := *s.TLS
	t.Endpoint = s.Address
	return t
}

// bound reports whether the certificate comes from a binding table.
func (s *HTTPServer) bound() bool {
	return s.TLS != nil && len(s.TLS.Certificates) > 0 && s.TLS.Certificates[0].Bound != ""
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

// sameSettings compares what receivers say that share an address.
func (s *HTTPServer) sameSettings(o *HTTPServer) error {
	if !reflect.DeepEqual(s.TLS, o.TLS) {
		return engine.InField("tls", errors.New("another workflow has other TLS settings on this address: one port has one set of them"))
	}
	if s.Limits != o.Limits {
		return engine.InField("address", errors.New("another workflow has other limits on this address: one port has one set of them"))
	}
	return nil
}

// register gives path to h, for the workflow of that name.
func (s *HTTPServer) register(h *HTTP, path, workflow string, log *zap.Logger) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.routes == nil {
		s.routes = make(map[string]*HTTP)
		s.owners = make(map[string]string)
	}
	if have := s.routes[path]; have != nil && have != h {
		return engine.InField("path", fmt.Errorf("workflow %q already has the path %s on this address", s.owners[path], path))
	}
	s.routes[path], s.owners[path] = h, workflow
	if s.log == nil {
		s.log = log
	}
	return nil
}

// acquire opens the port for h, unless another receiver has opened it.
func (s *HTTPServer) acquire(ctx context.Context, h *HTTP) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) == 0 {
		if err := s.openLocked(ctx); err != nil {
			return err
		}
		s.open = make(map[*HTTP]bool)
	}
	s.open[h] = false
	return nil
}

func (s *HTTPServer) openLocked(ctx context.Context) (err error) {
	s.limits = s.Limits.withDefaults()
	s.failed, s.err, s.session, s.old = make(chan struct{}), nil, nil, make(map[*httpSession]bool)
	if s.TLS != nil {
		if s.source, err = s.tls().Open(ctx); err != nil {
			return engine.InField("tls", err)
		}
		for _, w := range s.source.Warnings() {
			s.log.Warn(w)
		}
	}
	if s.source != nil && s.source.Waiting() {
		s.why = s.waiting()
	} else if s.session, err = s.listen(ctx); err != nil {
		if s.source != nil {
			err = errors.Join(err, s.source.Close())
			s.source = nil
		}
		return err
	}
	if s.source != nil {
		s.source.Watch(s.noticed)
	}
	return nil
}

func (s *HTTPServer) waiting() error {
	return fmt.Errorf("the port is closed, because no certificate is bound to it: `ladle certificates bind -table %s %s FILE` opens it", s.TLS.Certificates[0].Bound, s.Address)
}

// listen opens the port and lets it serve.
func (s *HTTPServer) listen(ctx context.Context) (*httpSession, error) {
	l := s.Listener
	if l == nil {
		var err error
		if l, err = listen(ctx, s.Address); err != nil {
			return nil, err
		}
	}
	x := &httpSession{listener: newLimitListener(l, s.limits.MaxConnections, s.limits.MaxConnectionsPerPeer, s.log)}
	x.ending, x.end = context.WithCancel(context.Background())
	x.cut, x.cutShort = context.WithCancel(context.Background())
	x.server = &http.Server{
		Handler:           http.HandlerFunc(s.route),
		ReadHeaderTimeout: s.limits.ReadHeaderTimeout,
		ReadTimeout:       s.limits.ReadTimeout,
		IdleTimeout:       s.limits.IdleTimeout,
		MaxHeaderBytes:    int(s.limits.HeaderLimit),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(context.WithValue(ctx, connKey{}, c), sessionKey{}, x)
		},
		ErrorLog: zap.NewStdLog(s.log),
		HTTP2:    &http.HTTP2Config{MaxConcurrentStreams: 100},
	}
	if s.source != nil {
		x.server.TLSConfig = s.source.Config()
	}
	if level, err := zap.NewStdLogAt(s.log, zap.InfoLevel); err == nil {
		x.server.ErrorLog = level
	}
	x.done.Go(func() { s.accept(x) })
	return x, nil
}

// retryListen is how long after a failure the port is tried again.
const retryListen = 5 * time.Second

// noticed logs what becomes of the certificates, and opens and closes the port with them.
func (s *HTTPServer) noticed(n tlsconfig.Notice) {
	switch n.Kind {
	case tlsconfig.Renewed, tlsconfig.Stapled:
		s.log.Info(n.String())
	case tlsconfig.Bound, tlsconfig.Unbound:
		s.log.Info(n.String())
		s.follow()
	default:
		s.log.Warn(n.String(), zap.Error(n.Err))
	}
}

// follow makes the port open when there is a certificate for it, and closed when there is
// none.
func (s *HTTPServer) follow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.source == nil || s.finishedLocked() {
		return
	}
	switch waiting := s.source.Waiting(); {
	case waiting && s.session != nil:
		x := s.session
		s.session, s.why, s.old[x] = nil, s.waiting(), true
		// The port is free when this returns; what was taken is finished in its own time.
		x.listener.Close()
		x.end()
		x.done.Go(func() { s.drain(x) })
		s.log.Info("the port is closed: its last certificate was unbound", zap.String("address", s.Address))
	case !waiting && s.session == nil:
		var err error
		if s.session, err = s.listen(context.Background()); err != nil {
			if s.why == nil || s.why.Error() != err.Error() { // and not each time again
				s.log.Error("the port can't be opened for the certificate that was bound to it; it is tried again", zap.Error(err))
			}
			s.why = err
			s.retry = time.AfterFunc(retryListen, s.follow)
			return
		}
		s.why = nil
		s.log.Info("the port is open", zap.Stringer("address", s.session.listener.Addr()))
	}
}

// drain finishes what a closed session has taken.
func (s *HTTPServer) drain(x *httpSession) {
	_ = x.server.Shutdown(x.cut)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.old, x)
}

// accept is a goroutine of the session.
func (s *HTTPServer) accept(x *httpSession) {
	var err error
	if x.server.TLSConfig != nil {
		err = x.server.ServeTLS(x.listener, "", "")
	} else {
		err = x.server.Serve(x.listener)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if errors.Is(err, http.ErrServerClosed) || s.session != x || s.err != nil {
		return
	}
	s.err = err
	close(s.failed)
}

// finished says that h takes no more. The last one to say so brings the port to its
// end: what is left are connections without a request in the works.
func (s *HTTPServer) finished(h *HTTP) {
	s.mu.Lock()
	if _, open := s.open[h]; open {
		s.open[h] = true
	}
	x := s.session
	finished := s.finishedLocked()
	s.mu.Unlock()
	if x == nil || !finished {
		return
	}
	// Long enough for the last answers to leave and for HTTP/2 to say goodbye; a
	// connection that is still new or in its header has sent nothing that was taken.
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = x.server.Shutdown(ctx)
}

// finishedLocked reports whether no receiver takes messages any more.
func (s *HTTPServer) finishedLocked() bool {
	for _, done := range s.open {
		if !done {
			return false
		}
	}
	return true
}

// release closes the port when h was the last receiver on it.
func (s *HTTPServer) release(h *HTTP) error {
	s.mu.Lock()
	if _, open := s.open[h]; !open {
		s.mu.Unlock()
		return nil
	}
	delete(s.open, h)
	if len(s.open) > 0 {
		s.mu.Unlock()
		return nil
	}
	if s.retry != nil {
		s.retry.Stop()
	}
	source, last, all := s.source, s.session, s.old
	s.source, s.session, s.old = nil, nil, nil
	s.why = nil
	s.mu.Unlock()

	var errs []error
	if last != nil {
		all[last] = true
	}
	for x := range all {
		x.end()
		x.cutShort()
		if err := x.server.Close(); !errors.Is(err, net.ErrClosed) { // by finished, or by whoever made the listener
			errs = append(errs, err)
		}
		x.done.Wait()
	}
	if source != nil {
		errs = append(errs, source.Close())
	}
	return errors.Join(errs...)
}

// health says why the port is closed, or nil.
func (s *HTTPServer) health() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.why
}

type (
	connKey    struct{}
	sessionKey struct{}
)

// route gives a request to the receiver that has its path.
func (s *HTTPServer) route(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	h, source := s.routes[r.URL.Path], s.source
	s.mu.Unlock()
	if conn, ok := r.Context().Value(connKey{}).(net.Conn); ok && r.TLS != nil && source != nil && !source.Serves(r.TLS.ServerName, conn.LocalAddr()) {
		w.Header().Set("Connection", "close") // its name was unbound while it was open
	}
	if h == nil {
		http.Error(w, "No workflow listens on this path.", http.StatusNotFound)
		return
	}
	h.serveHTTP(w, r)
}

func (s *HTTPServer) addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.session == nil {
		return nil
	}
	return s.session.listener.Addr()
}

// url returns the address of path as a partner would write it.
func (s *HTTPServer) url(path string) string {
	a := s.addr()
	if a == nil {
		return ""
	}
	scheme := "http"
	if s.TLS != nil {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		if host, err = os.Hostname(); err != nil {
			host = "localhost"
		}
	}
	if port == map[string]string{"http": "80", "https": "443"}[scheme] {
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		return scheme + "://" + host + path
	}
	return scheme + "://" + net.JoinHostPort(host, port) + path
}

// key names the address so that receivers that mean the same port find each other.
// It is "" for a port that the system chooses, which nobody can share by its name.
func (s *HTTPServer) key() string {
	host, port, err := net.SplitHostPort(s.Address)
	if err != nil || port == "0" {
		return ""
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = ""
	}
	return "the address " + net.JoinHostPort(host, port)
}
