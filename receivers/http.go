package receivers

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/engine/hl7v2"
	"github.com/ladlehq/ladle/tlsconfig"
	"go.uber.org/zap"
)

// Limits of an HTTP receiver when nothing else is set.
const (
	DefaultBodyLimit   = 16 * engine.MiB
	DefaultBodiesLimit = engine.GiB
)

// DefaultContentTypes are the media types under which HL7 v2 is met in the field. A
// request without a type is taken, too.
func DefaultContentTypes() []string {
	return []string{"application/hl7-v2", "application/hl7-v2+er7", "x-application/hl7-v2+er7", "text/plain"}
}

// HTTP receives one message in the body of each request and answers it in the body
// of the response, as HL7 over HTTP does. POST and PUT bring a message; GET is
// answered with an error acknowledgement, so that a person who opens the address in
// a browser sees that it works; HEAD is a health check without a body.
//
// In a file it is `http: {...}`. The zero value lacks an address.
type HTTP struct {
	// Address is the TCP address to listen on, such as ":8443". Receivers with the
	// same address share its port: each has a path of its own, and their TLS settings
	// and limits are the same.
	Address string `yaml:"address"`
	// Listener, when it isn't nil, is listened on instead of Address. The receiver
	// closes it.
	Listener net.Listener `yaml:"-"`
	// Server, when it isn't nil, is the port to share, in place of Address, Listener,
	// TLS and Limits, which must then be empty.
	Server *HTTPServer `yaml:"-"`
	// TLS makes the port HTTPS. Nil is plain HTTP.
	TLS *tlsconfig.Server `yaml:"tls"`
	// Limits bound what peers can take of the port.
	Limits HTTPLimits `yaml:",inline"`

	// Path is the path of the receiver's address, compared exactly. The default is
	// "/".
	Path string `yaml:"path"`
	// ContentTypes are the media types that are taken, beside no type at all. The
	// default is DefaultContentTypes; "*/*" takes any.
	ContentTypes []string `yaml:"content-types"`
	// BodyLimit bounds the size of a message. A larger one is answered as TooLarge.
	// The default is 16 MiB.
	BodyLimit engine.Size `yaml:"body-limit"`
	// BodiesLimit bounds the size of all messages that are being received or
	// processed at one time. One that finds no room is answered as Unavailable. The
	// default is 1 GiB.
	BodiesLimit engine.Size `yaml:"bodies-limit"`
	// Basic, when it isn't nil, demands a user and a password (RFC 7617).
	Basic *BasicAuth `yaml:"basic"`
	// Bearer, when it isn't empty, demands this token (RFC 6750). With Basic, either
	// will do.
	Bearer tlsconfig.Secret `yaml:"bearer"`
	// Acknowledgement says which acknowledgement a message is answered with. The default is
	// what each message asks for in MSH-15 and MSH-16. A response carries one: of two that
	// are wanted it is the application acknowledgement, unless that goes another way (to in
	// the workflow's response).
	Acknowledgement hl7v2.Acknowledgement `yaml:"acknowledgement"`
	// Status are the status codes of answers.
	Status HTTPStatus `yaml:"status"`

	log         *zap.Logger
	server      *HTTPServer
	types       []string
	bodyLimit   int64
	bodiesLimit int64
	held        atomic.Int64 // bytes of bodies

	mu       sync.Mutex
	idle     sync.Cond // signals that active is empty
	handler  engine.Handler
	serving  chan struct{}   // closed by Serve
	stopping context.Context // ends when Serve is to end
	stop     context.CancelFunc
	closed   context.Context // ends with Close
	close    context.CancelFunc
	active   map[*http.Request]net.Conn
}

// A BasicAuth is a user and a password.
type BasicAuth struct {
	User     string           `yaml:"user"`
	Password tlsconfig.Secret `yaml:"password"`
}

// HTTPStatus gives each class of answer its status code. Zero stands for the
// default. Partners that follow the letter of HL7 over HTTP want 200 for every answer
// that is HL7.
type HTTPStatus struct {
	Accepted    int `yaml:"accepted"`    // default 200
	Filtered    int `yaml:"filtered"`    // default 200
	Rejected    int `yaml:"rejected"`    // default 400
	Failed      int `yaml:"failed"`      // default 500
	Unavailable int `yaml:"unavailable"` // default 503
	TooLarge    int `yaml:"too-large"`   // default 413
}

