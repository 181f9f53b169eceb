package tlsconfig_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/ladlehq/ladle/tlsconfig"
	"golang.org/x/sys/windows"
)

var (
	crypt32                           = windows.NewLazySystemDLL("crypt32.dll")
	certControlStore                  = crypt32.NewProc("CertControlStore")
	certSetCertificateContextProperty = crypt32.NewProc("CertSetCertificateContextProperty")
	advapi32                          = windows.NewLazySystemDLL("advapi32.dll")
	cryptImportKey                    = advapi32.NewProc("CryptImportKey")
	cryptDestroyKey                   = advapi32.NewProc("CryptDestroyKey")
	ncrypt                            = windows.NewLazySystemDLL("ncrypt.dll")
	ncryptOpenStorageProvider         = ncrypt.NewProc("NCryptOpenStorageProvider")
	ncryptImportKey                   = ncrypt.NewProc("NCryptImportKey")
	bcrypt                            = windows.NewLazySystemDLL("bcrypt.dll")
	bcryptOpenAlgorithmProvider       = bcrypt.NewProc("BCryptOpenAlgorithmProvider")
	bcryptImportKeyPair               = bcrypt.NewProc("BCryptImportKeyPair")
	bcryptSignHash                    = bcrypt.NewProc("BCryptSignHash")
)

const (
	provRSAFull, provRSASchannel, provRSAAES = 1, 12, 24
	providerAES                              = "Microsoft Enhanced RSA and AES Cryptographic Provider"
)

// openStore opens a system store for writing.
func openStore(t testing.TB, location tlsconfig.Location, store string) windows.Handle {
	t.Helper()
	flags := uint32(windows.CERT_SYSTEM_STORE_LOCAL_MACHINE)
	if location == tlsconfig.CurrentUser {
		flags = windows.CERT_SYSTEM_STORE_CURRENT_USER
	}
	h, err := windows.CertOpenStore(windows.CERT_STORE_PROV_SYSTEM_W, 0, 0, flags, uintptr(unsafe.Pointer(windows.StringToUTF16Ptr(store))))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func newContext(t testing.TB, c *x509.Certificate) *windows.CertContext {
	t.Helper()
	ctx, err := windows.CertCreateCertificateContext(windows.X509_ASN_ENCODING, &c.Raw[0], uint32(len(c.Raw)))
	if err != nil {
		t.Fatal(err)
	}
	return ctx
}

// addContext puts a certificate into a store until the test ends.
func addContext(t testing.TB, ctx *windows.CertContext, location tlsconfig.Location, store string) {
	t.Helper()
	h := openStore(t, location, store)
	defer windows.CertCloseStore(h, 0)
	hash := sha1.Sum(unsafe.Slice(ctx.EncodedCert, ctx.Length))
	if err := windows.CertAddCertificateContextToStore(h, ctx, windows.CERT_STORE_ADD_REPLACE_EXISTING, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h := openStore(t, location, store)
		defer windows.CertCloseStore(h, 0)
		found, err := windows.CertFindCertificateInStore(h, windows.X509_ASN_ENCODING, 0, windows.CERT_FIND_HASH, unsafe.Pointer(&windows.CryptHashBlob{Size: uint32(len(hash)), Data: &hash[0]}), nil)
		if err != nil {
			t.Error(err)
			return
		}
		if err := windows.CertDeleteCertificateFromStore(found); err != nil {
			t.Error(err)
		}
		const commit, force = 3, 1 // CERT_STORE_CTRL_COMMIT and its flag
		certControlStore.Call(uintptr(h), force, commit, 0)
	})
}

func addCertificate(t testing.TB, c *x509.Certificate, location tlsconfig.Location, store string) {
	t.Helper()
	ctx := newContext(t, c)
	defer windows.CertFreeCertificateContext(ctx)
	addContext(t, ctx, location, store)
}

