package activities

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/tlsconfig"
	"go.uber.org/zap"
)

// Limits of an HTTPSender when nothing else is set.
const (
	DefaultSendTimeout    = 30 * time.Second
	DefaultReplyLimit     = 16 * engine.MiB
	DefaultMaxConnections = 16
)

// HTTPSender sends each message in the body of a POST request and reads the partner's
// acknowledgement from the body of the response, whatever its status. It is a sender
// for [ForwardToSender].
//
// It follows no redirect and uses no proxy unless it is told to: a message goes to the
// address that was configured, or nowhere.
//
// In a file it is `http: {...}`. The zero value lacks a URL.
type HTTPSender struct {
	// URL is the partner's address, http or https. It is required.
	URL string `yaml:"url"`
	// TLS says whom to trust and as whom to appear. Nil trusts the system's
	// certification authorities.
	TLS *tlsconfig.Client `yaml:"tls"`
	// Headers are added to each request.
	Headers map[string]tlsconfig.Secret `yaml:"headers"`
	// ContentType is the media type of the request. The default is the one of the
	// workflow's format, application/hl7-v2 for HL7 v2. A charset that the message
	// came with is added, unless ContentType has one.
	ContentType string `yaml:"content-type"`
	// Acknowledgement is what counts as acceptance. The default is AcknowledgementHL7. A
	// response carries one acknowledgement: where a message asks for two, either will do,
	// since the other comes by another way.
	Acknowledgement Acknowledgement `yaml:"acknowledgement"`
	// Timeout bounds the whole exchange, from connecting to the last byte of the
	// reply. The default is 30 s.
	Timeout time.Duration `yaml:"timeout"`
	// ReplyLimit bounds the size of a reply. The default is 16 MiB.
	ReplyLimit engine.Size `yaml:"reply-limit"`
	// MaxConnections bounds the connections that are open at one time; further
	// messages wait. The default is 16.
	MaxConnections int `yaml:"max-connections"`
	// CloseAfterEach makes a connection for each message, for partners that can't keep
	// one open.
	CloseAfterEach bool `yaml:"close-after-each"`
	// FollowRedirects follows redirects that keep the method and the body (307, 308)
	// within the partner's own host.
	FollowRedirects bool `yaml:"follow-redirects"`
	// Proxy is the URL of a proxy, or "environment" for what HTTPS_PROXY and its
	// neighbours say. "" uses none.
	Proxy string `yaml:"proxy"`
	// Basic, when it isn't nil, gives a user and a password (RFC 7617).
	Basic *BasicAuth `yaml:"basic"`
	// Bearer, when it isn't empty, gives a token (RFC 6750).
	Bearer tlsconfig.Secret `yaml:"bearer"`

	log    *zap.Logger
	format engine.Format
	url    *url.URL
	proxy  func(*http.Request) (*url.URL, error)
	source *tlsconfig.Source
	client *http.Client
}

// A BasicAuth is a user and a password.
type BasicAuth struct {
	User     string           `yaml:"user"`
	Password tlsconfig.Secret `yaml:"password"`
}

// Prepare checks the settings.
func (s *HTTPSender) Prepare(env engine.Env) error {
	s.log, s.format = env.Logger, env.Format
	var errs []error
	bad := func(field, format string, args ...any) {
		errs = append(errs, engine.InField(field, fmt.Errorf(format, args...)))
	}
	u, err := url.Parse(s.URL)
	switch {
	case s.URL == "":
		bad("url", "missing: write for example https://lab.example:8443/hl7")
	case err != nil:
		bad("url", "can't be read as a URL: write for example https://lab.example:8443/hl7")
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		bad("url", "%q is no address of a partner: write for example https://lab.example:8443/hl7", u.Redacted())
	case u.User != nil:
		bad("url", "a user and password don't belong into the URL: set basic")
	case u.Scheme == "http" && s.TLS != nil:
		bad("tls", "the url begins with http, which has no TLS: write https")
	}
	s.url = u
	if s.TLS != nil {
		errs = append(errs, engine.InField("tls", s.TLS.Validate()))
	}
	for name, value := range s.Headers {
		switch {
		case !isHeaderName(name):
			bad("headers", "%q is no name of a header", name)
		case strings.ContainsFunc(value.Reveal(), isControl):
			bad("headers."+name, "the value has characters that a header can't hold")
		case forbiddenHeaders[textproto.CanonicalMIMEHeaderKey(name)]:
			bad("headers."+name, "this header is set by its own setting or by the sender itself")
		}
	}
	if s.ContentType != "" {
		if media, _, err := mime.ParseMediaType(s.ContentType); err != nil || !strings.Contains(media, "/") {
			bad("content-type", `%q is no media type: write for example "application/hl7-v2"`, s.ContentType)
		}
	}
	if s.Timeout < 0 {
		bad("timeout", "a limit can't be negative: leave it out for the default")
	}
	if s.ReplyLimit < 0 {
		bad("reply-limit", "a limit can't be negative: leave it out for the default")
	}
	if s.MaxConnections < 0 {
		bad("max-connections", "a limit can't be negative: leave it out for the default")
	}
	if s.Basic != nil && s.Bearer != "" {
		bad("bearer", "basic is set, too: a request has one of them")
	}
	if s.Basic != nil && s.Basic.User == "" {
		bad("basic.user", "missing")
	}
	if strings.ContainsAny(s.Bearer.Reveal(), " \t\r\n") {
		bad("bearer", "a token has no white space in it")
	}
	s.proxy, err = proxyOf(s.Proxy)
	errs = append(errs, engine.InField("proxy", err))
	return errors.Join(errs...)
}

