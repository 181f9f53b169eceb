package tlsconfig

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"golang.org/x/sys/windows"
)

const (
	storeReadOnly     = 0x8000 // CERT_STORE_READONLY_FLAG
	storeOpenExisting = 0x4000 // CERT_STORE_OPEN_EXISTING_FLAG
)

// readStore calls use with the certificates of a system store, which are valid until it
// returns. A pair that was loaded lives on.
func readStore(location Location, store string, use func([]storeCertificate) error) error {
	name, err := windows.UTF16PtrFromString(store)
	if err != nil {
		return fmt.Errorf("the store's name has a zero in it")
	}
	flags := uint32(windows.CERT_SYSTEM_STORE_LOCAL_MACHINE)
	if location == CurrentUser {
		flags = windows.CERT_SYSTEM_STORE_CURRENT_USER
	}
	h, err := windows.CertOpenStore(windows.CERT_STORE_PROV_SYSTEM_W, 0, 0, flags|storeReadOnly|storeOpenExisting, uintptr(unsafe.Pointer(name)))
	switch {
	case errors.Is(err, windows.ERROR_FILE_NOT_FOUND):
		return fmt.Errorf("%w: there is no store of that name: the one with private keys is called My", ErrNoCertificate)
	case err != nil:
		return fmt.Errorf("the store can't be opened: %w", err)
	}
	defer windows.CertCloseStore(h, 0)
	var all []storeCertificate
	var ctx *windows.CertContext
	for {
		// Each call frees the context that it is given.
		if ctx, err = windows.CertEnumCertificatesInStore(h, ctx); err != nil || ctx == nil {
			break
		}
		leaf, err := x509.ParseCertificate(slices.Clone(unsafe.Slice(ctx.EncodedCert, ctx.Length)))
		if err != nil {
			continue // what crypto/x509 can't read can't be shown by crypto/tls
		}
		own := windows.CertDuplicateCertificateContext(ctx)
		defer windows.CertFreeCertificateContext(own)
		all = append(all, storeCertificate{leaf, func() (tls.Certificate, error) { return loadContext(own, leaf) }})
	}
	if err != nil && !errors.Is(err, windows.Errno(windows.CRYPT_E_NOT_FOUND)) {
		return fmt.Errorf("the store can't be read: %w", err)
	}
	return use(all)
}

// loadContext opens the private key of a certificate. It keeps a context of its own, which
// the key needs for as long as it lives.
func loadContext(ctx *windows.CertContext, leaf *x509.Certificate) (tls.Certificate, error) {
	own := windows.CertDuplicateCertificateContext(ctx)
	key, err := acquireKey(own, leaf)
	if err != nil {
		windows.CertFreeCertificateContext(own)
		return tls.Certificate{}, err
	}
	// A key in another container than the certificate says, and one that this account may
	// not use, show here and not at the first handshake.
	if err := checkKey(key); err != nil {
		key.Close()
		return tls.Certificate{}, err
	}
	return tls.Certificate{
		Certificate:                  append([][]byte{leaf.Raw}, storeIntermediates(own)...),
		PrivateKey:                   key,
		Leaf:                         leaf,
		SupportedSignatureAlgorithms: key.schemes(),
	}, nil
}

// storeIntermediates returns what leads from a certificate to a root, without the root, as
// far as the computer has it.
func storeIntermediates(ctx *windows.CertContext) [][]byte {
	para := windows.CertChainPara{}
	para.Size = uint32(unsafe.Sizeof(para))
	const cacheOnly, noDownload = 0x4, 0x2000 // CERT_CHAIN_CACHE_ONLY_URL_RETRIEVAL, CERT_CHAIN_DISABLE_AIA
	// The store of intermediates is opened anew: the engine's own view of it may be old.
	name, err := windows.UTF16PtrFromString("CA")
	if err != nil {
		return nil
	}
	ca, err := windows.CertOpenStore(windows.CERT_STORE_PROV_SYSTEM_W, 0, 0, windows.CERT_SYSTEM_STORE_CURRENT_USER|storeReadOnly, uintptr(unsafe.Pointer(name)))
	if err == nil {
		defer windows.CertCloseStore(ca, 0)
	}
	var chain *windows.CertChainContext
	if windows.CertGetCertificateChain(0, ctx, nil, ca, &para, cacheOnly|noDownload, 0, &chain) != nil {
		return nil
	}
	defer windows.CertFreeCertificateChain(chain)
	if chain.ChainCount == 0 {
		return nil
	}
	var all [][]byte
	simple := unsafe.Slice(chain.Chains, chain.ChainCount)[0]
	for i, e := range unsafe.Slice(simple.Elements, simple.NumElements) {
		if i == 0 {
			continue // the leaf
		}
		der := slices.Clone(unsafe.Slice(e.CertContext.EncodedCert, e.CertContext.Length))
		if c, err := x509.ParseCertificate(der); err != nil || isSelfSigned(c) {
			break
		}
		all = append(all, der)
	}
	return all
}
