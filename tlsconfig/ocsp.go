package tlsconfig

import (
	"bytes"
	"crypto"
	"crypto/fips140"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"golang.org/x/crypto/ocsp"
)

// An OCSPCheck says what is asked of the OCSP response (RFC 6960) that a peer shows with
// its certificate, its word from the authority that the certificate isn't revoked. It is
// stapled to the handshake (RFC 6066, section 8; RFC 8446, section 4.4.2.1): nobody is
// asked. Clients can show one with TLS 1.3 alone.
type OCSPCheck int

const (
	// OCSPNone looks at no response. In a file: none.
	OCSPNone OCSPCheck = iota
	// OCSPIfStapled looks at one that is shown: it must be good and in force. A peer that
	// shows none is accepted, unless its certificate says that there always is one (RFC
	// 7633). In a file: check.
	OCSPIfStapled
	// OCSPRequire accepts only peers that show a good one. In a file: require.
	OCSPRequire
)

var ocspCheckNames = []string{"none", "check", "require"}

func (c OCSPCheck) String() string {
	if c < 0 || int(c) >= len(ocspCheckNames) {
		return fmt.Sprintf("ocsp %d", int(c))
	}
	return ocspCheckNames[c]
}

// UnmarshalText reads "none", "check" or "require".
func (c *OCSPCheck) UnmarshalText(text []byte) error {
	i := slices.Index(ocspCheckNames, string(text))
	if i < 0 {
		return fmt.Errorf("%q is no way to treat OCSP responses: write none, check or require", text)
	}
	*c = OCSPCheck(i)
	return nil
}

// compile checks the setting of a Trust that has authorities, or hasn't.
func (c OCSPCheck) compile(authorities bool) error {
	switch {
	case c < OCSPNone || c > OCSPRequire:
		return field("ocsp", fmt.Errorf("%v is no way to treat OCSP responses: none, check and require are", c))
	case c != OCSPNone && !authorities:
		return field("ocsp", errors.New("is what authorities say of their certificates, and none is trusted: name it as ca, or set system"))
	}
	return nil
}

// check looks at what a peer has stapled to a chain that is believed otherwise.
//
// A session that is resumed holds the response of the handshake that it began with, which
// may have lapsed since: it is held against the clock like a new one.
func (c OCSPCheck) check(chain []*x509.Certificate, cs tls.ConnectionState, now time.Time) error {
	if c == OCSPNone {
		return nil
	}
	leaf, issuer := chain[0], chain[min(1, len(chain)-1)]
	if len(cs.OCSPResponse) == 0 {
		switch {
		case c == OCSPRequire && cs.Version < tls.VersionTLS13:
			return fmt.Errorf("%w: it came without an OCSP response, and trust.ocsp requires one: its operator is to turn OCSP stapling on; a client can do so with TLS 1.3 alone", ErrNotTrusted)
		case c == OCSPRequire:
			return fmt.Errorf("%w: it came without an OCSP response, and trust.ocsp requires one: its operator is to turn OCSP stapling on", ErrNotTrusted)
		case mustStaple(leaf):
			return fmt.Errorf("%w: it came without an OCSP response, and the certificate itself says that there always is one (RFC 7633): its operator is to turn OCSP stapling on", ErrNotTrusted)
		}
		return nil
	}
	if _, err := parseOCSP(cs.OCSPResponse, leaf, issuer, now); err != nil {
		return fmt.Errorf("%w: %w", ErrNotTrusted, err)
	}
	return nil
}

// mustStaple reports whether c says that an OCSP response is always shown with it (RFC
// 7633).
func mustStaple(c *x509.Certificate) bool {
	const statusRequest = 5 // the TLS extension
	for _, e := range c.Extensions {
		var features []int
		if !e.Id.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}) {
			continue
		}
		if _, err := asn1.Unmarshal(e.Value, &features); err == nil && slices.Contains(features, statusRequest) {
			return true
		}
	}
	return false
}

const (
	// clockSkew is how far ahead the clock of a responder may be.
	clockSkew = 5 * time.Minute
	// noNextUpdate is how long a response is in force that doesn't say so.
	noNextUpdate = 24 * time.Hour
)

// errLapsed: a response isn't in force any more.
var errLapsed = errors.New("the OCSP response has lapsed")

// lapses is when a response isn't in force any more.
func lapses(r *ocsp.Response) time.Time {
	if r.NextUpdate.IsZero() {
		return r.ThisUpdate.Add(noNextUpdate)
	}
	return r.NextUpdate
}

