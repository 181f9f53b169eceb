package tlsconfig

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/ladlehq/ladle/tlsconfig/secret"
)

// Secret is a text that prints as [redacted]: see package secret.
type Secret = secret.Secret

// maxFile is the largest file that is read.
const maxFile = 4 << 20

// A Certificate says where a certificate and its private key are: in a file, or, on
// Windows, in the certificate store, by its thumbprint or its name. The zero value names
// none.
//
// A file may be PFX (also called PKCS#12, with the extension .pfx or .p12), or PEM with
// the certificate, its intermediates and the key in any order; which it is, is seen
// from its content. With PEM the key may be in a file of its own.
type Certificate struct {
	// File holds the certificate, and the key unless KeyFile is set. Without it the Windows
	// certificate store is meant.
	File string `yaml:"file" ladle:"path"`
	// KeyFile holds the key in PEM.
	KeyFile string `yaml:"key" ladle:"path"`
	// Password opens the file. "" stands for none, and for the empty one.
	Password Secret `yaml:"password"`
	// Thumbprint is the certificate that must be in the file, or the one of the store.
	Thumbprint Thumbprint `yaml:"thumbprint"`
	// FriendlyName chooses one of several keys in a PFX file, by the name that was given
	// to it there; Java calls it the alias.
	FriendlyName string `yaml:"friendly-name"`

	// Staple is a file with an OCSP response about the certificate (RFC 6960), in DER, as
	// `openssl ocsp -respout` writes it, in PEM or in Base64. A server shows it with the
	// certificate, and so does a client with TLS 1.3, so that peers know without asking
	// that it isn't revoked. The file is read again when it changes, by [Source.Watch].
	Staple string `yaml:"staple" ladle:"path"`
	// FetchStaple fetches the response by HTTP from the responder that the certificate
	// names, in place of a file. [Source.Watch] does so, when it begins and at half of the
	// time that each is in force. A responder that fails is asked again after a minute,
	// later after an hour, and what it has answered last is shown as long as it is in force.
	FetchStaple bool `yaml:"fetch-staple"`

	// Subject and SAN choose from the Windows store without a thumbprint: by the subject,
	// the common name alone or the whole, or by a host name that the certificate is for.
	// It is the newest valid one with a private key, so that a renewal changes nothing
	// here.
	Subject string `yaml:"subject"`
	SAN     string `yaml:"san"`
	// Store is the name of the Windows store. The default is My, which the certificate
	// manager shows as Personal.
	Store string `yaml:"store"`
	// Location says whose store it is. The default is LocalMachine.
	Location Location `yaml:"location"`

	// Bound takes certificates from a binding table in place of all the above: those that
	// are bound to the server's Endpoint, while they are. Only a server can have it. In a
	// file, true is the table bindings.json beside the workflow file. See [Table].
	Bound TableFile `yaml:"bound" ladle:"path"`
	// Issuer gets certificates by itself, in place of all the above. Only a server can have
	// one. In a file it is written by its name: `certificate: {acme: {...}}`.
	Issuer Issuer `yaml:",inline,omitempty"`
}

