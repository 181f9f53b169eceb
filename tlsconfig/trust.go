package tlsconfig

import (
	"crypto/fips140"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Trust says which peers to believe. It has three knobs, as IHE ITI-19 asks:
//
//   - certification authorities: the system's (System), those in files (CAFiles), or
//     both;
//   - pinned certificates (Thumbprints);
//   - the host name (AnyName turns its check off).
//
// With pins alone, one of them must be the peer's own certificate; there is no chain and
// no name to check, only the dates. With authorities alone, the peer's certificate must
// lead to one of them, and a server's must be for the name that was called. With both,
// both must hold.
//
// The zero value trusts the system's authorities when it is a client's, and nobody when
// it is a server's: the web's authorities say nothing of who may be a client.
type Trust struct {
	// System trusts the authorities of the operating system. It is implied where a
	// client's Trust says nothing else.
	System bool `yaml:"system"`
	// CAFiles are files with certificates of authorities, in PEM or DER. The very
	// certificate of a partner that signed its own will do, too.
	CAFiles []string `yaml:"ca" ladle:"path"`
	// Thumbprints pin certificates: any of them will do, so that two can stand here
	// while a partner changes over. SHA-256 is the kind to pin by.
	Thumbprints []Thumbprint `yaml:"thumbprints"`
	// AnyName leaves the host name unchecked.
	AnyName bool `yaml:"any-name"`
	// Names are those that a client's certificate may be for: its common name, its whole
	// subject, or one of its alternative names (host name, e-mail address, URI, IP
	// address). Empty allows all that are trusted otherwise. A server's name is checked
	// against the one that is called.
	Names []string `yaml:"names"`
	// CRLFiles are revocation lists, in PEM or DER, for the authorities of System and
	// CAFiles. A certificate is then refused when its authority has no list here that is in
	// force, or has revoked it. The files are read again when they change.
	CRLFiles []string `yaml:"crl" ladle:"path"`
	// OCSP says what is asked of the OCSP response that a peer shows with its certificate,
	// for the authorities of System and CAFiles. The default is that none is looked at.
	// Where one is, no session is resumed, so that each connection shows a new one.
	OCSP OCSPCheck `yaml:"ocsp"`
	// Insecure believes everybody. It is for tests, and warns at every start.
	Insecure bool `yaml:"insecure"`
}

// Validate reads the files and reports every mistake, as [FieldError]s.
func (t Trust) Validate() error {
	_, err := t.compile(false)
	return err
}

func (t Trust) empty() bool {
	return !t.System && len(t.CAFiles) == 0 && len(t.Thumbprints) == 0 && len(t.Names) == 0 && len(t.CRLFiles) == 0 && t.OCSP == OCSPNone && !t.Insecure
}

// verifier decides whether to believe a peer.
type verifier struct {
	Trust
	roots  *x509.CertPool // nil when no authority is asked
	client bool           // the peer is a client
	lists  *revocations   // nil for none
	name   string         // of the server that is called
}

// compile reads the files of t. peerIsClient says whose trust it is.
func (t Trust) compile(peerIsClient bool) (*verifier, error) {
	v := &verifier{Trust: t, client: peerIsClient}
	var errs []error
	if t.Insecure && (t.System || len(t.CAFiles) > 0 || len(t.Thumbprints) > 0) {
		errs = append(errs, field("insecure", errors.New("believes everybody, whatever else is set: remove it, or the rest")))
	}
	for i, p := range t.Thumbprints {
		if _, err := ParseThumbprint(string(p)); err != nil {
			errs = append(errs, field(fmt.Sprintf("thumbprints[%d]", i), err))
		} else if len(p.String()) == 2*sha1.Size && fips140.Enforced() {
			errs = append(errs, field(fmt.Sprintf("thumbprints[%d]", i), fmt.Errorf("%w to trust by in FIPS 140-3 mode: it is one of SHA-1: take the SHA-256 thumbprint", ErrUnsupported)))
		}
	}
	if t.System || t.empty() && !peerIsClient {
		roots, err := x509.SystemCertPool()
		if err != nil {
			errs = append(errs, field("system", fmt.Errorf("the system's authorities can't be read: %w", err)))
		} else {
			v.roots = roots
		}
	}
	if v.roots == nil && len(t.CAFiles) > 0 {
		v.roots = x509.NewCertPool()
	}
	for i, file := range t.CAFiles {
		certs, err := readCertificates(file)
		if err != nil {
			errs = append(errs, field(fmt.Sprintf("ca[%d]", i), err))
			continue
		}
		for _, c := range certs {
			v.roots.AddCert(c)
		}
	}
	if len(t.Names) > 0 {
		switch {
		case !peerIsClient:
			errs = append(errs, field("names", errors.New("are those of clients: the name of a server is checked against the one that is called, or set as server-name")))
		case v.roots == nil && len(t.Thumbprints) == 0 && len(errs) == 0:
			errs = append(errs, field("names", errors.New("anybody can write a name into a certificate: say by ca or thumbprints who vouches for it")))
		}
	}
	if len(t.CRLFiles) > 0 {
		if v.roots == nil && len(errs) == 0 {
			errs = append(errs, field("crl", errors.New("says what authorities have revoked, and none is trusted: name it as ca")))
		}
		var err error
		v.lists, err = readRevocations(t.CRLFiles)
		errs = append(errs, err)
	}
	errs = append(errs, t.OCSP.compile(v.roots != nil || len(errs) > 0))
	return v, errors.Join(errs...)
}

// verify is the VerifyConnection of a tls.Config: it is called for every connection,
// the resumed ones among them.
func (v *verifier) verify(cs tls.ConnectionState) error {
	if v.Insecure {
		return nil
	}
	if len(cs.PeerCertificates) == 0 {
		return ErrNoPeerCertificate
	}
	leaf := cs.PeerCertificates[0]
	if len(v.Thumbprints) > 0 {
		if !slices.ContainsFunc(v.Thumbprints, func(t Thumbprint) bool { return t.Matches(leaf) }) {
			return fmt.Errorf("%w: its thumbprint is none of the %d that are pinned: it has SHA-256 %s", ErrNotTrusted, len(v.Thumbprints), SHA256(leaf))
		}
		if err := checkDates(leaf, time.Now()); err != nil {
			return fmt.Errorf("%w: %w", ErrNotTrusted, err)
		}
	}
	if err := checkApproved(leaf); err != nil {
		return err
	}
	if v.roots == nil {
		if len(v.Thumbprints) == 0 {
			return fmt.Errorf("%w: nothing is trusted here", ErrNotTrusted)
		}
		return v.verifyName(leaf)
	}
	if err := v.verifyChain(cs, leaf); err != nil {
		return err
	}
	return v.verifyName(leaf)
}

// verifyName compares a client's certificate with the names that are allowed.
func (v *verifier) verifyName(leaf *x509.Certificate) error {
	if len(v.Names) == 0 {
		return nil
	}
	names := []string{leaf.Subject.CommonName, leaf.Subject.String()}
	names = append(append(names, leaf.DNSNames...), leaf.EmailAddresses...)
	for _, u := range leaf.URIs {
		names = append(names, u.String())
	}
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	for _, allowed := range v.Names {
		if allowed != "" && slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, allowed) }) {
			return nil
		}
	}
	return fmt.Errorf("%w: it is for %s, which is none of the %d names that are allowed", ErrNotTrusted, leaf.Subject, len(v.Names))
}