// minute is how times of responses are written, which last hours or days.
func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// parseOCSP reads a response in DER, and returns it when it says that leaf, which issuer
// has signed, is good at a time.
func parseOCSP(der []byte, leaf, issuer *x509.Certificate, now time.Time) (*ocsp.Response, error) {
	r, err := ocsp.ParseResponseForCert(der, leaf, nil)
	if e, ok := errors.AsType[ocsp.ResponseError](err); ok {
		return nil, fmt.Errorf("the OCSP responder has refused to answer (%v): ask the certificate's authority %q", e.Status, issuer.Subject)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: the OCSP response can't be read, or is about another certificate: fetch the one of serial number %x: %w", ErrUnsupported, leaf.SerialNumber, err)
	}
	if !isAbout(r, leaf, issuer) {
		return nil, fmt.Errorf("the OCSP response is about another certificate: fetch the one of serial number %x by %q", leaf.SerialNumber, issuer.Subject)
	}
	if err := checkResponder(r, issuer, now); err != nil {
		return nil, err
	}
	switch end := lapses(r); {
	case r.ThisUpdate.After(now.Add(clockSkew)):
		return nil, fmt.Errorf("the OCSP response is not in force before %s: is the clock right?", minute(r.ThisUpdate))
	case r.Status == ocsp.Revoked:
		return nil, fmt.Errorf("%w by %q on %s, says its OCSP response: a new certificate is needed, with a new key", ErrRevoked, issuer.Subject, r.RevokedAt.UTC().Format(time.DateOnly))
	case !end.After(now):
		return nil, fmt.Errorf("%w on %s: a new one is to be fetched", errLapsed, minute(end))
	case r.Status != ocsp.Good:
		return nil, fmt.Errorf("the OCSP responder doesn't know the certificate: ask its authority %q", issuer.Subject)
	}
	return r, nil
}

// isAbout reports whether r, which has the serial number of leaf, names its issuer, too.
func isAbout(r *ocsp.Response, leaf, issuer *x509.Certificate) bool {
	var tbs struct {
		Version     int `asn1:"optional,default:0,explicit,tag:0"`
		ResponderID asn1.RawValue
		ProducedAt  time.Time `asn1:"generalized"`
		Responses   []struct {
			ID struct {
				Hash                          pkix.AlgorithmIdentifier
				IssuerNameHash, IssuerKeyHash []byte
				SerialNumber                  *big.Int
			}
		}
	}
	var key struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(r.TBSResponseData, &tbs); err != nil {
		return false
	}
	if _, err := asn1.Unmarshal(issuer.RawSubjectPublicKeyInfo, &key); err != nil {
		return false
	}
	name, bits := digest(r.IssuerHash, leaf.RawIssuer), digest(r.IssuerHash, key.Key.RightAlign())
	for _, s := range tbs.Responses {
		if s.ID.SerialNumber.Cmp(leaf.SerialNumber) == 0 { // r is the first of that number
			return bytes.Equal(s.ID.IssuerNameHash, name) && bytes.Equal(s.ID.IssuerKeyHash, bits)
		}
	}
	return false
}

// digest returns a hash that names something. SHA-1 will do for that, in FIPS mode, too.
func digest(h crypto.Hash, data []byte) (sum []byte) {
	fips140.WithoutEnforcement(func() {
		d := h.New()
		d.Write(data)
		sum = d.Sum(nil)
	})
	return sum
}

// checkResponder checks the signature of r: by the issuer, or by somebody whom the issuer
// has appointed (RFC 6960, section 4.2.2.2).
func checkResponder(r *ocsp.Response, issuer *x509.Certificate, now time.Time) error {
	forged := func(err error) error {
		return fmt.Errorf("the OCSP response isn't signed by the certificate's authority %q: %w", issuer.Subject, err)
	}
	switch r.SignatureAlgorithm {
	case x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.DSAWithSHA1, x509.MD5WithRSA, x509.MD2WithRSA:
		return forged(fmt.Errorf("%v can be forged", r.SignatureAlgorithm))
	}
	signer := r.Certificate
	switch {
	case signer == nil || bytes.Equal(signer.RawSubjectPublicKeyInfo, issuer.RawSubjectPublicKeyInfo):
		if err := r.CheckSignatureFrom(issuer); err != nil {
			return forged(err)
		}
		return nil
	case !slices.Contains(signer.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning):
		return forged(fmt.Errorf("%q has signed it, whose certificate isn't for OCSPSigning", signer.Subject))
	}
	// The signature by signer was checked when the response was read.
	if err := signer.CheckSignatureFrom(issuer); err != nil {
		return forged(fmt.Errorf("%q has signed it, who isn't appointed: %w", signer.Subject, err))
	}
	if err := checkDates(signer, now); err != nil {
		return forged(fmt.Errorf("the responder %q: %w", signer.Subject, err))
	}
	return nil
}
