package tlsconfig

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A Probe connects to a port as a partner would, and says what there is: see
// [Probe.Run]. The zero value trusts what a client with a zero [Trust] does.
type Probe struct {
	// Trust is held against the certificate that is shown.
	Trust Trust
	// ServerName is the name that the certificate must be for. The default is the host of
	// the address.
	ServerName string
	// Timeout bounds each connection. The default is 5 seconds.
	Timeout time.Duration
}

// A Report is what a [Probe] has found.
type Report struct {
	Address string
	// Speaks is "TLS", "HTTP" for HTTP without TLS, "MLLP" for MLLP without TLS, "other"
	// for what is neither, or "" when nobody was reached.
	Speaks string
	// Versions are the versions of TLS that are spoken, oldest first.
	Versions []string
	// Chain are the certificates that were shown, the server's own first.
	Chain []*x509.Certificate
	// DaysLeft is how long the server's certificate is valid yet.
	DaysLeft int
	// Trusted reports whether the Trust believes the server, name included; Untrusted says
	// why it doesn't.
	Trusted   bool
	Untrusted error
	// BySystem reports whether the authorities of this system vouch for the certificate,
	// and NameMatches whether it is for the name.
	BySystem, NameMatches bool
	// ClientCertificate reports whether the server asks for one, and ClientRequired whether
	// it insists.
	ClientCertificate, ClientRequired bool
	// Problems are what a partner would have against it, each with what to do.
	Problems []error
}

// ErrNotReached: nobody was reached at the address.
var ErrNotReached = errors.New("nobody was reached")

// Run connects several times to address, host and port, and shakes hands in the ways that
// partners do. It sends nothing that a receiver would take for a message. It blocks for a
// few times the Timeout at most. What is wrong is in the report.
func (p Probe) Run(ctx context.Context, address string) *Report {
	r := &Report{Address: address}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		r.problem(fmt.Errorf("%w: %q is no address: write host:port, such as lab.example:8443", ErrNotReached, address))
		return r
	}
	v, err := p.Trust.compile(false)
	if err != nil {
		r.problem(inField("trust", err))
		return r
	}
	v.name = cmp.Or(p.ServerName, host)
	state, err := p.shake(ctx, r, v.name, &tls.Config{})
	if err != nil {
		r.explain(ctx, p, err)
		return r
	}
	r.Speaks, r.Chain = "TLS", state.PeerCertificates
	r.versions(ctx, p, v.name)
	if len(r.Chain) > 0 {
		r.examine(v, state)
	}
	return r
}

func (r *Report) problem(err error) { r.Problems = append(r.Problems, err) }

func (p Probe) dial(ctx context.Context, address string) (net.Conn, error) {
	timeout := cmp.Or(p.Timeout, 5*time.Second)
	c, err := (&net.Dialer{Timeout: timeout}).DialContext(ctx, "tcp", address)
	if err == nil {
		err = c.SetDeadline(time.Now().Add(timeout))
	}
	return c, err
}

// shake shakes hands and believes everything: what is shown is looked at afterwards.
func (p Probe) shake(ctx context.Context, r *Report, name string, config *tls.Config) (tls.ConnectionState, error) {
	raw, err := p.dial(ctx, r.Address)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer raw.Close()
	config.InsecureSkipVerify, config.ServerName = true, name
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		r.ClientCertificate = true
		return new(tls.Certificate), nil
	}
	c := tls.Client(raw, config)
	if err := c.HandshakeContext(ctx); err != nil {
		return tls.ConnectionState{}, err
	}
	state := c.ConnectionState()
	if r.ClientCertificate {
		// In TLS 1.3 the refusal comes after the handshake.
		_ = raw.SetReadDeadline(time.Now().Add(cmp.Or(p.Timeout, 5*time.Second) / 5))
		_, err := c.Read(make([]byte, 1))
		if alert, ok := errors.AsType[tls.AlertError](err); ok && (alert == alertCertificateRequired || alert == alertBadCertificate) {
			r.ClientRequired = true
		} else if _, ok := errors.AsType[*net.OpError](err); ok && strings.Contains(err.Error(), "certificate") {
			r.ClientRequired = true
		}
	}
	return state, nil
}