// addPair puts a certificate with an RSA key in a container of its own into My.
func addPair(t testing.TB, c *x509.Certificate, key *rsa.PrivateKey, location tlsconfig.Location, provider string, kind uint32) {
	t.Helper()
	container := windows.StringToUTF16Ptr(fmt.Sprintf("ladle-test-%d", time.Now().UnixNano()))
	name := windows.StringToUTF16Ptr(provider)
	machine := uint32(0)
	if location == tlsconfig.LocalMachine {
		machine = windows.CRYPT_MACHINE_KEYSET
	}
	var h windows.Handle
	if err := windows.CryptAcquireContext(&h, container, name, kind, windows.CRYPT_NEWKEYSET|machine); err != nil {
		t.Fatal(err)
	}
	defer windows.CryptReleaseContext(h, 0)
	t.Cleanup(func() {
		var gone windows.Handle
		windows.CryptAcquireContext(&gone, container, name, kind, windows.CRYPT_DELETEKEYSET|machine)
	})
	blob := capiBlob(key)
	var imported windows.Handle
	if r, _, err := cryptImportKey.Call(uintptr(h), uintptr(unsafe.Pointer(&blob[0])), uintptr(len(blob)), 0, 0, uintptr(unsafe.Pointer(&imported))); r == 0 {
		t.Fatal(err)
	}
	cryptDestroyKey.Call(uintptr(imported))
	ctx := newContext(t, c)
	defer windows.CertFreeCertificateContext(ctx)
	info := struct {
		container, provider *uint16
		kind, flags, params uint32
		param               uintptr
		spec                uint32
	}{container: container, provider: name, kind: kind, flags: machine, spec: windows.AT_KEYEXCHANGE}
	if r, _, err := certSetCertificateContextProperty.Call(uintptr(unsafe.Pointer(ctx)), 2, 0, uintptr(unsafe.Pointer(&info))); r == 0 {
		t.Fatal(err)
	}
	addContext(t, ctx, location, "My")
}

func little(i *big.Int, size int) []byte {
	b := i.FillBytes(make([]byte, size))
	slices.Reverse(b)
	return b
}

// capiBlob is a PRIVATEKEYBLOB.
func capiBlob(k *rsa.PrivateKey) []byte {
	n := k.Size()
	b := []byte{7, 2, 0, 0}
	b = binary.LittleEndian.AppendUint32(b, 0xa400) // CALG_RSA_KEYX
	b = append(b, "RSA2"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(8*n))
	b = binary.LittleEndian.AppendUint32(b, uint32(k.E))
	b = append(b, little(k.N, n)...)
	for _, part := range []*big.Int{k.Primes[0], k.Primes[1], k.Precomputed.Dp, k.Precomputed.Dq, k.Precomputed.Qinv} {
		b = append(b, little(part, n/2)...)
	}
	return append(b, little(k.D, n)...)
}

// cngBlob is a BCRYPT_RSAFULLPRIVATE_BLOB.
func cngBlob(k *rsa.PrivateKey) []byte {
	n := k.Size()
	e := big.NewInt(int64(k.E)).Bytes()
	b := []byte("RSA3")
	for _, v := range []int{8 * n, len(e), n, n / 2, n / 2} {
		b = binary.LittleEndian.AppendUint32(b, uint32(v))
	}
	b = append(append(b, e...), k.N.FillBytes(make([]byte, n))...)
	for _, part := range []*big.Int{k.Primes[0], k.Primes[1], k.Precomputed.Dp, k.Precomputed.Dq, k.Precomputed.Qinv} {
		b = append(b, part.FillBytes(make([]byte, n/2))...)
	}
	return append(b, k.D.FillBytes(make([]byte, n))...)
}

func rsaPair(t testing.TB, name string, issuer *identity, change func(*x509.Certificate)) (identity, *rsa.PrivateKey) {
	t.Helper()
	key := newKey(t, rsa2).(*rsa.PrivateKey)
	return issueKey(t, name, key, issuer, change), key
}

// serve opens the certificate as a server does and shakes hands with it.
func serve(t testing.TB, c tlsconfig.Certificate, want identity, connections int) {
	t.Helper()
	server := mustOpen(t, tlsconfig.Server{Certificates: []tlsconfig.Certificate{c}})
	client := mustOpen(t, tlsconfig.Client{Trust: tlsconfig.Trust{Thumbprints: []tlsconfig.Thumbprint{tlsconfig.SHA256(want.cert)}}})
	var wg sync.WaitGroup
	for range connections {
		wg.Go(func() {
			if _, serverErr, clientErr := handshake(t, server, client, 3); serverErr != nil || clientErr != nil {
				t.Error(serverErr, clientErr)
			}
		})
	}
	wg.Wait()
}