// A statusCode is the status of one class: the one that is set, or else the usual one.
type statusCode struct {
	name       string
	set, usual int
	class      engine.Class
}

func (s HTTPStatus) all() [6]statusCode {
	return [...]statusCode{
		{"accepted", s.Accepted, http.StatusOK, engine.Accepted},
		{"filtered", s.Filtered, http.StatusOK, engine.Filtered},
		{"rejected", s.Rejected, http.StatusBadRequest, engine.Rejected},
		{"failed", s.Failed, http.StatusInternalServerError, engine.Failed},
		{"unavailable", s.Unavailable, http.StatusServiceUnavailable, engine.Unavailable},
		{"too-large", s.TooLarge, http.StatusRequestEntityTooLarge, engine.TooLarge},
	}
}

func (s HTTPStatus) of(c engine.Class) int {
	for _, f := range s.all() {
		if f.class == c {
			return cmp.Or(f.set, f.usual)
		}
	}
	return http.StatusInternalServerError
}

// DefaultFormat returns the format of HL7 v2, which answers as Acknowledgement says.
func (h *HTTP) DefaultFormat() engine.Format {
	return hl7v2.Format{Acknowledgement: h.Acknowledgement}
}

// Prepare checks the settings.
func (h *HTTP) Prepare(env engine.Env) error {
	h.log = env.Logger
	h.types = h.ContentTypes
	if h.types == nil {
		h.types = DefaultContentTypes()
	}
	h.Path = cmp.Or(h.Path, "/")
	h.bodyLimit = int64(cmp.Or(h.BodyLimit, DefaultBodyLimit))
	h.bodiesLimit = cmp.Or(int64(h.BodiesLimit), max(int64(DefaultBodiesLimit), h.bodyLimit))
	h.idle.L = &h.mu
	return errors.Join(h.validate(), h.prepareServer(env))
}

func (h *HTTP) validate() error {
	var errs []error
	bad := func(field, format string, args ...any) {
		errs = append(errs, engine.InField(field, fmt.Errorf(format, args...)))
	}
	switch {
	case !strings.HasPrefix(h.Path, "/"):
		bad("path", "%q must begin with a slash", h.Path)
	case strings.ContainsAny(h.Path, "?# \t\r\n"):
		bad("path", "%q must be a path alone, without a query, a fragment or spaces", h.Path)
	}
	for i, t := range h.ContentTypes {
		if media, _, err := mime.ParseMediaType(t); err != nil || !strings.Contains(media, "/") {
			bad(fmt.Sprintf("content-types[%d]", i), `%q is no media type: write for example "application/hl7-v2"`, t)
		}
	}
	if h.BodyLimit < 0 {
		bad("body-limit", "a limit can't be negative: leave it out for the default")
	}
	if h.BodiesLimit < 0 || h.bodiesLimit < h.bodyLimit {
		bad("bodies-limit", "%v must leave room for one message of %v", h.BodiesLimit, engine.Size(h.bodyLimit))
	}
	if h.Basic != nil {
		if h.Basic.User == "" {
			bad("basic.user", "missing")
		}
		if strings.Contains(h.Basic.User, ":") {
			bad("basic.user", "a user can't have a colon in it (RFC 7617)")
		}
		if h.Basic.Password == "" {
			bad("basic.password", "missing")
		}
	}
	for _, f := range h.Status.all() {
		if f.set != 0 && (f.set < 200 || f.set > 599) {
			bad("status."+f.name, "%d is no status of an answer: they go from 200 to 599", f.set)
		}
	}
	return errors.Join(errs...)
}

// prepareServer finds the port that the receiver is on.
func (h *HTTP) prepareServer(env engine.Env) error {
	own := &HTTPServer{Address: h.Address, Listener: h.Listener, TLS: h.TLS, Limits: h.Limits}
	s := h.Server
	switch {
	case s != nil && (h.Address != "" || h.Listener != nil || h.TLS != nil || h.Limits != HTTPLimits{}):
		return engine.InField("address", errors.New("the receiver has a Server: Address, Listener, TLS and Limits are set there"))
	case s != nil:
		own = s
	case h.Address != "" && h.Listener != nil:
		return engine.InField("address", errors.New("the receiver has a Listener and an Address: choose one"))
	}
	if err := own.validate(); err != nil {
		return err
	}
	if s == nil {
		s = own
		if key := portKey(own.Address); key != "" && own.Listener == nil {
			var err error
			if s, err = engine.Shared(env, key, func() *HTTPServer { return own }); err != nil {
				return engine.InField("address", err)
			}
			if err := s.sameSettings(own); err != nil {
				return err
			}
		}
	}
	h.server = s
	return s.register(h, h.Path, env.Workflow, env.Logger)
}

