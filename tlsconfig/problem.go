package tlsconfig

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"slices"
	"time"
)

// A Purpose is what a certificate is to be used for.
type Purpose int

// The purposes.
const (
	ForServer Purpose = iota
	ForClient
)

// String returns "server" or "client".
func (p Purpose) String() string {
	if p == ForClient {
		return "client"
	}
	return "server"
}

// minRSA is the least number of bits of an RSA key that is not weak (BCP 195, NIST SP
// 800-57).
const minRSA = 2048

// Problems returns what partners will have against a certificate at a time: it has ended or
// not begun ([ErrExpired], [ErrNotYetValid]), isn't for this purpose ([ErrKeyUsage]), or its
// key or signature is weak ([ErrWeak]). Each says what to do. Such a certificate is still
// shown, because at night a refused start helps nobody; the problems are warned of at every
// start.
func Problems(c *x509.Certificate, now time.Time, p Purpose) []error {
	var all []error
	day := c.NotAfter.UTC().Format(time.DateOnly)
	switch {
	case now.After(c.NotAfter):
		all = append(all, fmt.Errorf("%w on %s: renew it", ErrExpired, day))
	case now.Before(c.NotBefore):
		all = append(all, fmt.Errorf("%w before %s: check the clock, or use the one before", ErrNotYetValid, c.NotBefore.UTC().Format(time.DateOnly)))
	}
	usage, name := x509.ExtKeyUsageServerAuth, "serverAuth"
	if p == ForClient {
		usage, name = x509.ExtKeyUsageClientAuth, "clientAuth"
	}
	switch {
	case c.IsCA:
		all = append(all, fmt.Errorf("%w: it is an authority's own: have one issued by it", ErrKeyUsage))
	case len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) > 0 && !slices.Contains(c.ExtKeyUsage, usage) && !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny):
		all = append(all, fmt.Errorf("%w: its extended key usage lacks %s, which a TLS %v needs: have it issued anew with that", ErrKeyUsage, name, p))
	case c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		all = append(all, fmt.Errorf("%w: its key usage lacks digitalSignature, which TLS 1.3 and all modern suites of 1.2 need: have it issued anew with that", ErrKeyUsage))
	}
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() < minRSA {
			all = append(all, fmt.Errorf("%w: an RSA key of %d bits: make a new one of %d at least", ErrWeak, key.N.BitLen(), minRSA))
		}
	case *ecdsa.PublicKey:
		if key.Curve.Params().BitSize < 256 {
			all = append(all, fmt.Errorf("%w: an elliptic curve of %d bits: make a new key on P-256", ErrWeak, key.Curve.Params().BitSize))
		}
	}
	switch c.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		if !isSelfSigned(c) { // nobody checks the signature of a root
			all = append(all, fmt.Errorf("%w: it is signed with %v: have it issued anew with SHA-256", ErrWeak, c.SignatureAlgorithm))
		}
	}
	return all
}
