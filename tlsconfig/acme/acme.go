package acme

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ladlehq/ladle/tlsconfig"
	xacme "golang.org/x/crypto/acme"
)

// LetsEncrypt is the directory of Let's Encrypt.
const LetsEncrypt = xacme.LetsEncryptURL

// maxDomains is how many names Let's Encrypt puts into one certificate.
const maxDomains = 100

// An Issuer gets one certificate for its domains by ACME, and renews it. It implements
// [tlsconfig.Issuer]. The zero value lacks the domains, the storage and the agreement. It
// may be opened several times, and must not be changed meanwhile.
type Issuer struct {
	// Domains are the host names that the certificate is for, each of which the authority
	// must reach. At least one is required, and 100 are allowed. In a file one stands for a
	// list of one.
	Domains []string `yaml:"domains"`
	// AcceptTerms says that you agree to the authority's terms of service. It must be true.
	AcceptTerms bool `yaml:"accept-terms"`
	// Storage is the folder that keeps the account's key and the certificates. It is
	// required, and made when it isn't there.
	Storage string `yaml:"storage" ladle:"path"`
	// Email is where the authority writes to when there is something to say. It is told
	// when the account is made. The default is none.
	Email string `yaml:"email"`
	// HTTPAddress is the TCP address to listen on for HTTP-01, such as ":80". The authority
	// calls port 80, which must lead there. The default is that nothing listens, and that
	// proofs are given by TLS-ALPN-01 on the server's own port.
	HTTPAddress string `yaml:"http-address"`
	// HTTPListener, when it isn't nil, is listened on in place of HTTPAddress. It is closed
	// with what was opened, so that the Issuer can be opened once.
	HTTPListener net.Listener `yaml:"-"`
	// Directory is the address of the authority's directory. The default is [LetsEncrypt].
	Directory string `yaml:"directory"`
	// DirectoryCA is a PEM file with the authority that has signed the certificate of the
	// Directory's own HTTPS server, as private ones need. It alone is believed there. The
	// default is the authorities of the system.
	DirectoryCA string `yaml:"directory-ca" ladle:"path"`
	// RenewBefore is how long before its end a certificate is renewed, and never more than
	// half of its life. The default is a third of its life: 30 days of 90.
	RenewBefore time.Duration `yaml:"renew-before"`
	// EAB binds the account to one that you have with the authority already. Some demand it.
	EAB ExternalAccount `yaml:"eab"`

	// firstRetry stands for the constant of that name in tests.
	firstRetry time.Duration
}

// An ExternalAccount is an account with an authority that was made outside ACME (RFC 8555,
// 7.3.4). The zero value is none.
type ExternalAccount struct {
	// KeyID names the account.
	KeyID string `yaml:"key-id"`
	// HMAC is the key that the authority has given with it, in base64.
	HMAC tlsconfig.Secret `yaml:"hmac"`
}

var _ tlsconfig.Issuer = (*Issuer)(nil)

// Register makes Issuer known as acme, so that a workflow file can name it. Give it an
// engine.Registry, of which this package knows no more than is said here.
func Register(r interface {
	RegisterType(iface reflect.Type, kind, name string, t reflect.Type) error
}) error {
	return r.RegisterType(reflect.TypeFor[tlsconfig.Issuer](), "issuer", "acme", reflect.TypeFor[Issuer]())
}

// Validate reports every mistake in the settings, as [tlsconfig.FieldError]s. It asks
// nobody, and reads DirectoryCA alone.
func (i *Issuer) Validate() error {
	var errs []error
	wrong := func(name, format string, args ...any) {
		errs = append(errs, inField(name, fmt.Errorf(format, args...)))
	}
	if len(i.Domains) == 0 {
		wrong("domains", "missing: name the host names that the certificate is for")
	}
	if len(i.Domains) > maxDomains {
		wrong("domains", "%d names are too many for one certificate: %d are allowed", len(i.Domains), maxDomains)
	}
	seen := make(map[string]bool)
	for n, d := range i.Domains {
		name := fmt.Sprintf("domains[%d]", n)
		if err := i.validDomain(d); err != nil {
			errs = append(errs, inField(name, err))
		} else if seen[strings.ToLower(d)] {
			wrong(name, "%q is named twice", d)
		}
		seen[strings.ToLower(d)] = true
	}
	if !i.AcceptTerms {
		wrong("accept-terms", "an authority gives certificates to those who agree to its terms: read them, and write accept-terms: true")
	}
	if err := i.validStorage(); err != nil {
		errs = append(errs, inField("storage", err))
	}
	if a, err := mail.ParseAddress(i.Email); i.Email != "" && (err != nil || a.Address != i.Email) {
		wrong("email", `%q is no address: write for example it@lab.example`, i.Email)
	}
	if i.HTTPAddress != "" {
		if err := validAddress(i.HTTPAddress); err != nil {
			errs = append(errs, inField("http-address", err))
		}
	}
	if err := validDirectory(i.directory()); err != nil {
		errs = append(errs, inField("directory", err))
	}
	if _, err := i.roots(); err != nil {
		errs = append(errs, inField("directory-ca", err))
	}
	if i.RenewBefore < 0 {
		wrong("renew-before", "a time can't be negative: leave it out for a third of the certificate's life")
	}
	switch {
	case i.EAB.KeyID == "" && i.EAB.HMAC != "":
		wrong("eab.key-id", "missing: the authority gives it together with the key")
	case i.EAB.KeyID != "" && i.EAB.HMAC == "":
		wrong("eab.hmac", "missing: the authority gives it together with the key id")
	case i.EAB.HMAC != "":
		if _, err := i.EAB.key(); err != nil {
			errs = append(errs, inField("eab.hmac", err))
		}
	}
	return errors.Join(errs...)
}