// Open takes the port, unless another receiver that shares it already has.
func (h *HTTP) Open(ctx context.Context) error {
	h.mu.Lock()
	h.serving = make(chan struct{})
	h.stopping, h.stop = context.WithCancel(context.Background())
	h.closed, h.close = context.WithCancel(context.Background())
	h.active = make(map[*http.Request]net.Conn)
	h.mu.Unlock()
	if h.server.TLS == nil && (h.Basic != nil || h.Bearer != "") {
		h.log.Warn("passwords travel in clear text: this receiver asks for one and has no TLS")
	}
	return h.server.acquire(ctx, h)
}

// Serve hands messages to next until ctx ends, and returns when those that it has
// taken are answered. A body that is still coming in then has 5 seconds left.
func (h *HTTP) Serve(ctx context.Context, next engine.Handler) error {
	p := h.server.current()
	if p == nil { // it was closed before it served
		return nil
	}
	h.mu.Lock()
	h.handler = next
	closed := h.closed
	close(h.serving)
	h.mu.Unlock()
	var err error
	select {
	case <-ctx.Done():
	case <-closed.Done():
	case <-p.failed:
		err = p.failure()
	}
	h.stop()
	h.mu.Lock()
	for len(h.active) > 0 {
		h.idle.Wait()
	}
	h.handler = nil
	h.mu.Unlock()
	h.server.finished(h)
	return err
}

// Close closes the connections of the requests that are in the works, and the port
// when no other receiver shares it.
func (h *HTTP) Close() error {
	h.mu.Lock()
	if h.closed == nil {
		h.mu.Unlock()
		return nil
	}
	h.stop()
	h.close()
	for _, c := range h.active {
		if t, ok := c.(*tls.Conn); ok {
			c = t.NetConn() // without the farewell of TLS, which waits for the peer
		}
		if c != nil {
			c.Close()
		}
	}
	h.mu.Unlock()
	return h.server.release(h)
}

// Addr returns the address that is listened on, or nil while none is.
func (h *HTTP) Addr() net.Addr {
	if h.server == nil {
		return nil
	}
	if p := h.server.current(); p != nil {
		return p.addr()
	}
	return nil
}

// URL returns the address to hand to a partner, with the machine's name where the
// receiver listens on all addresses, or "" while it doesn't listen.
func (h *HTTP) URL() string {
	if h.server == nil {
		return ""
	}
	return h.server.url(h.Path)
}

// Health returns nil while the receiver listens, and why it doesn't when it is open and
// waits for a certificate to be bound to its port, or for the port to become free.
func (h *HTTP) Health() error {
	if h.server == nil {
		return nil
	}
	if p := h.server.current(); p != nil {
		return p.health()
	}
	return nil
}

// begin counts r in, and returns the handler to give its message to, or nil when the
// receiver takes no more. A request that comes between Open and Serve waits.
func (h *HTTP) begin(r *http.Request) engine.Handler {
	h.mu.Lock()
	serving, stopping := h.serving, h.stopping
	h.mu.Unlock()
	select {
	case <-serving:
	case <-stopping.Done():
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.handler == nil || h.stopping.Err() != nil {
		return nil
	}
	h.active[r], _ = r.Context().Value(connKey{}).(net.Conn)
	return h.handler
}

func (h *HTTP) end(r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.active, r)
	if len(h.active) == 0 {
		h.idle.Broadcast()
	}
}

// Texts of answers to requests that bring no message.
const (
	textNoMessage    = "No HL7 message was received. This address takes one in the body of a POST request."
	textMethod       = "This method brings no message. Send it in the body of a POST request."
	textContentType  = "This content type is not taken here."
	textUnauthorized = "This address asks for a user and password or a token, and they were not given or are wrong."
	textTimeout      = "The message did not arrive in time."
	textBroken       = "The message did not arrive whole."
	textNoRoom       = "Too many messages are being processed. Send this one again later."
	textStopping     = "The receiver is stopping. Send the message again later.\n"
)

