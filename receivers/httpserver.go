package receivers

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"reflect"
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

	mu     sync.Mutex
	routes map[string]*HTTP
	owners map[string]string // the workflow of each path
	log    *zap.Logger
	open   map[*HTTP]bool // routes that are open: false until their Serve has ended
	limits HTTPLimits     // with defaults, while it is open
	port   *port          // while it is open
}

// validate reports mistakes in the settings of the server itself.
func (s *HTTPServer) validate() error {
	return errors.Join(validatePort(s.Address, s.Listener, s.TLS), s.Limits.validate())
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
		s.limits = s.Limits.withDefaults()
		p := &port{
			address: s.Address, given: s.Listener, settings: s.TLS, log: s.log,
			total: s.limits.MaxConnections, perPeer: s.limits.MaxConnectionsPerPeer, newServer: s.newServer,
		}
		if err := p.open(ctx); err != nil {
			return err
		}
		s.port, s.open = p, make(map[*HTTP]bool)
	}
	s.open[h] = false
	return nil
}

// An httpServer is the server of one session.
type httpServer struct {
	http.Server
	ending context.Context // ends when it is to take no more
	end    context.CancelFunc
}

func (s *HTTPServer) newServer() server {
	x := &httpServer{Server: http.Server{
		Handler:           http.HandlerFunc(s.route),
		ReadHeaderTimeout: s.limits.ReadHeaderTimeout,
		ReadTimeout:       s.limits.ReadTimeout,
		IdleTimeout:       s.limits.IdleTimeout,
		MaxHeaderBytes:    int(s.limits.HeaderLimit),
		ErrorLog:          zap.NewStdLog(s.log),
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: 100},
	}}
	x.ending, x.end = context.WithCancel(context.Background())
	x.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(context.WithValue(ctx, connKey{}, c), endingKey{}, x.ending)
	}
	if level, err := zap.NewStdLogAt(s.log, zap.InfoLevel); err == nil {
		x.ErrorLog = level
	}
	return x
}

func (x *httpServer) serve(l net.Listener, config *tls.Config) error {
	if config == nil {
		return x.Serve(l)
	}
	x.TLSConfig = config
	return x.ServeTLS(l, "", "")
}

func (x *httpServer) shutdown(ctx context.Context) {
	x.end()
	_ = x.Shutdown(ctx)
}

func (x *httpServer) close() error {
	x.end()
	return x.Close()
}

// finished says that h takes no more. The last one to say so brings the port to its
// end: what is left are connections without a request in the works.
func (s *HTTPServer) finished(h *HTTP) {
	s.mu.Lock()
	if _, open := s.open[h]; open {
		s.open[h] = true
	}
	for _, done := range s.open {
		if !done {
			s.mu.Unlock()
			return
		}
	}
	p := s.port
	s.mu.Unlock()
	if p == nil {
		return
	}
	// Long enough for the last answers to leave and for HTTP/2 to say goodbye; a
	// connection that is still new or in its header has sent nothing that was taken.
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	p.finish(ctx)
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
	p := s.port
	s.port = nil
	s.mu.Unlock()
	return p.close()
}

// current returns the port while it is open.
func (s *HTTPServer) current() *port {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.port
}

type (
	connKey   struct{}
	endingKey struct{}
)

// route gives a request to the receiver that has its path.
func (s *HTTPServer) route(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	h, p := s.routes[r.URL.Path], s.port
	s.mu.Unlock()
	if conn, ok := r.Context().Value(connKey{}).(net.Conn); ok && r.TLS != nil && p != nil && !p.serves(r.TLS.ServerName, conn.LocalAddr()) {
		w.Header().Set("Connection", "close") // its name was unbound while it was open
	}
	if h == nil {
		http.Error(w, "No workflow listens on this path.", http.StatusNotFound)
		return
	}
	h.serveHTTP(w, r)
}

// url returns the address of path as a partner would write it.
func (s *HTTPServer) url(path string) string {
	p := s.current()
	if p == nil {
		return ""
	}
	host, number := p.hostPort()
	if host == "" {
		return ""
	}
	scheme, usual := "http", "80"
	if s.TLS != nil {
		scheme, usual = "https", "443"
	}
	if number == usual {
		return scheme + "://" + bracketed(host) + path
	}
	return scheme + "://" + net.JoinHostPort(host, number) + path
}
