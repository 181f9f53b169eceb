package acme_test

import (
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ladlehq/ladle/tlsconfig"
	"github.com/ladlehq/ladle/tlsconfig/acme"
)

func TestMistakes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	aFile := write(t, dir, "file", []byte("text"))
	notCA := write(t, dir, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")}))
	right := func() *acme.Issuer {
		return &acme.Issuer{Domains: []string{"lab.example"}, AcceptTerms: true, Storage: filepath.Join(dir, "storage")}
	}
	if err := right().Validate(); err != nil {
		t.Error(err)
	}
	domain := func(d string) func(*acme.Issuer) { return func(i *acme.Issuer) { i.Domains = []string{d} } }
	directory := func(d string) func(*acme.Issuer) { return func(i *acme.Issuer) { i.Directory = d } }
	for name, c := range map[string]struct {
		change      func(*acme.Issuer)
		field, text string
	}{
		"no domain":      {func(i *acme.Issuer) { i.Domains = nil }, "domains", "name the host names"},
		"too many":       {func(i *acme.Issuer) { i.Domains = many(101) }, "domains", "100 are allowed"},
		"empty":          {domain(""), "domains[0]", "is no host name"},
		"address":        {domain("192.0.2.1"), "domains[0]", "is an IP address"},
		"address, IPv6":  {domain("[2001:db8::1]"), "domains[0]", "is an IP address"},
		"wildcard":       {domain("*.lab.example"), "domains[0]", "DNS-01"},
		"umlaut":         {domain("müller.example"), "domains[0]", "xn--"},
		"URL":            {domain("https://lab.example"), "domains[0]", "without a scheme"},
		"port":           {domain("lab.example:443"), "domains[0]", "without a scheme, port"},
		"underscore":     {domain("my_lab.example"), "domains[0]", "is no host name"},
		"dot at the end": {domain("lab.example."), "domains[0]", "is no host name"},
		"too long":       {domain(strings.Repeat("a", 64) + ".example"), "domains[0]", "is no host name"},
		"private name":   {domain("lab"), "domains[0]", "private network"},
		"twice":          {func(i *acme.Issuer) { i.Domains = []string{"lab.example", "LAB.example"} }, "domains[1]", "named twice"},
		"no agreement":   {func(i *acme.Issuer) { i.AcceptTerms = false }, "accept-terms", "write accept-terms: true"},
		"no storage":     {func(i *acme.Issuer) { i.Storage = "" }, "storage", "name a folder"},
		"storage a file": {func(i *acme.Issuer) { i.Storage = aFile }, "storage", "is a file"},
		"email":          {func(i *acme.Issuer) { i.Email = "IT" }, "email", "it@lab.example"},
		"email, named":   {func(i *acme.Issuer) { i.Email = "IT <it@lab.example>" }, "email", "it@lab.example"},
		"listener":       {func(i *acme.Issuer) { i.HTTPAddress = "80" }, "http-address", `write ":80"`},
		"listener, port": {func(i *acme.Issuer) { i.HTTPAddress = ":http-alt" }, "http-address", "is no port"},
		"no URL":         {directory("letsencrypt"), "directory", "write for example https://"},
		"other scheme":   {directory("ftp://ca.example/dir"), "directory", "write for example https://"},
		"plain":          {directory("http://ca.example/dir"), "directory", "not encrypted"},
		"password":       {directory("https://me:p4ss@ca.example/dir"), "directory", "no user and password"},
		"no CA":          {func(i *acme.Issuer) { i.DirectoryCA = filepath.Join(dir, "none") }, "directory-ca", "no such file"},
		"empty CA":       {func(i *acme.Issuer) { i.DirectoryCA = notCA }, "directory-ca", "no certificate in it"},
		"negative":       {func(i *acme.Issuer) { i.RenewBefore = -time.Hour }, "renew-before", "negative"},
		"key alone":      {func(i *acme.Issuer) { i.EAB.HMAC = "c2VjcmV0" }, "eab.key-id", "missing"},
		"key id alone":   {func(i *acme.Issuer) { i.EAB.KeyID = "x" }, "eab.hmac", "missing"},
		"no base64":      {func(i *acme.Issuer) { i.EAB = acme.ExternalAccount{KeyID: "x", HMAC: "p4ss!"} }, "eab.hmac", "base64"},
	} {
		i := right()
		c.change(i)
		err := i.Validate()
		f, ok := errors.AsType[*tlsconfig.FieldError](err)
		if !ok || f.Field != c.field || !strings.Contains(f.Error(), c.text) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if strings.Contains(err.Error(), "p4ss") {
			t.Errorf("%s: a secret is shown: %v", name, err)
		}
		if _, err := i.Open(t.Context()); err == nil {
			t.Errorf("%s: was opened", name)
		}
	}
	for name, change := range map[string]func(*acme.Issuer){
		"loopback":                   directory("http://127.0.0.1:14000/dir"),
		"loopback, by name":          directory("http://localhost:14000/dir"),
		"private name, own CA":       func(i *acme.Issuer) { i.Domains, i.Directory = []string{"lab"}, "https://ca.lan/acme/acme/directory" },
		"punycode":                   domain("xn--mller-kva.example"),
		"key in the other alphabet":  func(i *acme.Issuer) { i.EAB = acme.ExternalAccount{KeyID: "x", HMAC: "+/+/c2VjcmV0cw=="} },
		"key in the usual alphabet":  func(i *acme.Issuer) { i.EAB = acme.ExternalAccount{KeyID: "x", HMAC: "-_-_c2VjcmV0cw"} },
		"listener on one address":    func(i *acme.Issuer) { i.HTTPAddress = "10.0.0.5:80" },
		"as many names as there may": func(i *acme.Issuer) { i.Domains = many(100) },
	} {
		i := right()
		change(i)
		if err := i.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// All of them are told at once, and nothing is made.
	if n := len((&acme.Issuer{}).Validate().(interface{ Unwrap() []error }).Unwrap()); n != 3 {
		t.Errorf("the zero value has %d mistakes", n)
	}
	if all, err := filepath.Glob(filepath.Join(dir, "storage*")); err != nil || len(all) != 0 {
		t.Errorf("made: %v, %v", all, err)
	}
}

func many(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("lab%d.example", i))
	}
	return names
}