// Load reads the certificate with its intermediates and its key. The certificate is the
// one that fits the key, wherever it stands in the file; the intermediates follow in
// order, and a root that signed itself is left out, since peers have their own.
//
// An OCSP response isn't among it: it changes more often than the certificate, and a
// [Source] adds it to what it shows.
//
// A private key of the Windows store stays there. It is then an [io.Closer], which the
// caller closes when no connection needs it any more.
func (c Certificate) Load() (tls.Certificate, error) {
	if c.Issuer != nil || c.Bound != "" {
		return tls.Certificate{}, field("file", errors.New("there is an issuer or a binding table in place of a file, and only a server that is open has its certificates"))
	}
	if c.File == "" {
		if c.Thumbprint != "" || c.Subject != "" || c.SAN != "" {
			return c.loadFromStore()
		}
		return tls.Certificate{}, field("file", errors.New("missing: name a .pfx or a .pem file, or on Windows the thumbprint of a certificate in the store"))
	}
	for name, value := range map[string]string{"subject": c.Subject, "san": c.SAN, "store": c.Store} {
		if value != "" {
			return tls.Certificate{}, field(name, errors.New("is about the Windows certificate store, and a file is named, too: leave one away"))
		}
	}
	raw, err := readFile(c.File)
	if err != nil {
		return tls.Certificate{}, field("file", err)
	}
	var found content
	if isPEM(raw) {
		found, err = readPEM(raw, c.Password)
	} else {
		found, err = readDER(raw, c.Password)
	}
	if err != nil {
		return tls.Certificate{}, field(fieldOf(err), fmt.Errorf("%s: %w", c.File, err))
	}
	if c.KeyFile != "" {
		if err := c.readKeyFile(&found); err != nil {
			return tls.Certificate{}, err
		}
	}
	pair, err := found.pair(c.Thumbprint, c.FriendlyName)
	if err != nil {
		where := "file"
		if c.Thumbprint != "" && errors.Is(err, ErrNoCertificate) {
			where = "thumbprint"
		} else if c.FriendlyName != "" && errors.Is(err, ErrNoCertificate) {
			where = "friendly-name"
		} else if c.KeyFile != "" {
			where = "key"
		}
		return tls.Certificate{}, field(where, fmt.Errorf("%s: %w", c.File, err))
	}
	return pair, nil
}

// fieldOf names the setting that is to be changed.
func fieldOf(err error) string {
	if errors.Is(err, ErrPasswordRequired) || errors.Is(err, ErrPasswordWrong) {
		return "password"
	}
	return "file"
}

func (c Certificate) readKeyFile(found *content) error {
	raw, err := readFile(c.KeyFile)
	if err != nil {
		return field("key", err)
	}
	if !isPEM(raw) {
		return field("key", fmt.Errorf("%s: %w: a key file is PEM, with a line that begins with -----BEGIN", c.KeyFile, ErrUnsupported))
	}
	key, err := readPEM(raw, c.Password)
	if err != nil {
		name := fieldOf(err)
		if name == "file" {
			name = "key"
		}
		return field(name, fmt.Errorf("%s: %w", c.KeyFile, err))
	}
	if len(key.keys) == 0 {
		return field("key", fmt.Errorf("%s: %w in the file", c.KeyFile, ErrNoPrivateKey))
	}
	found.keys = key.keys
	found.certificates = append(found.certificates, key.certificates...)
	return nil
}

// Validate reads the files and reports every mistake, as [FieldError]s.
func (c Certificate) Validate() error {
	switch {
	case c.Bound != "":
		return c.validateBound()
	case c.Issuer != nil:
		return c.validateIssuer()
	}
	pair, err := c.Load()
	if err == nil {
		_, err = c.readStaple(pair, time.Now())
	}
	release(pair)
	return err
}

func (c Certificate) validateIssuer() error {
	issuer := c.Issuer
	c.Issuer = nil
	if c != (Certificate{}) {
		return field("file", errors.New("an issuer gets the certificate by itself: leave away what says where one is"))
	}
	return issuer.Validate()
}

func (c Certificate) validateBound() error {
	table := &Table{File: string(c.Bound)}
	c.Bound = ""
	if c != (Certificate{}) {
		return field("bound", errors.New("the table says where the certificate is: leave away what else says so"))
	}
	_, err := table.read()
	return field("bound", err)
}

// release gives a key of the store back.
func release(pair tls.Certificate) error {
	if closer, ok := pair.PrivateKey.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("can't read %s: %w", name, errors.Unwrap(err))
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("can't read %s: %w", name, errors.Unwrap(err))
	}
	if len(raw) > maxFile {
		return nil, fmt.Errorf("%s is larger than 4 MiB: that is no certificate file", name)
	}
	return raw, nil
}

// content is what was found in files.
type content struct {
	certificates []*x509.Certificate
	keys         []privateKey
}