func TestStoreByThumbprint(t *testing.T) {
	for _, location := range []tlsconfig.Location{tlsconfig.CurrentUser, tlsconfig.LocalMachine} {
		for provider, kind := range map[string]uint32{
			"Microsoft Enhanced Cryptographic Provider v1.0": provRSAFull,
			"Microsoft RSA SChannel Cryptographic Provider":  provRSASchannel,
			providerAES: provRSAAES,
		} {
			pair, key := rsaPair(t, "store", nil, nil)
			addPair(t, pair.cert, key, location, provider, kind)
			sum := tlsconfig.SHA1(pair.cert).String()
			pasted, err := tlsconfig.ParseThumbprint("\u200e" + strings.ToUpper(sum[:2]) + " " + sum[2:20] + ":" + sum[20:])
			if err != nil {
				t.Fatal(err)
			}
			for _, thumbprint := range []tlsconfig.Thumbprint{pasted, tlsconfig.SHA256(pair.cert)} {
				serve(t, tlsconfig.Certificate{Thumbprint: thumbprint, Location: location, Store: "my"}, pair, 4)
			}
			loaded, err := tlsconfig.Certificate{Thumbprint: pasted, Location: location}.Load()
			if err != nil {
				t.Fatal(err)
			}
			key2 := loaded.PrivateKey.(interface {
				crypto.Signer
				Close() error
			})
			if err := errors.Join(key2.Close(), key2.Close()); err != nil {
				t.Error(err)
			}
			if _, err := key2.Sign(nil, make([]byte, 32), crypto.SHA256); err == nil {
				t.Error("a key that was released signs")
			}
		}
	}
}

func TestStoreByName(t *testing.T) {
	at := func(days, until int) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().AddDate(0, 0, days), time.Now().AddDate(0, 0, until)
			c.DNSNames = []string{"renewed.example"}
		}
	}
	expired, k1 := rsaPair(t, "renewed", nil, at(-300, -1))
	old, k2 := rsaPair(t, "renewed", nil, at(-100, 10))
	current, k3 := rsaPair(t, "renewed", nil, at(-5, 300))
	future, k4 := rsaPair(t, "renewed", nil, at(5, 600))
	keyless, _ := rsaPair(t, "renewed", nil, at(-1, 400))
	addCertificate(t, keyless.cert, tlsconfig.CurrentUser, "My")
	for _, p := range []struct {
		c *x509.Certificate
		k *rsa.PrivateKey
	}{{expired.cert, k1}, {old.cert, k2}, {current.cert, k3}, {future.cert, k4}} {
		addPair(t, p.c, p.k, tlsconfig.CurrentUser, providerAES, provRSAAES)
	}
	for _, c := range []tlsconfig.Certificate{{Subject: "renewed"}, {Subject: "CN=renewed"}, {SAN: "renewed.example"}} {
		c.Location = tlsconfig.CurrentUser
		pair, err := c.Load()
		if err != nil || !pair.Leaf.Equal(current.cert) {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		serve(t, c, current, 1)
	}
}

