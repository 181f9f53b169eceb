package tlsconfig

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"runtime"
	"slices"
	"sync"
	"unsafe"

	"golang.org/x/sys/windows"
)

// What golang.org/x/sys/windows lacks.
var (
	crypt32  = windows.NewLazySystemDLL("crypt32.dll")
	ncrypt   = windows.NewLazySystemDLL("ncrypt.dll")
	advapi32 = windows.NewLazySystemDLL("advapi32.dll")

	certGetCertificateContextProperty = crypt32.NewProc("CertGetCertificateContextProperty")
	certControlStore                  = crypt32.NewProc("CertControlStore")
	ncryptSignHash                    = ncrypt.NewProc("NCryptSignHash")
	ncryptFreeObject                  = ncrypt.NewProc("NCryptFreeObject")
	cryptCreateHash                   = advapi32.NewProc("CryptCreateHash")
	cryptSetHashParam                 = advapi32.NewProc("CryptSetHashParam")
	cryptSignHash                     = advapi32.NewProc("CryptSignHashW")
	cryptDestroyHash                  = advapi32.NewProc("CryptDestroyHash")
)

const (
	padPKCS1, padPSS = 0x2, 0x8 // BCRYPT_PAD_...
	keyProvInfo      = 2        // CERT_KEY_PROV_INFO_PROP_ID
	provRSAFull      = 1
	provRSASchannel  = 12
	provRSAAES       = 24
	cryptSilent      = 0x40
	hashValue        = 2 // HP_HASHVAL

	errNoKeyProperty = windows.Errno(0x8009200b) // CRYPT_E_NO_KEY_PROPERTY
	errBadKeyset     = windows.Errno(0x80090016) // NTE_BAD_KEYSET
	errPermission    = windows.Errno(0x80090010) // NTE_PERM
	errBadPublicKey  = windows.Errno(0x80090015) // NTE_BAD_PUBLIC_KEY
)

type pkcs1Padding struct{ algorithm *uint16 }

type pssPadding struct {
	algorithm *uint16
	salt      uint32
}

// providerInfo is CRYPT_KEY_PROV_INFO.
type providerInfo struct {
	container *uint16
	provider  *uint16
	kind      uint32
	flags     uint32
	params    uint32
	param     uintptr
	spec      uint32
}

// A storeKey is a private key that stays in the Windows store.
type storeKey interface {
	crypto.Signer
	io.Closer
	// schemes are the signatures that it can make; nil for all that fit its public key.
	schemes() []tls.SignatureScheme
}

// acquireKey opens the key of a certificate: with CNG, which reaches most keys of the old
// providers, too, or else with CAPI by what the certificate says of its key. It takes the
// context over, unless it fails.
func acquireKey(ctx *windows.CertContext, leaf *x509.Certificate) (storeKey, error) {
	var h windows.Handle
	var spec uint32
	var free bool
	// CACHE: the handle belongs to the context. SILENT: a service must never wait at a
	// dialog that asks for a PIN.
	err := windows.CryptAcquireCertificatePrivateKey(ctx,
		windows.CRYPT_ACQUIRE_CACHE_FLAG|windows.CRYPT_ACQUIRE_SILENT_FLAG|windows.CRYPT_ACQUIRE_PREFER_NCRYPT_KEY_FLAG|windows.CRYPT_ACQUIRE_COMPARE_KEY_FLAG,
		nil, &h, &spec, &free)
	if err == nil && spec == windows.CERT_NCRYPT_KEY_SPEC {
		return &cngKey{public: leaf.PublicKey, handle: h, free: free, context: ctx, signHash: ncryptSignHash.Call}, nil
	}
	if err == nil && free {
		windows.CryptReleaseContext(h, 0)
	}
	key, capiErr := openCAPI(ctx, leaf)
	if capiErr != nil {
		return nil, explainKey(errors.Join(err, capiErr))
	}
	return key, nil
}

// explainKey says what to do about a key that can't be used.
func explainKey(err error) error {
	switch {
	case errors.Is(err, errPermission), errors.Is(err, windows.ERROR_ACCESS_DENIED):
		return fmt.Errorf("%w (%w): allow it in the certificate manager (certlm.msc): All Tasks, Manage Private Keys", ErrKeyPermission, err)
	case errors.Is(err, errBadPublicKey):
		return fmt.Errorf("%w (%w): import the .pfx file again", ErrKeyMismatch, err)
	case errors.Is(err, errBadKeyset):
		return fmt.Errorf("%w (%w): its key is gone, or this account may not see it: import the .pfx file again, or allow the account in the certificate manager (certlm.msc): All Tasks, Manage Private Keys", ErrKeyPermission, err)
	case errors.Is(err, errNoKeyProperty):
		return fmt.Errorf("%w: the certificate is in the store without it: import the .pfx file it was exported to", ErrNoPrivateKey)
	}
	return fmt.Errorf("%w that can be used: %w", ErrNoPrivateKey, err)
}