// What Open can't take is a mistake of the setting, too, and leaves nothing open.
func TestCannotOpen(t *testing.T) {
	t.Parallel()
	taken := listen(t)
	dir := t.TempDir()
	aFile := write(t, dir, "file", nil)
	for field, i := range map[string]*acme.Issuer{
		"http-address": {Domains: []string{"lab.example"}, AcceptTerms: true, Storage: dir, HTTPAddress: taken.Addr().String()},
		"storage":      {Domains: []string{"lab.example"}, AcceptTerms: true, Storage: filepath.Join(aFile, "below")},
	} {
		_, err := i.Open(t.Context())
		if f, ok := errors.AsType[*tlsconfig.FieldError](err); !ok || f.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// A listener that ends by itself is told of, while the certificate goes on being shown.
func TestListenerEnds(t *testing.T) {
	t.Parallel()
	public := listen(t)
	hanging := listen(t)
	s := serve(t, listen(t), &acme.Issuer{
		Domains: []string{"lab.example"}, AcceptTerms: true, Storage: t.TempDir(),
		Directory: "http://" + hanging.Addr().String(), HTTPListener: brokenListener{public},
	})
	hanging.Close()
	s.watch()
	for {
		if err := s.refused(t); strings.Contains(err.Error(), "nothing listens on http-address any more") {
			break
		}
	}
}

type brokenListener struct{ net.Listener }

func (brokenListener) Accept() (net.Conn, error) { return nil, errors.New("out of order") }

// Whoever opens connections and says nothing gets no more than so many, and the listener
// has room again when they are gone.
func TestListenerIsBounded(t *testing.T) {
	t.Parallel()
	public := listen(t)
	i, err := (&acme.Issuer{Domains: []string{"lab.example"}, AcceptTerms: true, Storage: t.TempDir(), HTTPListener: public}).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	ask := func() error {
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}).Get("http://" + public.Addr().String() + "/")
		if err == nil {
			err = resp.Body.Close()
		}
		return err
	}
	var silent []net.Conn
	for range 256 {
		c, err := net.Dial("tcp", public.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		silent = append(silent, c)
	}
	if err := ask(); err == nil {
		t.Error("one more is served")
	}
	for _, c := range silent {
		c.Close()
	}
	deadline := time.After(patience)
	for err := ask(); err != nil; err = ask() {
		select {
		case <-deadline:
			t.Fatalf("there is no room again: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// registered is what an engine's registry is to this package.
type registered []string

func (r *registered) RegisterType(iface reflect.Type, kind, name string, t reflect.Type) error {
	*r = append(*r, fmt.Sprintf("%v %s %s %v", iface, kind, name, t))
	return nil
}

func TestRegister(t *testing.T) {
	t.Parallel()
	var r registered
	if err := acme.Register(&r); err != nil || !slices.Equal(r, registered{"tlsconfig.Issuer issuer acme acme.Issuer"}) {
		t.Errorf("%q, %v", r, err)
	}
}
