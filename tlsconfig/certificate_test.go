package tlsconfig_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ladlehq/ladle/tlsconfig"
	"github.com/youmark/pkcs8"
	"software.sslmate.com/src/go-pkcs12"
)

type ctx = context.Context

// Every kind of file gives the leaf that fits the key, with its intermediates in order
// and without the root.
func TestCertificateFiles(t *testing.T) {
	t.Parallel()
	root := issue(t, "Root", nil, authority)
	upper := issue(t, "Upper", &root, authority)
	lower := issue(t, "Lower", &upper, authority)
	leaf := issue(t, "Leaf", &lower, nil)
	cas := []*x509.Certificate{lower.cert, upper.cert, root.cert}
	pfx := func(e *pkcs12.Encoder, cert *x509.Certificate, others []*x509.Certificate, password string) []byte {
		b, err := e.Encode(leaf.key, cert, others, password)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	encrypted, err := pkcs8.ConvertPrivateKeyToPKCS8(leaf.key, []byte("pässword"))
	if err != nil {
		t.Fatal(err)
	}
	encryptedPEM := pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: encrypted})
	public, err := x509.MarshalPKIXPublicKey(leaf.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	chain := bytes.Join([][]byte{leaf.certPEM(), lower.certPEM(), upper.certPEM(), root.certPEM()}, nil)
	shuffled := bytes.Join([][]byte{root.certPEM(), upper.certPEM(), leaf.keyPEM(t), leaf.certPEM(), lower.certPEM()}, nil)
	for name, c := range map[string]tlsconfig.Certificate{
		"PEM pair":                  {File: file(t, chain), KeyFile: file(t, leaf.keyPEM(t))},
		"PEM bundle in any order":   {File: file(t, shuffled)},
		"PEM with a BOM":            {File: file(t, []byte("\xef\xbb\xbf"), shuffled)},
		"PEM with CRLF":             {File: file(t, bytes.ReplaceAll(shuffled, []byte("\n"), []byte("\r\n")))},
		"PEM with its public key":   {File: file(t, publicPEM, shuffled)},
		"PEM with text around":      {File: file(t, []byte("Bag Attributes\n  x: y\n"), shuffled, []byte("\nend"))},
		"encrypted PKCS #8":         {File: file(t, chain), KeyFile: file(t, encryptedPEM), Password: "pässword"},
		"encrypted PKCS #8, bundle": {File: file(t, encryptedPEM, shuffled[:len(root.certPEM())], upper.certPEM(), lower.certPEM(), leaf.certPEM()), Password: "pässword"},
		"PFX":                       {File: file(t, pfx(pkcs12.Modern, leaf.cert, cas, "p")), Password: "p"},
		"PFX, 3DES":                 {File: file(t, pfx(pkcs12.LegacyDES, leaf.cert, cas, "p")), Password: "p"},
		"PFX, RC2":                  {File: file(t, pfx(pkcs12.LegacyRC2, leaf.cert, cas, "p")), Password: "p"},
		"PFX, empty password":       {File: file(t, pfx(pkcs12.LegacyDES, leaf.cert, cas, ""))},
		"PFX, without encryption":   {File: file(t, pfx(pkcs12.Passwordless, leaf.cert, cas, ""))},
		"PFX, authority first":      {File: file(t, pfx(pkcs12.Modern, root.cert, []*x509.Certificate{lower.cert, leaf.cert, upper.cert}, "p")), Password: "p"},
		"PFX, chosen by thumbprint": {File: file(t, pfx(pkcs12.Modern, leaf.cert, cas, "p")), Password: "p", Thumbprint: tlsconfig.SHA256(leaf.cert)},
		"PFX, chosen by SHA-1":      {File: file(t, pfx(pkcs12.Modern, leaf.cert, cas, "p")), Password: "p", Thumbprint: tlsconfig.SHA1(leaf.cert)},
	} {
		pair, err := c.Load()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for _, der := range pair.Certificate {
			cert, err := x509.ParseCertificate(der)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, cert.Subject.CommonName)
		}
		if want := []string{"Leaf", "Lower", "Upper"}; !slices.Equal(got, want) || !pair.Leaf.Equal(leaf.cert) {
			t.Errorf("%s: chain %q, want %q", name, got, want)
		}
	}
	for _, kind := range []keyKind{p256, p384, rsa2, ed} {
		i := issueKey(t, "x", newKey(t, kind), nil, nil)
		server := mustOpen(t, tlsconfig.Server{Certificates: []tlsconfig.Certificate{i.bundle(t)}})
		client := mustOpen(t, tlsconfig.Client{Trust: tlsconfig.Trust{Thumbprints: []tlsconfig.Thumbprint{tlsconfig.SHA256(i.cert)}}})
		if _, s, c := handshake(t, server, client, 1); s != nil || c != nil {
			t.Errorf("%s: %v, %v", kind, s, c)
		}
	}
}

