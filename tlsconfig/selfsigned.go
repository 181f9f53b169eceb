package tlsconfig

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strings"
	"time"
)

// SelfSigned says what a home-made certificate is to be like.
type SelfSigned struct {
	// FriendlyName is what certificate managers show. It becomes the certificate's
	// common name, too. It is required.
	FriendlyName string
	// Names are the host names and IP addresses that the certificate is for. At least
	// one is required.
	Names []string
	// ValidFor is how long it is valid from now on; peers whose clocks are late accept it an
	// hour before, too. The default is two years.
	ValidFor time.Duration
}

// A KeyPair is a certificate and its private key.
type KeyPair struct {
	Certificate *x509.Certificate
	Key         crypto.Signer
	// Chain are the certificates that lead from it to a root. A home-made one has none.
	Chain []*x509.Certificate
	// FriendlyName is what certificate managers show. It may be empty.
	FriendlyName string
}

// LoadPair reads a certificate of a file with its chain and its key, to write it in another
// form. A key of the Windows store can't be had.
func LoadPair(c Certificate) (*KeyPair, error) {
	if c.File == "" {
		return nil, fmt.Errorf("%w: a private key of the Windows store stays there: export it with the certificate manager, or with certutil -exportPFX", ErrUnsupported)
	}
	pair, err := c.Load()
	if err != nil {
		return nil, err
	}
	k := &KeyPair{Certificate: pair.Leaf, Key: pair.PrivateKey.(crypto.Signer), FriendlyName: c.FriendlyName}
	for _, der := range pair.Certificate[1:] {
		x, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		k.Chain = append(k.Chain, x)
	}
	return k, nil
}

// Create makes a certificate that signs itself, with a new ECDSA key on the curve P-256.
// It can be shown by servers and by clients.
func (s SelfSigned) Create() (*KeyPair, error) {
	if s.FriendlyName == "" {
		return nil, errors.New("tlsconfig: a home-made certificate needs a friendly name")
	}
	if len(s.Names) == 0 {
		return nil, errors.New("tlsconfig: a home-made certificate needs a host name or an address that it is for")
	}
	valid := s.ValidFor
	if valid < 0 {
		return nil, errors.New("tlsconfig: a home-made certificate can't end before it begins")
	}
	if valid == 0 {
		valid = 2 * 365 * 24 * time.Hour
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: s.FriendlyName},
		NotBefore:             now.Add(-time.Hour), // peers' clocks differ
		NotAfter:              now.Add(valid),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	for _, n := range s.Names {
		if ip := net.ParseIP(n); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		if validHost(strings.ToLower(n)) != nil {
			return nil, fmt.Errorf("tlsconfig: %q is neither a host name nor an IP address", n)
		}
		template.DNSNames = append(template.DNSNames, n)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("tlsconfig: the certificate can't be made: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &KeyPair{Certificate: cert, Key: key, FriendlyName: s.FriendlyName}, nil
}

// PFX returns the pair as a PFX file that the password opens.
func (k *KeyPair) PFX(password Secret) ([]byte, error) {
	if password == "" {
		return nil, fmt.Errorf("tlsconfig: %w: a PFX file without one gives the private key to anybody", ErrPasswordRequired)
	}
	return encodePFX(k.Certificate, k.Chain, k.Key, k.FriendlyName, password.Reveal())
}

// PEM returns the certificate and its chain, without the key: what a partner is given to
// trust it.
func (k *KeyPair) PEM() []byte {
	var all []byte
	for _, c := range append([]*x509.Certificate{k.Certificate}, k.Chain...) {
		all = append(all, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return all
}

// KeyPEM returns the private key in PEM (PKCS #8), which opens without a password.
func (k *KeyPair) KeyPEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.Key)
	if err != nil {
		return nil, fmt.Errorf("tlsconfig: %w: %w", ErrUnsupported, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
