package examples_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ladlehq/ladle/activities"
	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/engine/enginetest"
	"github.com/ladlehq/ladle/receivers"
	"github.com/ladlehq/ladle/tlsconfig"
	"software.sslmate.com/src/go-pkcs12"
)

// startBound runs a workflow whose certificate comes from a table.
func startBound(t testing.TB, address string, table *tlsconfig.Table) *engine.Engine {
	w := receive(&tlsconfig.Server{Certificates: []tlsconfig.Certificate{{Bound: tlsconfig.TableFile(table.File)}}}, t.TempDir())
	w.Receiver.(*receivers.HTTP).Address = address
	return start(t, w)
}

// leafAt returns the certificate that a client is shown.
func leafAt(address string) *x509.Certificate {
	c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return nil
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0]
}

// follows waits until clients are shown a certificate, or nothing when it is nil.
func follows(t testing.TB, address string, want *x509.Certificate) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		switch got := leafAt(address); {
		case got == nil && want == nil, got != nil && want != nil && got.Equal(want):
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("the port doesn't follow the table")
		}
	}
}

func newTable(t testing.TB) *tlsconfig.Table {
	return &tlsconfig.Table{File: filepath.Join(t.TempDir(), "bindings.json")}
}

// outcome checks what a call to the table has come to.
func outcome(t testing.TB, code tlsconfig.Code, text string) func(tlsconfig.Outcome, error) tlsconfig.Outcome {
	return func(o tlsconfig.Outcome, err error) tlsconfig.Outcome {
		t.Helper()
		said := o.String()
		if err != nil {
			said += ": " + err.Error()
		}
		if o.Code != code || !strings.Contains(said, text) {
			t.Errorf("%v: %v, want %q with %q", o, err, code, text)
		}
		return o
	}
}

func TestA01BindACertificateFile(t *testing.T) {
	t.Parallel()
	p, table, address := newParty(t, "127.0.0.1"), newTable(t), enginetest.FreeAddress(t)
	e := startBound(t, address, table)
	o := outcome(t, tlsconfig.CodeBound, "bound: "+address+" now has CN=party 127.0.0.1")(table.Bind(t.Context(), address, p.certificate()[0]))
	if o.Binding.SHA256 != tlsconfig.SHA256(p.pair.Certificate) || o.Binding.Endpoint.String() != address {
		t.Errorf("%+v", o.Binding)
	}
	follows(t, address, p.pair.Certificate)
	if ack, err := send(t, &activities.HTTPSender{URL: localURL(e), TLS: &tlsconfig.Client{Trust: p.pin()}}, adt); err != nil || ack.Code != "AA" {
		t.Errorf("%+v, %v", ack, err)
	}
}