// checkKey signs once and looks at the signature.
func checkKey(k storeKey) error {
	digest := sha256.Sum256([]byte("Ladle looks whether a key can be used"))
	signature, err := k.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		return explainKey(err)
	}
	switch public := k.Public().(type) {
	case *rsa.PublicKey:
		err = rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature)
	case *ecdsa.PublicKey:
		if !ecdsa.VerifyASN1(public, digest[:], signature) {
			err = errors.New("the signature is wrong")
		}
	}
	if err != nil {
		return fmt.Errorf("%w: the store has another key for it (%w): import the .pfx file again", ErrKeyMismatch, err)
	}
	return nil
}

// hashName is CNG's name of a hash.
func hashName(h crypto.Hash) *uint16 {
	name := map[crypto.Hash]string{crypto.SHA1: "SHA1", crypto.SHA256: "SHA256", crypto.SHA384: "SHA384", crypto.SHA512: "SHA512"}[h]
	if name == "" {
		return nil
	}
	return windows.StringToUTF16Ptr(name)
}

// A cngKey signs with NCryptSignHash.
type cngKey struct {
	mu      sync.Mutex // nothing says that two may use one handle at a time
	public  crypto.PublicKey
	handle  windows.Handle
	free    bool
	context *windows.CertContext // holds the handle
	// signHash has the parameters of NCryptSignHash.
	signHash func(a ...uintptr) (r1, r2 uintptr, lastErr error)
}

func (k *cngKey) Public() crypto.PublicKey { return k.public }

func (k *cngKey) schemes() []tls.SignatureScheme { return nil }

// Close releases the key. It may be called again.
func (k *cngKey) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.handle != 0 && k.free {
		ncryptFreeObject.Call(uintptr(k.handle))
	}
	if k.context != nil {
		windows.CertFreeCertificateContext(k.context)
	}
	k.handle, k.context = 0, nil
	return nil
}

var errKeyClosed = errors.New("the key was released")

func (k *cngKey) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	hash := opts.HashFunc()
	if len(digest) == 0 || hash != 0 && len(digest) != hash.Size() {
		return nil, errors.New("the digest has another length than its hash")
	}
	switch public := k.public.(type) {
	case *rsa.PublicKey:
		size, algorithm := public.Size(), hashName(hash)
		if algorithm == nil {
			return nil, fmt.Errorf("%w: the hash %v", ErrUnsupported, hash)
		}
		pss, ok := opts.(*rsa.PSSOptions)
		if !ok {
			return k.sign(unsafe.Pointer(&pkcs1Padding{algorithm}), digest, size, padPKCS1)
		}
		salt := pss.SaltLength
		switch salt {
		case rsa.PSSSaltLengthEqualsHash:
			salt = hash.Size()
		case rsa.PSSSaltLengthAuto:
			salt = (public.N.BitLen()-1+7)/8 - 2 - hash.Size()
		}
		if salt < 0 {
			return nil, errors.New("the salt doesn't fit the key")
		}
		return k.sign(unsafe.Pointer(&pssPadding{algorithm, uint32(salt)}), digest, size, padPSS)
	case *ecdsa.PublicKey:
		half := (public.Curve.Params().N.BitLen() + 7) / 8
		rs, err := k.sign(nil, digest, 2*half, 0)
		if err != nil {
			return nil, err
		}
		if len(rs) != 2*half {
			return nil, errors.New("the signature has another length than its curve")
		}
		return asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(rs[:half]), new(big.Int).SetBytes(rs[half:])})
	}
	return nil, fmt.Errorf("%w: a key of type %T", ErrUnsupported, k.public)
}

func (k *cngKey) sign(padding unsafe.Pointer, digest []byte, size int, flags uintptr) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.handle == 0 {
		return nil, errKeyClosed
	}
	signature := make([]byte, size)
	var n uint32
	r, _, _ := k.signHash(uintptr(k.handle), uintptr(padding), uintptr(unsafe.Pointer(&digest[0])), uintptr(len(digest)),
		uintptr(unsafe.Pointer(&signature[0])), uintptr(len(signature)), uintptr(unsafe.Pointer(&n)), flags)
	runtime.KeepAlive(k)
	if uint32(r) != 0 {
		return nil, fmt.Errorf("the store doesn't sign: %w", windows.Errno(uint32(r)))
	}
	return signature[:n], nil
}