func TestStoreMistakes(t *testing.T) {
	user := tlsconfig.CurrentUser
	keyless, _ := rsaPair(t, "keyless", nil, nil)
	addCertificate(t, keyless.cert, user, "My")
	mismatch, _ := rsaPair(t, "mismatch", nil, nil)
	addPair(t, mismatch.cert, newKey(t, rsa2).(*rsa.PrivateKey), user, providerAES, provRSAAES)
	elsewhere, key := rsaPair(t, "elsewhere", nil, nil)
	addPair(t, elsewhere.cert, key, user, providerAES, provRSAAES)
	other := issue(t, "other", nil, nil)
	addCertificate(t, other.cert, user, "CA")
	over, key := rsaPair(t, "over", nil, func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().AddDate(-2, 0, 0), time.Now().AddDate(-1, 0, 0)
	})
	addPair(t, over.cert, key, user, providerAES, provRSAAES)
	for name, c := range map[string]struct {
		c     tlsconfig.Certificate
		is    error
		field string
		text  []string
	}{
		"nowhere":        {tlsconfig.Certificate{Thumbprint: tlsconfig.Thumbprint(strings.Repeat("00", 20)), Location: user}, tlsconfig.ErrNoCertificate, "thumbprint", []string{`CurrentUser\My`, tlsconfig.SHA1(keyless.cert).String() + " (CN=keyless)"}},
		"other location": {tlsconfig.Certificate{Thumbprint: tlsconfig.SHA1(elsewhere.cert)}, tlsconfig.ErrNoCertificate, "thumbprint", []string{`it is in CurrentUser\My: set location`}},
		"other store":    {tlsconfig.Certificate{Thumbprint: tlsconfig.SHA256(other.cert), Location: user}, tlsconfig.ErrNoCertificate, "thumbprint", []string{`it is in CurrentUser\CA: set location and store`}},
		"no key":         {tlsconfig.Certificate{Thumbprint: tlsconfig.SHA1(keyless.cert), Location: user}, tlsconfig.ErrNoPrivateKey, "thumbprint", []string{"without it: import the .pfx"}},
		"another key":    {tlsconfig.Certificate{Thumbprint: tlsconfig.SHA1(mismatch.cert), Location: user}, tlsconfig.ErrKeyMismatch, "thumbprint", []string{"import the .pfx file again"}},
		"no such store":  {tlsconfig.Certificate{Thumbprint: tlsconfig.SHA1(elsewhere.cert), Location: user, Store: "NoSuchStore"}, tlsconfig.ErrNoCertificate, "thumbprint", []string{"there is no store of that name"}},
		"only expired":   {tlsconfig.Certificate{Subject: "over", Location: user}, tlsconfig.ErrExpired, "subject", []string{tlsconfig.SHA1(over.cert).String()}},
		"no such name":   {tlsconfig.Certificate{SAN: "nobody.example", Location: user}, tlsconfig.ErrNoCertificate, "san", []string{`the name "nobody.example" in CurrentUser\My`}},
	} {
		err := c.c.Validate()
		if !errors.Is(err, c.is) || !slices.Equal(fieldsOf(err), []string{c.field}) {
			t.Errorf("%s: %v (about %q)", name, err, fieldsOf(err))
		}
		for _, text := range c.text {
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %v, want %s", name, err, text)
			}
		}
	}
}

// The chain that is shown has the intermediates of the store, and not the root.
func TestStoreIntermediates(t *testing.T) {
	root := issue(t, "store root", nil, authority)
	inter, _ := rsaPair(t, "store intermediate", &root, authority)
	leaf, key := rsaPair(t, "store leaf", &inter, nil)
	addPair(t, leaf.cert, key, tlsconfig.CurrentUser, providerAES, provRSAAES)
	addCertificate(t, inter.cert, tlsconfig.CurrentUser, "CA")
	addCertificate(t, root.cert, tlsconfig.CurrentUser, "CA")
	pair, err := tlsconfig.Certificate{Thumbprint: tlsconfig.SHA1(leaf.cert), Location: tlsconfig.CurrentUser}.Load()
	if err != nil || len(pair.Certificate) != 2 || string(pair.Certificate[1]) != string(inter.cert.Raw) {
		t.Errorf("%d in the chain, %v", len(pair.Certificate), err)
	}
}