// Open makes the storage and opens HTTPAddress, reads what is stored, and asks the
// authority for nothing. Errors are [tlsconfig.FieldError]s. The end of ctx ends nothing
// that was opened.
func (i *Issuer) Open(ctx context.Context) (tlsconfig.Issued, error) {
	if err := i.Validate(); err != nil {
		return nil, err
	}
	s := &issued{
		settings: *i,
		retry:    cmp.Or(i.firstRetry, firstRetry),
		tokens:   make(map[string]string),
		proofs:   make(map[string]*tls.Certificate),
	}
	for _, d := range i.Domains {
		s.names = append(s.names, strings.ToLower(d))
	}
	s.settings.Domains = s.names
	if err := s.restore(); err != nil {
		return nil, inField("storage", err)
	}
	if i.HTTPAddress != "" || i.HTTPListener != nil {
		if err := s.listen(ctx); err != nil {
			return nil, inField("http-address", err)
		}
	}
	return s, nil
}

func (i *Issuer) directory() string { return cmp.Or(i.Directory, LetsEncrypt) }

// roots returns whom to believe that it is the directory, and nil for the system's.
func (i *Issuer) roots() (*x509.CertPool, error) {
	if i.DirectoryCA == "" {
		return nil, nil
	}
	info, err := os.Stat(i.DirectoryCA)
	if err == nil && info.Size() > maxStored {
		return nil, fmt.Errorf("%s is larger than %d bytes: that is no certificate file", i.DirectoryCA, maxStored)
	}
	raw, err := os.ReadFile(i.DirectoryCA)
	if err != nil {
		return nil, fmt.Errorf("can't read %s: %w", i.DirectoryCA, errors.Unwrap(err))
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(raw) {
		return nil, fmt.Errorf("%s: there is no certificate in it: name a PEM file, with a line -----BEGIN CERTIFICATE-----", i.DirectoryCA)
	}
	return pool, nil
}

// key returns the bytes of the key. Authorities write them in base64 of either alphabet.
// The error doesn't show them.
func (e ExternalAccount) key() ([]byte, error) {
	text := strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(strings.TrimSpace(e.HMAC.Reveal()), "="))
	key, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("is not in base64: copy the key as the authority has given it")
	}
	return key, nil
}

// label is a part of a host name (RFC 1123, 2.1).
var label = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)

func (i *Issuer) validDomain(d string) error {
	if _, err := netip.ParseAddr(strings.Trim(d, "[]")); err == nil {
		return fmt.Errorf("%q is an IP address, and certificates are got for names: write the name that partners call", d)
	}
	if strings.Contains(d, "*") {
		return fmt.Errorf("%q: a wildcard can be proven by DNS-01 alone, which is not supported: write each name, or use a certificate from a file", d)
	}
	if strings.ContainsFunc(d, func(r rune) bool { return r > 127 }) {
		return fmt.Errorf("%q has letters outside ASCII: write its punycode, which begins with xn--, as xn--mller-kva.example for müller.example", d)
	}
	if strings.ContainsAny(d, ":/") {
		return fmt.Errorf("%q is no host name: write it without a scheme, port or path", d)
	}
	labels := strings.Split(d, ".")
	if len(d) > 253 || slices.ContainsFunc(labels, func(l string) bool { return !label.MatchString(l) }) {
		return fmt.Errorf("%q is no host name: write for example lab.example.org", d)
	}
	if len(labels) == 1 && i.directory() == LetsEncrypt {
		return fmt.Errorf("%q is a name of a private network, for which Let's Encrypt gives nothing: write the public name, or name an authority of your own as directory", d)
	}
	return nil
}

func (i *Issuer) validStorage() error {
	if i.Storage == "" {
		return errors.New("missing: name a folder that keeps the account's key and the certificates")
	}
	if info, err := os.Stat(i.Storage); err == nil && !info.IsDir() {
		return fmt.Errorf("%s is a file: name a folder", i.Storage)
	}
	return nil
}

func validAddress(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf(`%q is no address to listen on: write ":80", or "10.0.0.5:80" for one address of the machine`, address)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("%q is no port: ports go from 1 to 65535, and 0 lets the system choose", port)
	}
	return nil
}

func validDirectory(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("%q is no address of a directory: write for example %s", text, LetsEncrypt)
	case u.User != nil:
		return errors.New("an ACME directory takes no user and password in its address: leave them away; an account that you have already is named as eab")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return fmt.Errorf("%q is not encrypted, and anybody on the way could answer for the authority: write https", text)
	}
	return nil
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.IsLoopback()
}

func inField(name string, err error) error { return &tlsconfig.FieldError{Field: name, Err: err} }
