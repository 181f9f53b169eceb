package tlsconfig

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"unsafe"

	"golang.org/x/sys/windows"
)

// LoadContext opens the key of a certificate that a test has made.
func LoadContext(ctx *windows.CertContext, leaf *x509.Certificate) (tls.Certificate, error) {
	return loadContext(ctx, leaf)
}

type SignHash = func(a ...uintptr) (r1, r2 uintptr, lastErr error)

// NewCNGKey is a key whose handle a test has made, and that signs with another function
// of the same parameters.
func NewCNGKey(public crypto.PublicKey, handle windows.Handle, signHash SignHash) crypto.Signer {
	return &cngKey{public: public, handle: handle, signHash: signHash}
}

// Intercept looks at what a CNG key asks for.
func Intercept(key crypto.PrivateKey, look func(algorithm string, salt uint32)) bool {
	k, ok := key.(*cngKey)
	if !ok {
		return false
	}
	sign := k.signHash
	k.signHash = func(a ...uintptr) (uintptr, uintptr, error) {
		p := paddingOf(a)
		look(windows.UTF16PtrToString(p.algorithm), p.salt)
		return sign(a...)
	}
	return true
}

func paddingOf(a []uintptr) *pssPadding { return *(**pssPadding)(unsafe.Pointer(&a[1])) }
