package tlsconfig

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/fips140"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"strings"
)

// fipsOnly is what the packages of Go say of each thing that isn't approved, where a program
// runs with GODEBUG=fips140=only.
const fipsOnly = "not allowed in FIPS 140-only mode"

// refusedByFIPS reports whether err is about what isn't approved.
func refusedByFIPS(err error) bool { return err != nil && strings.Contains(err.Error(), fipsOnly) }

// refuseUnapproved is to be deferred where a file is read. With GODEBUG=fips140=only most of
// what isn't approved panics, and what a file is encrypted with shows only as it is read: it
// makes an error of that.
func refuseUnapproved(err *error) {
	if !fips140.Enforced() {
		return
	}
	cause := *err
	if r := recover(); r != nil {
		var ok bool
		if cause, ok = r.(error); !ok {
			cause = fmt.Errorf("%v", r)
		}
		if !refusedByFIPS(cause) {
			panic(r)
		}
	}
	if refusedByFIPS(cause) {
		*err = fmt.Errorf("%w in FIPS 140-3 mode: how the file is encrypted (%w): write it anew with AES-256 and PBKDF2 with SHA-256 and a salt of 16 bytes; or leave the key unencrypted, where this account alone can read it", ErrUnsupported, cause)
	}
}

// approvedSuite reports whether a cipher suite is spoken in FIPS 140-3 mode. Of those that
// can be chosen at all it is those with AES-GCM.
func approvedSuite(name string) bool { return strings.Contains(name, "_GCM_") }

// approvedChain returns the first chain whose keys are all approved, or why there is none.
func approvedChain(chains [][]*x509.Certificate) ([]*x509.Certificate, error) {
	var first error
	for _, chain := range chains {
		err := checkApproved(chain...)
		if err == nil {
			return chain, nil
		}
		first = cmp.Or(first, err)
	}
	return nil, first
}

// checkApproved refuses keys that aren't approved in FIPS 140-3 mode, as crypto/tls does
// where it checks a chain itself.
func checkApproved(chain ...*x509.Certificate) error {
	if !fips140.Enabled() {
		return nil
	}
	for _, c := range chain {
		approved := false
		switch key := c.PublicKey.(type) {
		case *rsa.PublicKey:
			approved = key.N.BitLen() >= minRSA
		case *ecdsa.PublicKey:
			approved = key.Curve == elliptic.P256() || key.Curve == elliptic.P384() || key.Curve == elliptic.P521()
		case ed25519.PublicKey:
			approved = true
		}
		if !approved {
			return fmt.Errorf("%w: %w: the key of %s isn't approved in FIPS 140-3 mode, in which this program runs: RSA of %d bits at least, P-256, P-384, P-521 and Ed25519 are", ErrNotTrusted, ErrWeak, c.Subject, minRSA)
		}
	}
	return nil
}