// A key of CNG makes every signature of TLS 1.2 and 1.3.
func TestStoreCNG(t *testing.T) {
	pair, key := rsaPair(t, "cng", nil, nil)
	open := func() tls.Certificate {
		var provider, h windows.Handle
		if r, _, _ := ncryptOpenStorageProvider.Call(uintptr(unsafe.Pointer(&provider)), uintptr(unsafe.Pointer(windows.StringToUTF16Ptr("Microsoft Software Key Storage Provider"))), 0); r != 0 {
			t.Fatalf("%#x", r)
		}
		blob := cngBlob(key)
		if r, _, _ := ncryptImportKey.Call(uintptr(provider), 0, uintptr(unsafe.Pointer(windows.StringToUTF16Ptr("RSAFULLPRIVATEBLOB"))), 0, uintptr(unsafe.Pointer(&h)), uintptr(unsafe.Pointer(&blob[0])), uintptr(len(blob)), 0); r != 0 {
			t.Fatalf("%#x", r)
		}
		ctx := newContext(t, pair.cert)
		defer windows.CertFreeCertificateContext(ctx)
		attached := struct {
			size uint32
			h    windows.Handle
			spec uint32
		}{h: h, spec: windows.CERT_NCRYPT_KEY_SPEC}
		attached.size = uint32(unsafe.Sizeof(attached))
		const keyContext = 5 // CERT_KEY_CONTEXT_PROP_ID
		if r, _, err := certSetCertificateContextProperty.Call(uintptr(unsafe.Pointer(ctx)), keyContext, 0, uintptr(unsafe.Pointer(&attached))); r == 0 {
			t.Fatal(err)
		}
		loaded, err := tlsconfig.LoadContext(ctx, pair.cert)
		if err != nil {
			t.Fatal(err)
		}
		return loaded
	}
	for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		k := open().PrivateKey.(crypto.Signer) // a new one each: Wine can't go back from PSS
		if err := verify(k, hash, hash); err != nil {
			t.Errorf("%v: %v", hash, err)
		}
		var algorithm string
		var salt uint32
		if !tlsconfig.Intercept(k, func(a string, s uint32) { algorithm, salt = a, s }) {
			t.Fatalf("%T is no CNG key", k)
		}
		if err := verify(k, hash, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}); err != nil || int(salt) != hash.Size() || "SHA"+fmt.Sprint(8*hash.Size()) != algorithm {
			t.Errorf("PSS %v: %v, asked for %s with a salt of %d", hash, err, algorithm, salt)
		}
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		state, serverErr, clientErr := handshake(t, &tls.Config{Certificates: []tls.Certificate{open()}}, &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version}, 1)
		if serverErr != nil || clientErr != nil || state.Version != version {
			t.Error(tls.VersionName(version), serverErr, clientErr)
		}
	}
}

// BCryptSignHash has the parameters and the result of NCryptSignHash, of which Wine knows
// no elliptic curve.
func TestStoreCNGWithEllipticCurve(t *testing.T) {
	pair := issue(t, "ecdsa", nil, nil)
	key := pair.key.(*ecdsa.PrivateKey)
	raw, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	blob := binary.LittleEndian.AppendUint32([]byte("ECS2"), 32)
	blob = append(append(blob, public[1:]...), raw...)
	var algorithm, h windows.Handle
	if r, _, _ := bcryptOpenAlgorithmProvider.Call(uintptr(unsafe.Pointer(&algorithm)), uintptr(unsafe.Pointer(windows.StringToUTF16Ptr("ECDSA_P256"))), 0, 0); r != 0 {
		t.Fatalf("%#x", r)
	}
	if r, _, _ := bcryptImportKeyPair.Call(uintptr(algorithm), 0, uintptr(unsafe.Pointer(windows.StringToUTF16Ptr("ECCPRIVATEBLOB"))), uintptr(unsafe.Pointer(&h)), uintptr(unsafe.Pointer(&blob[0])), uintptr(len(blob)), 0); r != 0 {
		t.Fatalf("%#x", r)
	}
	k := tlsconfig.NewCNGKey(pair.cert.PublicKey, h, bcryptSignHash.Call)
	for range 100 { // halves with zeros in front come up
		if err := verify(k, crypto.SHA256, crypto.SHA256); err != nil {
			t.Fatal(err)
		}
	}
	c := tls.Certificate{Certificate: [][]byte{pair.cert.Raw}, PrivateKey: k, Leaf: pair.cert}
	if _, serverErr, clientErr := handshake(t, &tls.Config{Certificates: []tls.Certificate{c}}, &tls.Config{InsecureSkipVerify: true}, 2); serverErr != nil || clientErr != nil {
		t.Error(serverErr, clientErr)
	}
}

// verify signs and looks at the signature.
func verify(k crypto.Signer, hash crypto.Hash, opts crypto.SignerOpts) error {
	h := hash.New()
	h.Write([]byte("message"))
	digest := h.Sum(nil)
	signature, err := k.Sign(nil, digest, opts)
	if err != nil {
		return err
	}
	switch public := k.Public().(type) {
	case *rsa.PublicKey:
		if pss, ok := opts.(*rsa.PSSOptions); ok {
			return rsa.VerifyPSS(public, hash, digest, signature, pss)
		}
		return rsa.VerifyPKCS1v15(public, hash, digest, signature)
	case *ecdsa.PublicKey:
		if ecdsa.VerifyASN1(public, digest, signature) {
			return nil
		}
	}
	return errors.New("the signature is wrong")
}

