package tlsconfig_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ladlehq/ladle/tlsconfig"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// An identity is a certificate, its key, and who has issued it.
type identity struct {
	cert *x509.Certificate
	key  crypto.Signer
}

type keyKind string

const (
	p256 keyKind = "P-256"
	p384 keyKind = "P-384"
	rsa2 keyKind = "RSA 2048"
	ed   keyKind = "Ed25519"
)

func newKey(t testing.TB, kind keyKind) (key crypto.Signer) {
	t.Helper()
	var err error
	switch kind {
	case p384:
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case rsa2:
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case ed:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue makes a certificate; change may alter it before it is signed. A nil issuer
// stands for itself.
func issue(t testing.TB, name string, issuer *identity, change func(*x509.Certificate)) identity {
	t.Helper()
	return issueKey(t, name, newKey(t, p256), issuer, change)
}

func issueKey(t testing.TB, name string, key crypto.Signer, issuer *identity, change func(*x509.Certificate)) identity {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(100 * 24 * time.Hour),
		DNSNames: []string{"localhost"}, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if change != nil {
		change(c)
	}
	if issuer == nil {
		issuer = &identity{c, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, issuer.cert, key.Public(), issuer.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return identity{cert, key}
}

func authority(c *x509.Certificate) {
	c.IsCA, c.KeyUsage, c.DNSNames, c.ExtKeyUsage = true, x509.KeyUsageCertSign, nil, nil
}

func (i identity) certPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.cert.Raw})
}

func (i identity) keyPEM(t testing.TB) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(i.key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// file writes the parts into one file and returns its name.
func file(t testing.TB, parts ...[]byte) string {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "*.file")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range parts {
		if _, err := f.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Clean(f.Name())
}

func (i identity) bundle(t testing.TB) tlsconfig.Certificate {
	return tlsconfig.Certificate{File: file(t, i.certPEM(), i.keyPEM(t))}
}

// handshake connects client to server over a socket n times in a row and returns how
// the last one went on either side.
func handshake(t testing.TB, server, client *tls.Config, n int) (state tls.ConnectionState, serverErr, clientErr error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for range n {
		served := make(chan error, 1)
		go func() {
			c, err := l.Accept()
			if err != nil {
				served <- err
				return
			}
			defer c.Close()
			s := tls.Server(c, server)
			s.SetDeadline(time.Now().Add(10 * time.Second))
			if err = s.Handshake(); err == nil {
				_, err = s.Write([]byte("x")) // brings the session ticket, too
			}
			served <- err
		}()
		raw, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c := tls.Client(raw, client)
		c.SetDeadline(time.Now().Add(10 * time.Second))
		clientErr = c.Handshake()
		if clientErr == nil {
			if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
				clientErr = err
			}
		}
		state = c.ConnectionState()
		c.Close()
		serverErr = <-served
	}
	return state, serverErr, clientErr
}

// mustOpen returns the settings of what was opened until the test ends.
func mustOpen(t testing.TB, o interface {
	Open(ctx) (*tlsconfig.Source, error)
}) *tls.Config {
	t.Helper()
	s, err := o.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s.Config()
}

// fieldsOf returns the settings that err is about.
func fieldsOf(err error) (names []string) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			names = append(names, fieldsOf(e)...)
		}
		return names
	}
	if f, ok := errors.AsType[*tlsconfig.FieldError](err); ok {
		names = append(names, f.FieldPath())
	}
	return names
}