func TestA02BindOnAnOccupiedPort(t *testing.T) {
	t.Parallel()
	a, b, table, address := newParty(t, "127.0.0.1"), newParty(t, "127.0.0.1"), newTable(t), enginetest.FreeAddress(t)
	outcome(t, tlsconfig.CodeBound, "")(table.Bind(t.Context(), address, a.certificate()[0]))
	startBound(t, address, table)
	before, err := os.ReadFile(table.File)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []party{b, a} {
		o := outcome(t, tlsconfig.CodeAlreadyBound, "unbind it first, or replace it")(table.Bind(t.Context(), address, p.certificate()[0]))
		if o.Binding == nil || o.Binding.SHA256 != tlsconfig.SHA256(a.pair.Certificate) {
			t.Errorf("it doesn't show A: %+v", o.Binding)
		}
	}
	if after, err := os.ReadFile(table.File); err != nil || string(after) != string(before) {
		t.Errorf("the table has changed: %s %v", after, err)
	}
	if c := leafAt(address); !c.Equal(a.pair.Certificate) {
		t.Errorf("clients see %v", c.Subject)
	}
	// With replace, new connections see B and open ones live on.
	open, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	outcome(t, tlsconfig.CodeReplaced, "")(table.Replace(t.Context(), address, b.certificate()[0]))
	follows(t, address, b.pair.Certificate)
	if _, err := fmt.Fprintf(open, "HEAD /hl7 HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 12)
	if _, err := open.Read(line); err != nil || string(line) != "HTTP/1.1 200" {
		t.Errorf("%q %v", line, err)
	}
}

func TestA03APFXAsksForItsPassword(t *testing.T) {
	t.Parallel()
	p := newParty(t, "127.0.0.1")
	pair, err := p.load()
	if err != nil {
		t.Fatal(err)
	}
	for name, encoder := range map[string]*pkcs12.Encoder{"3DES/SHA-1": pkcs12.LegacyDES, "AES-256/SHA-256": pkcs12.Modern, "RC2-40": pkcs12.LegacyRC2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pfx, err := encoder.Encode(pair.PrivateKey, pair.Leaf, nil, "sesame")
			if err != nil {
				t.Fatal(err)
			}
			c := tlsconfig.Certificate{File: filepath.Join(t.TempDir(), "server.pfx")}
			if err := tlsconfig.WriteFile(c.File, pfx); err != nil {
				t.Fatal(err)
			}
			table, address := newTable(t), enginetest.FreeAddress(t)
			outcome(t, tlsconfig.CodePasswordRequired, "a password is required")(table.Bind(t.Context(), address, c))
			asked := 0
			answer := tlsconfig.Secret("simsim")
			table.Password = func(context.Context, string) (tlsconfig.Secret, error) { asked++; return answer, nil }
			outcome(t, tlsconfig.CodePasswordWrong, "the password is wrong")(table.Bind(t.Context(), address, c))
			if rows, err := table.List(); len(rows) > 0 || err != nil || asked != 1 {
				t.Errorf("%+v, asked %d times: %v", rows, asked, err)
			}
			answer = "sesame"
			outcome(t, tlsconfig.CodeBound, "")(table.Bind(t.Context(), address, c))
			if asked != 2 {
				t.Errorf("asked %d times", asked-1)
			}
			startBound(t, address, table)
			follows(t, address, p.pair.Certificate)
			if raw, err := os.ReadFile(table.File); err != nil || strings.Contains(string(raw), "sesame") {
				t.Errorf("the password is in the table: %s %v", raw, err)
			}
		})
	}
	t.Run("empty password", func(t *testing.T) {
		t.Parallel()
		pfx, err := pkcs12.Modern.Encode(pair.PrivateKey, pair.Leaf, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		c := tlsconfig.Certificate{File: filepath.Join(t.TempDir(), "server.pfx")}
		if err := tlsconfig.WriteFile(c.File, pfx); err != nil {
			t.Fatal(err)
		}
		table, address := newTable(t), enginetest.FreeAddress(t)
		table.Password = func(context.Context, string) (tlsconfig.Secret, error) {
			t.Error("asked for a password that isn't needed")
			return "", nil
		}
		outcome(t, tlsconfig.CodeBound, "")(table.Bind(t.Context(), address, c))
		startBound(t, address, table)
		follows(t, address, p.pair.Certificate)
	})
	t.Run("a .cer has no private key", func(t *testing.T) {
		t.Parallel()
		outcome(t, tlsconfig.CodeNoPrivateKey, "use the .pfx it was exported to")(newTable(t).Bind(t.Context(), ":8443", tlsconfig.Certificate{File: p.crt}))
	})
}

func TestA04UnbindFreesThePort(t *testing.T) {
	t.Parallel()
	p, table, address := newParty(t, "127.0.0.1"), newTable(t), enginetest.FreeAddress(t)
	outcome(t, tlsconfig.CodeBound, "")(table.Bind(t.Context(), address, p.certificate()[0]))
	startBound(t, address, table)
	follows(t, address, p.pair.Certificate)
	outcome(t, tlsconfig.CodeUnbound, "unbound: "+address+" is free")(table.Unbind(t.Context(), address))
	follows(t, address, nil)
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatalf("another can't listen there: %v", err)
	}
	l.Close()
	outcome(t, tlsconfig.CodeBound, "")(table.Bind(t.Context(), address, p.certificate()[0]))
	follows(t, address, p.pair.Certificate)
}