type privateKey struct {
	crypto.Signer
	name string // friendly
}

// pair chooses the certificate that fits the key, or the one that is wanted.
func (c content) pair(wanted Thumbprint, name string) (tls.Certificate, error) {
	switch {
	case len(c.certificates) == 0:
		return tls.Certificate{}, fmt.Errorf("%w in the file, which is a private key alone: name the certificate's file as file and this one as key", ErrNoCertificate)
	case len(c.keys) == 0:
		return tls.Certificate{}, fmt.Errorf("%w: the file has the certificate alone: use the .pfx it was exported to, or name the key's file as key", ErrNoPrivateKey)
	}
	var found []tls.Certificate
	var names []string
	for _, key := range c.keys {
		if name != "" && !strings.EqualFold(key.name, name) && len(c.keys) > 1 {
			names = append(names, strconv.Quote(key.name))
			continue
		}
		for _, leaf := range c.certificates {
			if !fits(leaf, key) || contains(found, leaf) {
				continue
			}
			found = append(found, tls.Certificate{Certificate: c.chain(leaf), PrivateKey: key.Signer, Leaf: leaf})
		}
	}
	if len(found) == 0 && len(names) == len(c.keys) {
		return tls.Certificate{}, fmt.Errorf("%w with the friendly name %q in the file, which has %s", ErrNoCertificate, name, strings.Join(names, ", "))
	}
	if wanted != "" {
		for _, p := range found {
			if wanted.Matches(p.Leaf) {
				return p, nil
			}
		}
		return tls.Certificate{}, fmt.Errorf("%w with the thumbprint %s and a key in the file, which has %s", ErrNoCertificate, wanted, describe(found))
	}
	switch len(found) {
	case 0:
		return tls.Certificate{}, fmt.Errorf("%w: %s", ErrKeyMismatch, "they are from different requests: find the key that the certificate was requested with")
	case 1:
		return found[0], nil
	}
	return tls.Certificate{}, fmt.Errorf("%w: choose one by its thumbprint or its friendly name: %s", ErrAmbiguous, describe(found))
}

func contains(pairs []tls.Certificate, leaf *x509.Certificate) bool {
	for _, p := range pairs {
		if p.Leaf.Equal(leaf) {
			return true
		}
	}
	return false
}

func describe(pairs []tls.Certificate) string {
	var b bytes.Buffer
	for i, p := range pairs {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s (%s)", SHA1(p.Leaf), p.Leaf.Subject)
	}
	if b.Len() == 0 {
		return "none"
	}
	return b.String()
}

// fits reports whether key is the private key of c.
func fits(c *x509.Certificate, key crypto.Signer) bool {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(c.PublicKey)
}

// chain returns leaf and the certificates that lead from it to a root, without the
// root.
func (c content) chain(leaf *x509.Certificate) [][]byte {
	chain := [][]byte{leaf.Raw}
	used := map[*x509.Certificate]bool{leaf: true}
	for at := leaf; ; {
		next := c.issuer(at, used)
		if next == nil || isSelfSigned(next) {
			return chain
		}
		used[next] = true
		chain = append(chain, next.Raw)
		at = next
	}
}

func (c content) issuer(of *x509.Certificate, used map[*x509.Certificate]bool) *x509.Certificate {
	for _, i := range c.certificates {
		if !used[i] && bytes.Equal(of.RawIssuer, i.RawSubject) && of.CheckSignatureFrom(i) == nil {
			return i
		}
	}
	return nil
}

func isSelfSigned(c *x509.Certificate) bool {
	return bytes.Equal(c.RawIssuer, c.RawSubject)
}

// signer returns key as one that can sign.
func signer(key any) (crypto.Signer, error) {
	s, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%w: a key of type %T can't sign", ErrUnsupported, key)
	}
	if r, ok := key.(*rsa.PrivateKey); ok {
		if err := r.Validate(); err != nil {
			return nil, fmt.Errorf("the private key is damaged: %w", err)
		}
	}
	return s, nil
}