// TestA10ImportIntoTheStore is the part of scenario A10 that needs Windows: a home-made
// certificate is imported into Personal, listed with the same thumbprint, and used. The key
// is RSA, since Wine imports no other.
func TestA10ImportIntoTheStore(t *testing.T) {
	id := issueKey(t, "Laboratory", newKey(t, rsa2), nil, nil)
	file := tlsconfig.Certificate{File: filepath.Join(folder(t), "laboratory.pem")}
	if err := os.WriteFile(file.File, append(id.certPEM(), id.keyPEM(t)...), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, location := range []tlsconfig.Location{tlsconfig.LocalMachine, tlsconfig.CurrentUser} {
		store := tlsconfig.Store{Location: location}
		imported, err := store.Import(file)
		if err != nil {
			t.Fatal(err)
		}
		if !imported.Equal(id.cert) {
			t.Errorf("%v was imported", imported.Subject)
		}
		entries, err := store.List()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(entries, func(e tlsconfig.StoreEntry) bool {
			return tlsconfig.SHA1(e.Certificate) == tlsconfig.SHA1(id.cert) && e.HasKey
		}) {
			t.Errorf("%v: it isn't listed with its key among %d", location, len(entries))
		}
		c := tlsconfig.Certificate{Thumbprint: tlsconfig.SHA1(id.cert), Location: location}
		if location == tlsconfig.CurrentUser || !underWine() { // Wine opens no keys of the machine that it has imported
			source := openServer(t, c)
			if got := shown(t, source.Config()); !got.Equal(id.cert) {
				t.Errorf("%v is shown", got.Subject)
			}
		}
		if err := store.Remove(c.Thumbprint); err != nil {
			t.Error(err)
		}
		if err := store.Remove(c.Thumbprint); !errors.Is(err, tlsconfig.ErrNoCertificate) {
			t.Error(err)
		}
	}
	if _, err := (tlsconfig.Store{Name: "no such store"}).List(); !errors.Is(err, tlsconfig.ErrNoCertificate) {
		t.Error(err)
	}
}

// underWine reports whether this is Wine and not Windows.
func underWine() bool {
	return windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil
}

// folder is one that is removed by hand: Wine lacks what testing removes folders with.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ladle")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		entries, err := os.ReadDir(dir)
		for _, e := range entries {
			err = errors.Join(err, os.Remove(filepath.Join(dir, e.Name())))
		}
		if err := errors.Join(err, os.Remove(dir)); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// TestA03SealedPassword: a password that was typed is kept by the protection of Windows.
func TestA03SealedPassword(t *testing.T) {
	pair, err := tlsconfig.SelfSigned{FriendlyName: "lab", Names: []string{"localhost"}}.Create()
	if err != nil {
		t.Fatal(err)
	}
	pfx, err := pair.PFX("sesame")
	if err != nil {
		t.Fatal(err)
	}
	dir := folder(t)
	table := tlsconfig.Table{File: filepath.Join(dir, "bindings.json")}
	c := tlsconfig.Certificate{File: filepath.Join(dir, "lab.pfx"), Password: "sesame"}
	if err := os.WriteFile(c.File, pfx, 0o600); err != nil {
		t.Fatal(err)
	}
	if o, err := table.Bind(t.Context(), ":8443", c); err != nil {
		t.Fatalf("%v: %v", o, err)
	}
	if raw, err := os.ReadFile(table.File); err != nil || strings.Contains(string(raw), "sesame") || !strings.Contains(string(raw), `"password": "sealed:`) {
		t.Errorf("%s %v", raw, err)
	}
	source, err := tlsconfig.Server{Certificates: []tlsconfig.Certificate{{Bound: tlsconfig.TableFile(table.File)}}, Endpoint: ":8443"}.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	if got := shown(t, source.Config()); !got.Equal(pair.Certificate) {
		t.Errorf("%v is shown: %q", got.Subject, source.Warnings())
	}
}