func (v *verifier) verifyChain(cs tls.ConnectionState, leaf *x509.Certificate) error {
	opts := x509.VerifyOptions{Roots: v.roots, Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if v.client {
		opts.KeyUsages = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	for _, c := range cs.PeerCertificates[1:] {
		opts.Intermediates.AddCert(c)
	}
	chains, err := leaf.Verify(opts)
	if err != nil {
		return explainChain(leaf, err)
	}
	chain, err := approvedChain(chains)
	if err != nil {
		return err
	}
	if v.lists != nil {
		if err := v.lists.check(chain, time.Now()); err != nil {
			return err
		}
	}
	if err := v.OCSP.check(chain, cs, time.Now()); err != nil {
		return err
	}
	if v.client || v.AnyName {
		return nil
	}
	name := v.name
	if name == "" {
		name = cs.ServerName
	}
	if name == "" {
		return fmt.Errorf("%w: no name to check it against: set server-name", ErrNotTrusted)
	}
	if err := leaf.VerifyHostname(name); err != nil {
		return fmt.Errorf("%w: it is for %s, and %q was called: call it by a name that it is for, or set server-name: %w", ErrNotTrusted, certificateNames(leaf), name, err)
	}
	return nil
}

func explainChain(leaf *x509.Certificate, err error) error {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return fmt.Errorf("%w: unknown authority %q: to trust the authority, name its file as ca; to trust this very certificate, pin its thumbprint, SHA-256 %s, once the partner has confirmed it: %w",
			ErrNotTrusted, leaf.Issuer, SHA256(leaf), err)
	}
	if i, ok := errors.AsType[x509.CertificateInvalidError](err); ok && i.Reason == x509.Expired {
		if dates := checkDates(leaf, time.Now()); dates != nil {
			return fmt.Errorf("%w: %w: %w", ErrNotTrusted, dates, err)
		}
	}
	return fmt.Errorf("%w: %w", ErrNotTrusted, err)
}

func checkDates(c *x509.Certificate, now time.Time) error {
	switch {
	case now.After(c.NotAfter):
		return fmt.Errorf("%w, on %s", ErrExpired, c.NotAfter.Format(time.DateOnly))
	case now.Before(c.NotBefore):
		return fmt.Errorf("%w, but from %s on: is the clock right?", ErrNotYetValid, c.NotBefore.Format(time.DateOnly))
	}
	return nil
}

func certificateNames(c *x509.Certificate) string {
	names := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return "no host name at all"
	}
	if len(names) > 10 {
		names = append(names[:10], "and others")
	}
	return strings.Join(names, ", ")
}