var forbiddenHeaders = map[string]bool{
	"Authorization": true, "Content-Type": true, "Content-Length": true, "Host": true, "Transfer-Encoding": true, "Connection": true,
}

// isHeaderName reports whether name is a token (RFC 9110, 5.6.2).
func isHeaderName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune("\"(),/:;<=>?@[\\]{}", c)
	})
}

func isControl(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }

func proxyOf(setting string) (func(*http.Request) (*url.URL, error), error) {
	switch setting {
	case "":
		return nil, nil
	case "environment":
		return http.ProxyFromEnvironment, nil
	}
	u, err := url.Parse(setting)
	if err != nil || u.Host == "" {
		return nil, errors.New(`can't be read: write the proxy's URL, such as http://proxy.example:3128, or "environment"`)
	}
	return http.ProxyURL(u), nil
}

// logNotices returns what logs what becomes of the certificates.
func logNotices(log *zap.Logger) func(tlsconfig.Notice) {
	return func(n tlsconfig.Notice) {
		if n.Kind == tlsconfig.Renewed || n.Kind == tlsconfig.Stapled {
			log.Info(n.String())
			return
		}
		log.Warn(n.String(), zap.Error(n.Err))
	}
}

// Open reads the certificates. It connects to nobody: the partner may be away when the
// engine starts.
func (s *HTTPSender) Open(ctx context.Context) error {
	if s.url.Scheme == "http" && (s.Basic != nil || s.Bearer != "") {
		s.log.Warn("passwords travel in clear text: this sender gives one and has no TLS")
	}
	t := &http.Transport{
		Proxy:                  s.proxy,
		ForceAttemptHTTP2:      true,
		DisableKeepAlives:      s.CloseAfterEach,
		DisableCompression:     true,
		MaxConnsPerHost:        cmp.Or(s.MaxConnections, DefaultMaxConnections),
		MaxIdleConnsPerHost:    cmp.Or(s.MaxConnections, DefaultMaxConnections),
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    cmp.Or(s.Timeout, DefaultSendTimeout),
		MaxResponseHeaderBytes: 256 << 10,
	}
	if s.url.Scheme == "https" {
		var settings tlsconfig.Client
		if s.TLS != nil {
			settings = *s.TLS
		}
		source, err := settings.Open(ctx)
		if err != nil {
			return engine.InField("tls", err)
		}
		for _, w := range source.Warnings() {
			s.log.Warn(w)
		}
		source.Watch(logNotices(s.log))
		s.source, t.TLSClientConfig = source, source.ConfigFor(s.url.Hostname())
	}
	s.client = &http.Client{Transport: t, CheckRedirect: s.checkRedirect}
	return nil
}

func (s *HTTPSender) checkRedirect(r *http.Request, via []*http.Request) error {
	if !s.FollowRedirects || len(via) > 5 || r.Method != http.MethodPost || r.URL.Host != s.url.Host || r.URL.Scheme != s.url.Scheme {
		return http.ErrUseLastResponse
	}
	return nil
}

// Close closes the connections that are kept open.
func (s *HTTPSender) Close() error {
	if s.client != nil {
		s.client.CloseIdleConnections()
	}
	if s.source == nil {
		return nil
	}
	return s.source.Close()
}