// Every mistake has a type, names its setting, and says what to do; no password shows.
func TestCertificateMistakes(t *testing.T) {
	t.Parallel()
	a, b := issue(t, "A", nil, nil), issue(t, "B", nil, nil)
	modern, err := pkcs12.Modern.Encode(a.key, a.cert, nil, "right")
	if err != nil {
		t.Fatal(err)
	}
	trustStore, err := pkcs12.Modern.EncodeTrustStore([]*x509.Certificate{a.cert}, "right")
	if err != nil {
		t.Fatal(err)
	}
	encrypted, err := pkcs8.ConvertPrivateKeyToPKCS8(a.key, []byte("right"))
	if err != nil {
		t.Fatal(err)
	}
	encryptedKey := file(t, pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: encrypted}))
	public, err := x509.MarshalPKIXPublicKey(a.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	legacy := []byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n")
	missing := filepath.Join(t.TempDir(), "missing")
	for name, c := range map[string]struct {
		c     tlsconfig.Certificate
		is    error
		field string
		text  string
	}{
		"nothing":              {tlsconfig.Certificate{}, nil, "file", "missing: name a .pfx"},
		"store on this system": {tlsconfig.Certificate{Thumbprint: tlsconfig.SHA1(a.cert)}, tlsconfig.ErrUnsupported, "thumbprint", "to a PFX file and name that as file"},
		"no file":              {tlsconfig.Certificate{File: missing}, os.ErrNotExist, "file", "can't read"},
		"no key file":          {tlsconfig.Certificate{File: file(t, a.certPEM()), KeyFile: missing}, os.ErrNotExist, "key", "can't read"},
		"empty":                {tlsconfig.Certificate{File: file(t)}, tlsconfig.ErrUnsupported, "file", "neither PEM, nor a certificate in DER, nor a PFX"},
		"damaged PFX":          {tlsconfig.Certificate{File: file(t, modern[:len(modern)/2]), Password: "right"}, tlsconfig.ErrUnsupported, "file", ""},
		"no password":          {tlsconfig.Certificate{File: file(t, modern)}, tlsconfig.ErrPasswordRequired, "password", ""},
		"wrong password":       {tlsconfig.Certificate{File: file(t, modern), Password: "s3cret"}, tlsconfig.ErrPasswordWrong, "password", ""},
		"key, no password":     {tlsconfig.Certificate{File: file(t, a.certPEM()), KeyFile: encryptedKey}, tlsconfig.ErrPasswordRequired, "password", ""},
		"key, wrong password":  {tlsconfig.Certificate{File: file(t, a.certPEM()), KeyFile: encryptedKey, Password: "s3cret"}, tlsconfig.ErrPasswordWrong, "password", ""},
		"PFX without key":      {tlsconfig.Certificate{File: file(t, trustStore), Password: "right"}, tlsconfig.ErrNoPrivateKey, "file", "with its private key"},
		"certificate alone":    {tlsconfig.Certificate{File: file(t, a.certPEM())}, tlsconfig.ErrNoPrivateKey, "file", "the certificate alone"},
		"DER certificate":      {tlsconfig.Certificate{File: file(t, a.cert.Raw)}, tlsconfig.ErrNoPrivateKey, "file", "the certificate alone"},
		"key alone":            {tlsconfig.Certificate{File: file(t, a.keyPEM(t))}, tlsconfig.ErrNoCertificate, "file", ""},
		"public key":           {tlsconfig.Certificate{File: file(t, a.certPEM()), KeyFile: file(t, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))}, tlsconfig.ErrNoPrivateKey, "key", "public key in its place"},
		"another's key":        {tlsconfig.Certificate{File: file(t, a.certPEM()), KeyFile: file(t, b.keyPEM(t))}, tlsconfig.ErrKeyMismatch, "key", ""},
		"another's key inside": {tlsconfig.Certificate{File: file(t, a.certPEM(), b.keyPEM(t))}, tlsconfig.ErrKeyMismatch, "file", ""},
		"two keys":             {tlsconfig.Certificate{File: file(t, a.certPEM(), a.keyPEM(t), b.certPEM(), b.keyPEM(t))}, tlsconfig.ErrAmbiguous, "file", string(tlsconfig.SHA1(b.cert))},
		"another thumbprint":   {tlsconfig.Certificate{File: file(t, a.certPEM(), a.keyPEM(t)), Thumbprint: tlsconfig.SHA1(b.cert)}, tlsconfig.ErrNoCertificate, "thumbprint", string(tlsconfig.SHA1(a.cert))},
		"DEK-Info, damaged":    {tlsconfig.Certificate{File: file(t, a.certPEM(), legacy), Password: "right"}, tlsconfig.ErrUnsupported, "file", "openssl pkcs8 -topk8"},
		"binary key file":      {tlsconfig.Certificate{File: file(t, a.certPEM()), KeyFile: file(t, []byte{1, 2})}, tlsconfig.ErrUnsupported, "key", "a key file is PEM"},
		"damaged block":        {tlsconfig.Certificate{File: file(t, a.certPEM(), a.keyPEM(t), bytes.Replace(b.certPEM(), []byte("M"), []byte("!"), 3))}, nil, "file", "1 of the 3 PEM blocks in the file are damaged"},
		"damaged PEM":          {tlsconfig.Certificate{File: file(t, []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))}, nil, "file", "is damaged"},
	} {
		err := c.c.Validate()
		if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.text) || !slices.Equal(fieldsOf(err), []string{c.field}) {
			t.Errorf("%s: %v (about %q)", name, err, fieldsOf(err))
		}
		if strings.Contains(fmt.Sprintf("%v %+v", err, c.c), "s3cret") {
			t.Errorf("%s: the password shows: %v", name, err)
		}
	}
	both, err := tlsconfig.Certificate{File: file(t, a.certPEM(), a.keyPEM(t), b.certPEM(), b.keyPEM(t)), Thumbprint: tlsconfig.SHA1(b.cert)}.Load()
	if err != nil || !both.Leaf.Equal(b.cert) {
		t.Errorf("two keys, one chosen: %v", err)
	}
}