func (h *HTTP) serveHTTP(w http.ResponseWriter, r *http.Request) {
	next := h.begin(r)
	if next == nil {
		w.Header().Set("Retry-After", "60")
		http.Error(w, textStopping, http.StatusServiceUnavailable)
		return
	}
	defer h.end(r)

	x := exchange{HTTP: h, w: w, r: r, next: next}
	switch {
	case r.Method == http.MethodHead:
		w.WriteHeader(http.StatusOK)
	case !h.authorized(r):
		h.challenge(w.Header())
		x.refuse(http.StatusUnauthorized, engine.Rejected, textUnauthorized)
	case r.Method == http.MethodGet:
		x.refuse(0, engine.Rejected, textNoMessage)
	case r.Method != http.MethodPost && r.Method != http.MethodPut:
		w.Header().Set("Allow", "POST, PUT, GET, HEAD")
		x.refuse(http.StatusMethodNotAllowed, engine.Rejected, textMethod)
	case !h.takes(r.Header.Get("Content-Type")):
		w.Header().Set("Accept-Post", strings.Join(h.types, ", "))
		x.refuse(http.StatusUnsupportedMediaType, engine.Rejected, textContentType)
	case r.ContentLength > h.bodyLimit:
		x.refuse(0, engine.TooLarge, "")
	default:
		x.deliver()
	}
}

// takes reports whether the receiver takes a message of this content type.
func (h *HTTP) takes(contentType string) bool {
	if contentType == "" || slices.Contains(h.types, "*/*") {
		return true
	}
	return isNamed(h.types, contentType)
}

// isNamed reports whether types has the media type of contentType.
func isNamed(types []string, contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && slices.ContainsFunc(types, func(t string) bool { return strings.EqualFold(t, media) })
}

// authorized compares by hashes, so that the time it takes tells nothing of where or
// how a guess is wrong.
func (h *HTTP) authorized(r *http.Request) bool {
	if h.Basic == nil && h.Bearer == "" {
		return true
	}
	ok := 0
	if h.Basic != nil {
		user, password, given := r.BasicAuth()
		if given {
			ok |= equalHash(user, h.Basic.User) & equalHash(password, h.Basic.Password.Reveal())
		}
	}
	if h.Bearer != "" {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if strings.EqualFold(scheme, "Bearer") {
			ok |= equalHash(strings.TrimSpace(token), h.Bearer.Reveal())
		}
	}
	return ok == 1
}

func equalHash(a, b string) int {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:])
}

func (h *HTTP) challenge(header http.Header) {
	if h.Basic != nil {
		header.Add("WWW-Authenticate", `Basic realm="HL7", charset="UTF-8"`)
	}
	if h.Bearer != "" {
		header.Add("WWW-Authenticate", `Bearer realm="HL7"`)
	}
}

// An exchange is one request and its answer.
type exchange struct {
	*HTTP
	w    http.ResponseWriter
	r    *http.Request
	next engine.Handler
}

// message makes a message of body with all that is known of its origin.
func (x *exchange) message(body []byte) *engine.Message {
	m := engine.NewMessage(body)
	m.ContentType = x.r.Header.Get("Content-Type")
	if conn, ok := x.r.Context().Value(connKey{}).(net.Conn); ok {
		m.Origin.Peer = peerAddr(conn.RemoteAddr())
	}
	if t := x.r.TLS; t != nil && len(t.PeerCertificates) > 0 {
		m.Origin.Certificate = t.PeerCertificates[0]
	}
	return m
}

// refuse answers a request that brings no message to the workflow. A status of 0 is
// the class's own.
func (x *exchange) refuse(status int, class engine.Class, text string) {
	reply := x.next.Refuse(x.r.Context(), x.message(nil), engine.Answer{Class: class, Text: text})
	x.write(status, reply)
}