const (
	alertBadCertificate      tls.AlertError = 42
	alertCertificateRequired tls.AlertError = 116
)

var errClientRequired = errors.New("the server wants a certificate of the client: name one to be let in")

// explain says why there was no handshake.
func (r *Report) explain(ctx context.Context, p Probe, err error) {
	if header, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		r.plain(header.RecordHeader[:])
		return
	}
	dns, isDNS := errors.AsType[*net.DNSError](err)
	switch {
	case isDNS && dns.IsNotFound:
		r.problem(fmt.Errorf("%w: the host name is unknown: check its spelling, and the name server of this computer", ErrNotReached))
		return
	case errors.Is(err, syscall.ECONNREFUSED):
		r.problem(fmt.Errorf("%w: nothing listens on the port: the receiver isn't running, or uses another one", ErrNotReached))
		return
	}
	if strings.Contains(err.Error(), "tls: ") && !isTimeout(err) {
		r.refused(p, err)
		return
	}
	// Somebody may be there who doesn't answer to TLS.
	c, dialErr := p.dial(ctx, r.Address)
	if dialErr != nil {
		if errors.Is(dialErr, os.ErrDeadlineExceeded) || isTimeout(dialErr) {
			r.problem(fmt.Errorf("%w: no answer at all: a firewall on the way drops it, or the address is wrong", ErrNotReached))
		} else {
			r.problem(fmt.Errorf("%w: %w", ErrNotReached, dialErr))
		}
		return
	}
	defer c.Close()
	first := make([]byte, 5)
	if _, err := c.Write([]byte("HEAD / HTTP/1.0\r\n\r\n")); err == nil {
		if n, _ := c.Read(first); n > 0 {
			r.plain(first[:n])
			return
		}
	}
	r.Speaks = "other"
	r.problem(errors.New("somebody listens, and answers neither to TLS nor to HTTP: it may be MLLP without TLS, or a receiver that is held up"))
}

// refused says why a server that speaks TLS makes no handshake.
func (r *Report) refused(p Probe, err error) {
	r.Speaks = "TLS"
	remote, ok := errors.AsType[*net.OpError](err)
	switch {
	case !ok || remote.Op != "remote error": // an alert, whose type crypto/tls keeps to itself
		r.problem(fmt.Errorf("the handshake fails: %w", err))
	case r.ClientCertificate:
		r.ClientRequired = true
		r.problem(errClientRequired)
	case strings.Contains(err.Error(), "unrecognized name"):
		host, _, _ := net.SplitHostPort(r.Address)
		r.problem(fmt.Errorf("the server has no certificate for %q: bind one to it there, or call it by a name that it has one for", cmp.Or(p.ServerName, host)))
	default:
		r.problem(fmt.Errorf("the server refuses the handshake: its log says why; it may speak only versions or suites that are not safe: %w", err))
	}
}

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

// plain says what answers without TLS.
func (r *Report) plain(first []byte) {
	switch {
	case bytes.HasPrefix(first, []byte("HTTP/")):
		r.Speaks = "HTTP"
		r.problem(errors.New("HTTP without TLS: what travels can be read on the way: give the receiver a certificate, or call it as http"))
	case len(first) > 0 && first[0] == 0x0b:
		r.Speaks = "MLLP"
		r.problem(errors.New("MLLP without TLS: what travels can be read on the way: give the receiver a certificate, or call it without TLS"))
	default:
		r.Speaks = "other"
		r.problem(errors.New("something else than TLS answers: check the port"))
	}
}

