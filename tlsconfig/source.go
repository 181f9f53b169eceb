package tlsconfig

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A Source holds what a [Server] or a [Client] has opened, until it is closed. Its
// methods are safe for concurrent use.
type Source struct {
	config       *tls.Config
	certificates atomic.Pointer[[]tls.Certificate]
	warnings     []string
	verifier     *verifier // of a client
	settings     []Certificate
	staples      staples
	issued       []Issued
	bound        *boundCertificates // nil for none
	generation   atomic.Uint64      // of certificates; each renewal begins one
	reported     map[Thumbprint]int // steps towards the end, by the goroutine that watches

	mu       sync.Mutex
	closed   bool
	retired  []tls.Certificate  // which a handshake may still need
	stop     context.CancelFunc // of watching; nil before
	watching sync.WaitGroup
}

// Config returns settings for crypto/tls that show and believe what was opened. The
// caller may change the copy that it gets. A client that names no ServerName learns from
// crypto/tls which name is called, and not which IP address: use ConfigFor for these.
func (s *Source) Config() *tls.Config { return s.config.Clone() }

// ConfigFor returns a client's settings for calling host, a name or an IP address, which
// the server's certificate must be for unless the client has a ServerName.
func (s *Source) ConfigFor(host string) *tls.Config {
	c := s.Config()
	if s.verifier == nil || c.ServerName != "" {
		return c
	}
	v := *s.verifier
	v.name, c.ServerName, c.VerifyConnection = host, host, v.verify
	return c
}

// Close ends watching and releases the keys, of which those of the Windows store are open.
// Connections that are open live on; with a key of the store none can begin any more. It
// may be called again.
func (s *Source) Close() error {
	s.mu.Lock()
	stop := s.stop
	s.closed = true
	s.mu.Unlock()
	if stop != nil {
		stop()
	}
	s.watching.Wait()
	var errs []error
	for _, c := range slices.Concat(*s.certificates.Load(), s.retired) {
		errs = append(errs, release(c))
	}
	if s.bound != nil {
		for _, row := range *s.bound.rows.Load() {
			errs = append(errs, release(row.pair))
		}
	}
	for _, i := range s.issued {
		errs = append(errs, i.Close())
	}
	return errors.Join(errs...)
}

// capVersion keeps to versions of TLS that every key can sign for.
func (s *Source) capVersion(c *tls.Config) {
	for _, pair := range *s.certificates.Load() {
		if k, ok := pair.PrivateKey.(interface{ MaxVersion() uint16 }); ok && (c.MaxVersion == 0 || c.MaxVersion > k.MaxVersion()) {
			c.MaxVersion = k.MaxVersion()
			s.warnings = append(s.warnings, fmt.Sprintf("%s: the key is in an old provider of Windows, which can't sign for TLS 1.3: 1.2 is the newest that is spoken; import the .pfx file again with a key storage provider", pair.Leaf.Subject))
		}
	}
}

// Warnings are what somebody should know at every start: trust that believes everybody,
// a certificate that ends soon or has ended.
func (s *Source) Warnings() []string { return slices.Clone(s.warnings) }

// Leaves returns the certificates that are shown, without their intermediates.
func (s *Source) Leaves() []*x509.Certificate {
	var all []*x509.Certificate
	for _, c := range *s.certificates.Load() {
		all = append(all, c.Leaf)
	}
	if s.bound != nil {
		for _, row := range *s.bound.rows.Load() {
			all = append(all, row.pair.Leaf)
		}
	}
	for _, i := range s.issued {
		all = append(all, i.Leaves()...)
	}
	return all
}

func (s *Source) load(settings []Certificate, p Purpose) error {
	all, err := loadAll(settings)
	for _, pair := range all {
		s.warnOf(pair.Leaf, time.Now(), p)
	}
	s.settings = settings
	s.certificates.Store(&all)
	return err
}

// soon is how long before its end a certificate is warned of.
const soon = 30 * 24 * time.Hour

func (s *Source) warnOf(c *x509.Certificate, now time.Time, p Purpose) {
	for _, problem := range Problems(c, now, p) {
		s.warnings = append(s.warnings, fmt.Sprintf("%s: %v; partners will refuse it", c.Subject, problem))
	}
	if left := c.NotAfter.Sub(now); left > 0 && left < soon && now.After(c.NotBefore) {
		s.warnings = append(s.warnings, fmt.Sprintf("the certificate %s ends in %d days, on %s: renew it", c.Subject, int(left.Hours()/24), c.NotAfter.Format(time.DateOnly)))
	}
}

func (s *Source) warnAbout(t Trust) {
	if t.Insecure {
		s.warnings = append(s.warnings, "INSECURE: every peer is believed, whatever certificate it shows: this is for tests and never for patients' data")
	}
}

func (s *Source) getCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	for _, i := range s.issued {
		if slices.Contains(i.Names(), strings.ToLower(hello.ServerName)) {
			return i.GetCertificate(hello)
		}
	}
	all := *s.certificates.Load()
	if len(all) == 0 {
		named := *hello
		named.ServerName = s.issued[0].Names()[0]
		return s.issued[0].GetCertificate(&named)
	}
	if len(all) > 1 {
		for i := range all {
			if hello.SupportsCertificate(&all[i]) == nil {
				return &all[i], nil
			}
		}
	}
	return &all[0], nil
}

func (s *Source) getClientCertificate(r *tls.CertificateRequestInfo) (*tls.Certificate, error) {
	all := *s.certificates.Load()
	for i := range all {
		if r.SupportsCertificate(&all[i]) == nil {
			return &all[i], nil
		}
	}
	return &all[0], nil // the server's list of authorities may lack one that it pins
}