func TestA05NothingToUnbind(t *testing.T) {
	t.Parallel()
	p, table := newParty(t, "127.0.0.1"), newTable(t)
	outcome(t, tlsconfig.CodeNotBound, "there is no certificate for :8443")(table.Unbind(t.Context(), ":8443"))
	if _, err := os.Stat(table.File); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a table was written: %v", err)
	}
	outcome(t, tlsconfig.CodeBound, "")(table.Bind(t.Context(), ":8444", p.certificate()[0]))
	before, _ := os.ReadFile(table.File)
	outcome(t, tlsconfig.CodeNotBound, "")(table.Unbind(t.Context(), ":8443"))
	if after, err := os.ReadFile(table.File); err != nil || string(after) != string(before) {
		t.Errorf("the table has changed: %s %v", after, err)
	}
}

// The port below 1024 is in TestA11PrivilegedPort.
func TestA06Privilege(t *testing.T) {
	t.Parallel()
	p, table, address := newParty(t, "127.0.0.1"), newTable(t), enginetest.FreeAddress(t)
	outcome(t, tlsconfig.CodeBound, "")(table.Bind(t.Context(), address, p.certificate()[0]))
	startBound(t, address, table)
	follows(t, address, p.pair.Certificate)
	before, _ := os.ReadFile(table.File)
	unchanged := func() {
		t.Helper()
		if after, err := os.ReadFile(table.File); err != nil || string(after) != string(before) || !leafAt(address).Equal(p.pair.Certificate) {
			t.Errorf("the state has changed: %s %v", after, err)
		}
	}
	stranger := &tlsconfig.Table{File: table.File, Owner: "somebody else"}
	outcome(t, tlsconfig.CodePermission, `you are "somebody else"`)(stranger.Unbind(t.Context(), address))
	outcome(t, tlsconfig.CodePermission, `you are "somebody else"`)(stranger.Replace(t.Context(), address, p.certificate()[0]))
	unchanged()
	if err := os.Chmod(table.File, 0o400); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(table.File, 0o600) }) // so that Windows can remove it
	outcome(t, tlsconfig.CodePermission, "is read-only")(table.Bind(t.Context(), ":8443", p.certificate()[0]))
	outcome(t, tlsconfig.CodePermission, "is read-only")(table.Unbind(t.Context(), address))
	unchanged()
}

// Everywhere: create, export, read back, same thumbprint. The store of Windows is in the
// tests of package tlsconfig, which run there.
func TestA10HomeMadeCertificate(t *testing.T) {
	t.Parallel()
	pair, err := tlsconfig.SelfSigned{FriendlyName: "Laboratory", Names: []string{"127.0.0.1"}}.Create()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "laboratory.pfx")
	pfx, err := pair.PFX("sesame")
	if err != nil {
		t.Fatal(err)
	}
	if err := tlsconfig.WriteFile(file, pfx); err != nil {
		t.Fatal(err)
	}
	c := tlsconfig.Certificate{File: file, Password: "sesame", FriendlyName: "Laboratory"}
	back, err := c.Load()
	if err != nil || tlsconfig.SHA1(back.Leaf) != tlsconfig.SHA1(pair.Certificate) {
		t.Fatalf("%v", err)
	}
	e := start(t, receive(&tlsconfig.Server{Certificates: []tlsconfig.Certificate{c}}, t.TempDir()))
	address := e.Addr("Receive HL7 over SSL").String()
	if got := leafAt(address); got == nil || !got.Equal(pair.Certificate) {
		t.Error("it can't be used by it")
	}
	if block, _ := pem.Decode(pair.PEM()); block == nil || string(block.Bytes) != string(pair.Certificate.Raw) {
		t.Error("the certificate alone is another")
	}
}
