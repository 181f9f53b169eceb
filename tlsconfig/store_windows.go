package tlsconfig

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"golang.org/x/sys/windows"
	"software.sslmate.com/src/go-pkcs12"
)

const (
	storeReadOnly     = 0x8000 // CERT_STORE_READONLY_FLAG
	storeOpenExisting = 0x4000 // CERT_STORE_OPEN_EXISTING_FLAG
)

// readStore calls use with the certificates of a system store, which are valid until it
// returns. A pair that was loaded lives on.
func readStore(location Location, store string, use func([]storeCertificate) error) error {
	h, err := openStore(location, store, storeReadOnly|storeOpenExisting)
	if err != nil {
		return err
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
		all = append(all, storeCertificate{leaf, hasKey(own), func() (tls.Certificate, error) { return loadContext(own, leaf) }})
	}
	if err != nil && !errors.Is(err, windows.Errno(windows.CRYPT_E_NOT_FOUND)) {
		return fmt.Errorf("the store can't be read: %w", err)
	}
	return use(all)
}

func openStore(location Location, store string, flags uint32) (windows.Handle, error) {
	name, err := windows.UTF16PtrFromString(store)
	if err != nil {
		return 0, errors.New("the store's name has a zero in it")
	}
	if location == CurrentUser {
		flags |= windows.CERT_SYSTEM_STORE_CURRENT_USER
	} else {
		flags |= windows.CERT_SYSTEM_STORE_LOCAL_MACHINE
	}
	h, err := windows.CertOpenStore(windows.CERT_STORE_PROV_SYSTEM_W, 0, 0, flags, uintptr(unsafe.Pointer(name)))
	switch {
	case errors.Is(err, windows.ERROR_FILE_NOT_FOUND):
		return 0, fmt.Errorf("%w: there is no store of that name: the one with private keys is called My", ErrNoCertificate)
	case errors.Is(err, windows.ERROR_ACCESS_DENIED):
		return 0, fmt.Errorf("%w: this account may not open the store: run this as an administrator, or use the location CurrentUser", ErrPermission)
	case err != nil:
		return 0, fmt.Errorf("the store can't be opened: %w", err)
	}
	return h, nil
}

// hasKey reports whether the certificate says where its private key is.
func hasKey(ctx *windows.CertContext) bool {
	var size uint32
	r, _, _ := certGetCertificateContextProperty.Call(uintptr(unsafe.Pointer(ctx)), keyProvInfo, 0, uintptr(unsafe.Pointer(&size)))
	return r != 0
}

// importPair lets Windows read a PFX file that is made for it, with a password that is used
// but once. Triple DES is what every Windows reads.
func importPair(location Location, store string, pair tls.Certificate) error {
	var intermediates []*x509.Certificate
	for _, der := range pair.Certificate[1:] {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		intermediates = append(intermediates, c)
	}
	password := rand.Text()
	pfx, err := pkcs12.LegacyDES.Encode(pair.PrivateKey, pair.Leaf, intermediates, password)
	if err != nil {
		return err
	}
	target, err := openStore(location, store, 0)
	if err != nil {
		return err
	}
	defer windows.CertCloseStore(target, 0)
	keyset := uint32(windows.CRYPT_MACHINE_KEYSET)
	if location == CurrentUser {
		keyset = windows.CRYPT_USER_KEYSET
	}
	blob := windows.CryptDataBlob{Size: uint32(len(pfx)), Data: &pfx[0]}
	secret := windows.StringToUTF16Ptr(password)
	// The newer kind of provider can sign for TLS 1.3. Where it isn't known, the old will do.
	imported, err := windows.PFXImportCertStore(&blob, secret, keyset|windows.PKCS12_PREFER_CNG_KSP)
	if err != nil {
		imported, err = windows.PFXImportCertStore(&blob, secret, keyset)
	}
	switch {
	case errors.Is(err, windows.ERROR_ACCESS_DENIED):
		return fmt.Errorf("%w: this account may not put keys there: run this as an administrator, or use the location CurrentUser", ErrPermission)
	case err != nil:
		return fmt.Errorf("Windows doesn't take the certificate and its key: %w", err)
	}
	defer windows.CertCloseStore(imported, 0)
	ca, err := openStore(location, "CA", 0)
	if err != nil {
		return err
	}
	defer windows.CertCloseStore(ca, 0)
	var ctx *windows.CertContext
	for {
		if ctx, err = windows.CertEnumCertificatesInStore(imported, ctx); err != nil || ctx == nil {
			break
		}
		to := ca
		if bytes.Equal(unsafe.Slice(ctx.EncodedCert, ctx.Length), pair.Leaf.Raw) {
			to = target
		}
		if err := windows.CertAddCertificateContextToStore(to, ctx, windows.CERT_STORE_ADD_REPLACE_EXISTING, nil); err != nil {
			windows.CertFreeCertificateContext(ctx)
			return fmt.Errorf("the certificate can't be put into the store: %w", err)
		}
	}
	if err != nil && !errors.Is(err, windows.Errno(windows.CRYPT_E_NOT_FOUND)) {
		return err
	}
	return commitStore(target)
}

// removeFromStore reports whether there was such a certificate.
func removeFromStore(location Location, store string, t Thumbprint) (bool, error) {
	h, err := openStore(location, store, storeOpenExisting)
	if err != nil {
		return false, err
	}
	defer windows.CertCloseStore(h, 0)
	var ctx *windows.CertContext
	for {
		if ctx, err = windows.CertEnumCertificatesInStore(h, ctx); err != nil || ctx == nil {
			break
		}
		leaf, err := x509.ParseCertificate(slices.Clone(unsafe.Slice(ctx.EncodedCert, ctx.Length)))
		if err != nil || !t.Matches(leaf) {
			continue
		}
		if err := windows.CertDeleteCertificateFromStore(ctx); err != nil { // which frees it
			return true, fmt.Errorf("the certificate can't be removed: %w", err)
		}
		return true, commitStore(h)
	}
	if err != nil && !errors.Is(err, windows.Errno(windows.CRYPT_E_NOT_FOUND)) {
		return false, fmt.Errorf("the store can't be read: %w", err)
	}
	return false, nil
}

// commitStore writes what was changed at once.
func commitStore(h windows.Handle) error {
	const commit, force = 3, 1 // CERT_STORE_CTRL_COMMIT and its flag
	if r, _, err := certControlStore.Call(uintptr(h), force, commit, 0); r == 0 {
		return fmt.Errorf("the store can't be written: %w", err)
	}
	return nil
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
