package tlsconfig

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"

	"software.sslmate.com/src/go-pkcs12"
)

// readDER reads a PFX file, and tells a bare certificate apart.
func readDER(raw []byte, password Secret) (content, error) {
	if cert, err := x509.ParseCertificate(raw); err == nil {
		return content{certificates: []*x509.Certificate{cert}}, nil
	}
	key, first, others, err := pkcs12.DecodeChain(raw, password.Reveal())
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword) && password == "":
		return content{}, ErrPasswordRequired
	case errors.Is(err, pkcs12.ErrIncorrectPassword):
		return content{}, ErrPasswordWrong
	case err != nil && strings.Contains(err.Error(), "private key missing"):
		return content{}, fmt.Errorf("%w in the PFX file: export the certificate again, with its private key", ErrNoPrivateKey)
	case err != nil:
		return content{}, fmt.Errorf("%w: neither PEM, nor a PFX file that can be read (%w)", ErrUnsupported, err)
	}
	s, err := signer(key)
	if err != nil {
		return content{}, err
	}
	return content{certificates: append([]*x509.Certificate{first}, others...), keys: []crypto.Signer{s}}, nil
}

// The parts of PKCS #12 (RFC 7292) that are needed to give a certificate a friendly
// name, which the library can't.
type (
	pfxPDU struct {
		Version  int
		AuthSafe contentInfo
		Mac      macData
	}
	contentInfo struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"tag:0,explicit,optional"`
	}
	macData struct {
		Mac        digestInfo
		Salt       []byte
		Iterations int
	}
	digestInfo struct {
		Algorithm pkix.AlgorithmIdentifier
		Digest    []byte
	}
	safeBag struct {
		ID         asn1.ObjectIdentifier
		Value      asn1.RawValue  `asn1:"tag:0,explicit"`
		Attributes []bagAttribute `asn1:"set,optional"`
	}
	bagAttribute struct {
		ID    asn1.ObjectIdentifier
		Value asn1.RawValue // a SET
	}
	certBag struct {
		ID   asn1.ObjectIdentifier
		Data []byte `asn1:"tag:0,explicit"`
	}
)

var (
	oidData            = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidCertBag         = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 3}
	oidX509Certificate = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 22, 1}
	oidFriendlyName    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 20}
	oidLocalKeyID      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 21}
	oidSHA256          = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
)

// macIterations makes guessing the password slow. OpenSSL and Windows use 2048.
const macIterations = 10_000

// encodePFX returns a PFX with cert under a friendly name and its key. The key is
// encrypted (PBES2 with AES-256, as OpenSSL 3 does); the certificate, which is public,
// isn't.
func encodePFX(cert *x509.Certificate, key crypto.Signer, friendlyName, password string) ([]byte, error) {
	encoded, err := pkcs12.Modern.Encode(key, cert, nil, password)
	if err != nil {
		return nil, err
	}
	if friendlyName == "" {
		return encoded, nil
	}
	var pfx pfxPDU
	var safes []contentInfo
	var authSafe []byte
	if _, err := asn1.Unmarshal(encoded, &pfx); err != nil {
		return nil, err
	}
	if _, err := asn1.Unmarshal(pfx.AuthSafe.Content.Bytes, &authSafe); err != nil {
		return nil, err
	}
	if _, err := asn1.Unmarshal(authSafe, &safes); err != nil {
		return nil, err
	}
	var keySafe []byte
	var keyBags []safeBag
	if len(safes) != 2 || !safes[1].Type.Equal(oidData) {
		return nil, errors.New("tlsconfig: the PFX library has changed the order of its parts")
	}
	if _, err := asn1.Unmarshal(safes[1].Content.Bytes, &keySafe); err != nil {
		return nil, err
	}
	if _, err := asn1.Unmarshal(keySafe, &keyBags); err != nil {
		return nil, err
	}
	// localKeyID is what binds the certificate to its key.
	bag, err := newCertBag(cert, friendlyName, keyBags[0].Attributes)
	if err != nil {
		return nil, err
	}
	certSafe, err := dataContent([]safeBag{bag})
	if err != nil {
		return nil, err
	}
	safes[0] = certSafe
	if pfx.AuthSafe, err = dataContent(safes); err != nil {
		return nil, err
	}
	if _, err := asn1.Unmarshal(pfx.AuthSafe.Content.Bytes, &authSafe); err != nil {
		return nil, err
	}
	pfx.Mac = newMAC(authSafe, password)
	return asn1.Marshal(pfx)
}

func newCertBag(cert *x509.Certificate, friendlyName string, keyAttributes []bagAttribute) (safeBag, error) {
	value, err := asn1.Marshal(certBag{oidX509Certificate, cert.Raw})
	if err != nil {
		return safeBag{}, err
	}
	name := bmpString(friendlyName)
	inner, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagBMPString, Bytes: name})
	if err != nil {
		return safeBag{}, err
	}
	bag := safeBag{
		ID:         oidCertBag,
		Value:      asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: value},
		Attributes: []bagAttribute{{oidFriendlyName, asn1.RawValue{Tag: asn1.TagSet, IsCompound: true, Bytes: inner}}},
	}
	for _, a := range keyAttributes {
		if a.ID.Equal(oidLocalKeyID) {
			bag.Attributes = append(bag.Attributes, a)
		}
	}
	return bag, nil
}

// dataContent wraps v, marshalled, as content of the type data.
func dataContent(v any) (contentInfo, error) {
	inner, err := asn1.Marshal(v)
	if err != nil {
		return contentInfo{}, err
	}
	octets, err := asn1.Marshal(inner)
	if err != nil {
		return contentInfo{}, err
	}
	return contentInfo{oidData, asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: octets}}, nil
}

func newMAC(authSafe []byte, password string) macData {
	salt := make([]byte, 16)
	rand.Read(salt) // never fails
	key := deriveMACKey(salt, append(bmpString(password), 0, 0), macIterations)
	mac := hmac.New(sha256.New, key)
	mac.Write(authSafe)
	return macData{
		Mac:        digestInfo{pkix.AlgorithmIdentifier{Algorithm: oidSHA256, Parameters: asn1.NullRawValue}, mac.Sum(nil)},
		Salt:       salt,
		Iterations: macIterations,
	}
}

// deriveMACKey is RFC 7292, appendix B.2, for SHA-256 and the purpose of a MAC. One
// round of it gives as many bytes as the MAC's key has.
func deriveMACKey(salt, password []byte, iterations int) []byte {
	const block, purpose = 64, 3
	var b []byte
	for range block {
		b = append(b, purpose)
	}
	for _, part := range [][]byte{salt, password} {
		n := (len(part) + block - 1) / block * block
		for i := range n {
			b = append(b, part[i%len(part)])
		}
	}
	sum := sha256.Sum256(b)
	for range iterations - 1 {
		sum = sha256.Sum256(sum[:])
	}
	return sum[:]
}

// bmpString is UTF-16, big end first.
func bmpString(s string) []byte {
	var b []byte
	for _, c := range utf16.Encode([]rune(s)) {
		b = binary.BigEndian.AppendUint16(b, c)
	}
	return b
}