func TestSelfSigned(t *testing.T) {
	t.Parallel()
	pair, err := tlsconfig.SelfSigned{FriendlyName: "Lädle ✓", Names: []string{"localhost", "lab.example", "127.0.0.1", "::1"}}.Create()
	if err != nil {
		t.Fatal(err)
	}
	pfx, err := pair.PFX("pass wörd")
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "new.pfx")
	if err := tlsconfig.WriteFile(name, pfx); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if err := tlsconfig.WriteFile(name, pfx); !errors.Is(err, os.ErrExist) {
		t.Errorf("an existing file: %v", err)
	}
	loaded, err := tlsconfig.Certificate{File: name, Password: "pass wörd"}.Load()
	if err != nil || tlsconfig.SHA1(loaded.Leaf) != tlsconfig.SHA1(pair.Certificate) {
		t.Errorf("read back: %v", err)
	}
	if err := (tlsconfig.Certificate{File: name, Password: "wrong"}).Validate(); !errors.Is(err, tlsconfig.ErrPasswordWrong) {
		t.Errorf("wrong password: %v", err)
	}
	for _, host := range []string{"localhost", "lab.example", "127.0.0.1", "::1"} {
		if err := loaded.Leaf.VerifyHostname(host); err != nil {
			t.Error(err)
		}
	}
	if _, err := pair.PFX(""); !errors.Is(err, tlsconfig.ErrPasswordRequired) {
		t.Errorf("without a password: %v", err)
	}
	for _, bad := range []tlsconfig.SelfSigned{{}, {FriendlyName: "x"}, {Names: []string{"x"}}, {FriendlyName: "x", Names: []string{""}}, {FriendlyName: "x", Names: []string{"lab.example", " 10.0.0.5"}}, {FriendlyName: "x", Names: []string{"x"}, ValidFor: -1}} {
		if _, err := bad.Create(); err == nil {
			t.Errorf("%+v: no error", bad)
		}
	}
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed: whether it reads our PFX files is not tested")
	}
	cmd := exec.Command(openssl, "pkcs12", "-in", name, "-passin", "stdin", "-info", "-nokeys")
	cmd.Stdin = strings.NewReader("pass wörd\n")
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("friendlyName: ")) || !bytes.Contains(out, []byte("BEGIN CERTIFICATE")) {
		t.Errorf("openssl: %v\n%s", err, out)
	}
}

func FuzzCertificateFile(f *testing.F) {
	a := issue(f, "A", nil, nil)
	pfx, err := pkcs12.Modern.WithIterations(1).Encode(a.key, a.cert, nil, "p")
	if err != nil {
		f.Fatal(err)
	}
	plain, err := pkcs12.Passwordless.Encode(a.key, a.cert, nil, "")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{pfx, plain, a.cert.Raw, append(a.certPEM(), a.keyPEM(f)...), []byte("-----BEGIN "), nil} {
		f.Add(seed)
	}
	made, err := filepath.Glob(filepath.Join("testdata", "certificates", "p*"))
	if err != nil || len(made) < 60 {
		f.Fatalf("%d files, %v", len(made), err)
	}
	for _, name := range made {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, raw []byte) {
		name := filepath.Join(dir, "x")
		if err := os.WriteFile(name, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		pair, err := tlsconfig.Certificate{File: name, Password: "p"}.Load()
		if err == nil && (pair.Leaf == nil || pair.PrivateKey == nil || len(pair.Certificate) == 0) {
			t.Error("half a certificate")
		}
	})
}