func (x *exchange) deliver() {
	body, err := x.readBody()
	defer x.held.Add(-int64(cap(body)))
	switch {
	case errors.Is(err, errTooLarge):
		x.refuse(0, engine.TooLarge, "")
	case errors.Is(err, errNoRoom):
		x.refuse(0, engine.Unavailable, textNoRoom)
	case errors.Is(err, os.ErrDeadlineExceeded):
		x.refuse(http.StatusRequestTimeout, engine.Rejected, textTimeout)
	case err != nil:
		x.refuse(0, engine.Rejected, textBroken)
	case len(body) == 0:
		x.refuse(0, engine.Rejected, textNoMessage)
	default:
		x.write(0, x.next.Handle(x.r.Context(), x.message(body)))
	}
}

var (
	errTooLarge = errors.New("body over the limit")
	errNoRoom   = errors.New("no room for another body")
)

// drainTime is what a body that is still coming in has left when the receiver stops.
const drainTime = 5 * time.Second

// readBody reads the body, and reserves room for it as it comes in: what a peer
// announces and doesn't send takes none. The room taken is the capacity of what it
// returns, also with an error.
func (x *exchange) readBody() (body []byte, err error) {
	control := http.NewResponseController(x.w)
	hurried := make(chan struct{})
	ending, cancel := context.WithCancel(x.stopping)
	if session, ok := x.r.Context().Value(endingKey{}).(context.Context); ok {
		defer context.AfterFunc(session, cancel)()
	}
	stop := context.AfterFunc(ending, func() {
		defer close(hurried)
		_ = control.SetReadDeadline(time.Now().Add(drainTime))
	})
	defer func() {
		if !stop() {
			<-hurried // the controller is not to be used after the request's end
		}
		cancel()
	}()

	announced := x.r.ContentLength + 1 // so that the end is read without growing
	for {
		if len(body) == cap(body) {
			grown := max(4<<10, 2*int64(cap(body)))
			if announced > 0 && (announced < grown || len(body) > 0 && announced < 64<<10) {
				grown = max(announced, int64(cap(body))+1)
			}
			grown = min(grown, x.bodyLimit+1)
			if body, err = x.grow(body, grown); err != nil {
				return body, err
			}
		}
		n, err := x.r.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case int64(len(body)) > x.bodyLimit:
			return body, errTooLarge
		case err == io.EOF:
			return body, nil
		case err != nil:
			return body, err
		}
	}
}

func (x *exchange) grow(body []byte, size int64) ([]byte, error) {
	if x.held.Add(size) > x.bodiesLimit {
		x.held.Add(-size)
		return body, errNoRoom
	}
	grown := make([]byte, len(body), size)
	copy(grown, body)
	x.held.Add(-int64(cap(body)))
	return grown, nil
}

// write writes the answer. A status of 0 is the class's own.
func (x *exchange) write(status int, reply engine.Reply) {
	if status == 0 {
		status = x.Status.of(reply.Class)
	}
	if len(reply.Body) == 0 {
		reply.Body = reply.Accept
	}
	header := x.w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-store")
	if len(reply.Body) > 0 {
		header.Set("Content-Type", x.contentType(reply))
	}
	header.Set("Content-Length", strconv.Itoa(len(reply.Body)))
	if reply.RetryAfter > 0 {
		header.Set("Retry-After", strconv.FormatInt(int64(math.Ceil(reply.RetryAfter.Seconds())), 10))
	}
	control := http.NewResponseController(x.w)
	_ = control.SetWriteDeadline(time.Now().Add(x.server.limits.WriteTimeout))
	x.w.WriteHeader(status)
	if _, err := x.w.Write(reply.Body); err != nil {
		x.log.Info("the answer did not reach the peer", zap.Error(err))
	}
	if reply.Then != nil {
		_ = control.Flush()
		reply.Then()
	}
}

// contentType answers in the type that the peer has used, and a browser in one that
// it shows.
func (x *exchange) contentType(reply engine.Reply) string {
	if t := x.r.Header.Get("Content-Type"); t != "" && isNamed(x.types, t) {
		return t
	}
	if strings.Contains(x.r.Header.Get("Accept"), "text/html") {
		return "text/plain; charset=utf-8"
	}
	return reply.ContentType
}

var (
	_ engine.Receiver       = (*HTTP)(nil)
	_ engine.Preparer       = (*HTTP)(nil)
	_ engine.Addresser      = (*HTTP)(nil)
	_ engine.Endpoint       = (*HTTP)(nil)
	_ engine.FormatProvider = (*HTTP)(nil)
	_ engine.HealthReporter = (*HTTP)(nil)
)