// versions shakes hands in each version.
func (r *Report) versions(ctx context.Context, p Probe, name string) {
	for _, v := range []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13} {
		config := &tls.Config{MinVersion: v, MaxVersion: v}
		if v < tls.VersionTLS12 {
			for _, s := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
				config.CipherSuites = append(config.CipherSuites, s.ID)
			}
		}
		if _, err := p.shake(ctx, r, name, config); err == nil {
			r.Versions = append(r.Versions, tls.VersionName(v))
			if v < tls.VersionTLS12 {
				r.problem(fmt.Errorf("%w: it speaks %s, which is not safe (RFC 8996): switch that off", ErrWeak, tls.VersionName(v)))
			}
		}
	}
}

// examine looks at the certificate.
func (r *Report) examine(v *verifier, state tls.ConnectionState) {
	leaf := r.Chain[0]
	r.DaysLeft = int(time.Until(leaf.NotAfter).Hours() / 24)
	r.NameMatches = leaf.VerifyHostname(v.name) == nil
	pool := x509.NewCertPool()
	for _, c := range r.Chain[1:] {
		pool.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Intermediates: pool})
	r.BySystem = err == nil
	if r.Untrusted = v.verify(state); r.Untrusted == nil {
		r.Trusted = true
	} else {
		r.problem(r.Untrusted)
	}
	if !r.NameMatches && r.Trusted {
		r.problem(fmt.Errorf("the certificate is for %s, and %q was called: partners that check the name refuse it", certificateNames(leaf), v.name))
	}
	for _, problem := range Problems(leaf, time.Now(), ForServer) {
		if !errors.Is(r.Untrusted, ErrExpired) || !errors.Is(problem, ErrExpired) {
			r.problem(problem)
		}
	}
	if r.DaysLeft >= 0 && r.DaysLeft < int(soon.Hours()/24) {
		r.problem(fmt.Errorf("the certificate ends in %d days: renew it", r.DaysLeft))
	}
	for i, c := range r.Chain {
		if i > 0 && isSelfSigned(c) {
			r.problem(errors.New("the chain has the root in it, which partners have by themselves: leave it away"))
		}
	}
	if _, unknown := errors.AsType[x509.UnknownAuthorityError](r.Untrusted); unknown && len(r.Chain) == 1 && !isSelfSigned(leaf) {
		r.problem(errors.New("the chain has no intermediate certificate: partners that don't have it can't get from the certificate to its root: put it into the server's file"))
	}
	if r.ClientRequired {
		r.problem(errClientRequired)
	}
}

// String returns the report in plain words, a line for each thing.
func (r *Report) String() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	speaks := map[string]string{"": "nobody was reached", "TLS": "speaks TLS", "HTTP": "speaks HTTP without TLS", "MLLP": "speaks MLLP without TLS", "other": "speaks something else"}
	line("%s %s", r.Address, speaks[r.Speaks])
	if len(r.Versions) > 0 {
		line("versions: %s", strings.Join(r.Versions, ", "))
	}
	for i, c := range r.Chain {
		what := "certificate"
		if i > 0 {
			what = "  signed by"
		}
		line("%s: %s, %s to %s", what, c.Subject, c.NotBefore.UTC().Format(time.DateOnly), c.NotAfter.UTC().Format(time.DateOnly))
	}
	if len(r.Chain) > 0 {
		leaf := r.Chain[0]
		line("thumbprints: SHA-1 %s, SHA-256 %s", SHA1(leaf), SHA256(leaf))
		line("names: %s", certificateNames(leaf))
		yes := map[bool]string{true: "yes", false: "no"}
		line("days left: %d; for this name: %s; vouched for by this system's authorities: %s; trusted as set: %s", r.DaysLeft, yes[r.NameMatches], yes[r.BySystem], yes[r.Trusted])
	}
	if r.ClientCertificate {
		line("client certificate: %s", map[bool]string{true: "required", false: "asked for"}[r.ClientRequired])
	}
	for _, p := range r.Problems {
		line("problem: %v", p)
	}
	if len(r.Problems) == 0 {
		line("all is well")
	}
	return b.String()
}