// Send sends m and returns the partner's reply. It fails unless the partner has
// accepted m, with the reply beside the error where there was one.
func (s *HTTPSender) Send(ctx context.Context, m *engine.Message) (engine.Reply, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, cmp.Or(s.Timeout, DefaultSendTimeout), engine.ErrTimeout)
	defer cancel()
	var wrote atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteHeaders: func() { wrote.Store(true) },
	})
	r, err := s.request(ctx, m)
	if err != nil {
		return engine.Reply{}, err
	}
	resp, err := s.client.Do(r)
	if err != nil {
		return engine.Reply{}, explainFailure(ctx, err, wrote.Load())
	}
	defer resp.Body.Close()
	limit := int64(cmp.Or(s.ReplyLimit, DefaultReplyLimit))
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return engine.Reply{}, explainFailure(ctx, err, true)
	}
	if int64(len(body)) > limit {
		return engine.Reply{}, fmt.Errorf("%w: the reply is larger than %v", engine.ErrNoAcknowledgement, engine.Size(limit))
	}
	reply := engine.Reply{Body: body, ContentType: resp.Header.Get("Content-Type")}
	err = s.read(m, resp, &reply)
	return reply, err
}

func (s *HTTPSender) request(ctx context.Context, m *engine.Message) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url.String(), bytes.NewReader(m.Body()))
	if err != nil {
		return nil, err
	}
	for name, value := range s.Headers {
		r.Header.Set(name, value.Reveal())
	}
	if r.Header.Get("User-Agent") == "" {
		r.Header.Set("User-Agent", "Ladle")
	}
	r.Header.Set("Content-Type", s.contentType(m))
	switch {
	case s.Basic != nil:
		r.SetBasicAuth(s.Basic.User, s.Basic.Password.Reveal())
	case s.Bearer != "":
		r.Header.Set("Authorization", "Bearer "+s.Bearer.Reveal())
	}
	return r, nil
}

func (s *HTTPSender) contentType(m *engine.Message) string {
	t := cmp.Or(s.ContentType, s.format.ContentType())
	_, came, err := mime.ParseMediaType(m.ContentType)
	if err != nil || came["charset"] == "" {
		return t
	}
	media, params, err := mime.ParseMediaType(t)
	if err != nil || params["charset"] != "" {
		return t
	}
	params["charset"] = came["charset"]
	return mime.FormatMediaType(media, params)
}

// explainFailure says what an exchange without a reply means for the message.
func explainFailure(ctx context.Context, err error, wrote bool) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // its text repeats the URL
	}
	switch {
	case errors.Is(context.Cause(ctx), engine.ErrTimeout), errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w: %w", engine.ErrTimeout, err)
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	case wrote:
		return fmt.Errorf("%w: the connection ended before one came: %w", engine.ErrNoAcknowledgement, err)
	}
	return fmt.Errorf("%w: %w", engine.ErrUnreachable, err)
}

// read fills reply's class from what has come back, and fails unless the partner has
// accepted m.
func (s *HTTPSender) read(m *engine.Message, resp *http.Response, reply *engine.Reply) error {
	ok := resp.StatusCode >= 200 && resp.StatusCode < 300
	failure := fmt.Errorf("%w: HTTP status %d", engine.ErrPartnerStatus, resp.StatusCode)
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		failure = fmt.Errorf("%w, a redirect that is not followed", failure)
	}
	if after, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && after > 0 {
		failure = engine.RetryAfter(failure, min(time.Duration(after)*time.Second, time.Hour))
	}
	if s.Acknowledgement == AcknowledgementStatus || s.Acknowledgement == AcknowledgementNone {
		if !ok {
			reply.Class = engine.Unavailable
			return failure
		}
		reply.Class, reply.Unconfirmed = engine.Accepted, s.Acknowledgement == AcknowledgementNone
		return nil
	}
	wants := s.Acknowledgement.wants(m.Body())
	answer, err := s.format.ReadAnswer(m, reply.Body)
	switch {
	case err != nil && ok && errors.Is(err, engine.ErrNoAcknowledgement) && (wants == nothing || wants == errorsAlone):
		// Silence would be enough, and here the status says the rest.
		reply.Class, reply.Unconfirmed = engine.Accepted, wants == nothing
		return nil
	case err != nil:
		reply.Class = engine.Unavailable
		if !ok && errors.Is(err, engine.ErrNoAcknowledgement) {
			return failure
		}
		return err
	}
	reply.Class = answer.Class
	if err := refusal(answer.Class); err != nil {
		return err
	}
	switch {
	case !ok: // it says yes and no: that is no yes
		reply.Class = engine.Unavailable
		return failure
	case wants == application && isCommitAccept(reply.Body):
		reply.Class = engine.Unavailable
		return errCommitAlone
	}
	return nil
}

var (
	_ engine.Sender   = (*HTTPSender)(nil)
	_ engine.Preparer = (*HTTPSender)(nil)
	_ engine.Opener   = (*HTTPSender)(nil)
)