// A capiKey signs with the functions before CNG: PKCS #1 v1.5 alone, so in TLS 1.2.
type capiKey struct {
	mu       sync.Mutex
	public   *rsa.PublicKey
	provider windows.Handle
	spec     uint32
	context  *windows.CertContext
}

func openCAPI(ctx *windows.CertContext, leaf *x509.Certificate) (*capiKey, error) {
	var n uint32
	if r, _, err := certGetCertificateContextProperty.Call(uintptr(unsafe.Pointer(ctx)), keyProvInfo, 0, uintptr(unsafe.Pointer(&n))); r == 0 {
		if errors.Is(err, windows.Errno(windows.CRYPT_E_NOT_FOUND)) {
			return nil, errNoKeyProperty
		}
		return nil, err
	}
	public, ok := leaf.PublicKey.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("%w: a %T in an old provider", ErrUnsupported, leaf.PublicKey)
	}
	buffer := make([]uint64, (n+7)/8)
	if r, _, err := certGetCertificateContextProperty.Call(uintptr(unsafe.Pointer(ctx)), keyProvInfo, uintptr(unsafe.Pointer(&buffer[0])), uintptr(unsafe.Pointer(&n))); r == 0 {
		return nil, err
	}
	info := (*providerInfo)(unsafe.Pointer(&buffer[0]))
	if info.kind == 0 {
		return nil, errors.New("the key is in a CNG provider")
	}
	name, kind := info.provider, info.kind
	if kind == provRSAFull || kind == provRSASchannel {
		name, kind = nil, provRSAAES // these know no SHA-2; the containers are the same
	}
	k := &capiKey{public: public, spec: info.spec, context: ctx}
	if err := windows.CryptAcquireContext(&k.provider, info.container, name, kind, info.flags&windows.CRYPT_MACHINE_KEYSET|cryptSilent); err != nil {
		return nil, err
	}
	runtime.KeepAlive(buffer)
	if k.spec != windows.AT_KEYEXCHANGE && k.spec != windows.AT_SIGNATURE {
		k.spec = windows.AT_KEYEXCHANGE
	}
	return k, nil
}

func (k *capiKey) Public() crypto.PublicKey { return k.public }

func (k *capiKey) schemes() []tls.SignatureScheme {
	return []tls.SignatureScheme{tls.PKCS1WithSHA256, tls.PKCS1WithSHA384, tls.PKCS1WithSHA512}
}

// MaxVersion returns TLS 1.2: 1.3 needs signatures that this key can't make, and
// crypto/tls chooses the version first.
func (k *capiKey) MaxVersion() uint16 { return tls.VersionTLS12 }

// Close releases the key. It may be called again.
func (k *capiKey) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.provider != 0 {
		windows.CryptReleaseContext(k.provider, 0)
	}
	if k.context != nil {
		windows.CertFreeCertificateContext(k.context)
	}
	k.provider, k.context = 0, nil
	return nil
}

func (k *capiKey) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if _, ok := opts.(*rsa.PSSOptions); ok {
		return nil, fmt.Errorf("%w: a key of an old provider can't make PSS signatures", ErrUnsupported)
	}
	hash := opts.HashFunc()
	algorithm := map[crypto.Hash]uintptr{crypto.SHA1: 0x8004, crypto.SHA256: 0x800c, crypto.SHA384: 0x800d, crypto.SHA512: 0x800e}[hash]
	if algorithm == 0 {
		return nil, fmt.Errorf("%w: the hash %v", ErrUnsupported, hash)
	}
	if len(digest) != hash.Size() {
		return nil, errors.New("the digest has another length than its hash")
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.provider == 0 {
		return nil, errKeyClosed
	}
	var h windows.Handle
	if r, _, err := cryptCreateHash.Call(uintptr(k.provider), algorithm, 0, 0, uintptr(unsafe.Pointer(&h))); r == 0 {
		return nil, fmt.Errorf("the store doesn't sign: %w", err)
	}
	defer cryptDestroyHash.Call(uintptr(h))
	if r, _, err := cryptSetHashParam.Call(uintptr(h), hashValue, uintptr(unsafe.Pointer(&digest[0])), 0); r == 0 {
		return nil, fmt.Errorf("the store doesn't sign: %w", err)
	}
	signature := make([]byte, k.public.Size())
	n := uint32(len(signature))
	if r, _, err := cryptSignHash.Call(uintptr(h), uintptr(k.spec), 0, 0, uintptr(unsafe.Pointer(&signature[0])), uintptr(unsafe.Pointer(&n))); r == 0 {
		return nil, fmt.Errorf("the store doesn't sign: %w", err)
	}
	slices.Reverse(signature[:n]) // it is little endian
	return signature[:n], nil
}
