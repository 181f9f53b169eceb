package tlsconfig

import (
	"crypto"
	"crypto/fips140"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"unicode/utf16"

	"software.sslmate.com/src/go-pkcs12"
)

// macIterations makes guessing the password slow. OpenSSL and Windows use 2048.
const macIterations = 10_000

// encodePFX returns a PFX with cert under a friendly name, its key, and the chain. The key
// is encrypted (PBES2 with AES-256, as OpenSSL 3 does); the certificates, which are public,
// aren't.
func encodePFX(cert *x509.Certificate, chain []*x509.Certificate, key crypto.Signer, friendlyName, password string) ([]byte, error) {
	var encoded []byte
	var err error
	// SHA-1 is nothing but the name by which the key and its certificate find each other.
	fips140.WithoutEnforcement(func() { encoded, err = pkcs12.Modern.Encode(key, cert, chain, password) })
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
	bags := []safeBag{bag}
	for _, c := range chain {
		if bag, err = newCertBag(c, "", nil); err != nil {
			return nil, err
		}
		bags = append(bags, bag)
	}
	certSafe, err := dataContent(bags)
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
	pfx.Mac = newMAC(authSafe, macPassword(password), macIterations)
	return asn1.Marshal(pfx)
}

func newCertBag(cert *x509.Certificate, friendlyName string, keyAttributes []bagAttribute) (safeBag, error) {
	value, err := asn1.Marshal(certBag{oidX509Certificate, cert.Raw})
	if err != nil {
		return safeBag{}, err
	}
	bag := safeBag{
		ID:    oidCertBag,
		Value: asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: value},
	}
	if friendlyName != "" {
		inner, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagBMPString, Bytes: bmpString(friendlyName)})
		if err != nil {
			return safeBag{}, err
		}
		bag.Attributes = []bagAttribute{{oidFriendlyName, asn1.RawValue{Tag: asn1.TagSet, IsCompound: true, Bytes: inner}}}
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

// macPassword is the form of a password that keys are derived from.
func macPassword(password string) []byte { return append(bmpString(password), 0, 0) }

func newMAC(authSafe, password []byte, iterations int) macData {
	salt := make([]byte, 16)
	rand.Read(salt) // never fails
	key := deriveMACKey(salt, password, iterations)
	mac := hmac.New(sha256.New, key)
	mac.Write(authSafe)
	return macData{
		Mac:        digestInfo{pkix.AlgorithmIdentifier{Algorithm: oidSHA256, Parameters: asn1.NullRawValue}, mac.Sum(nil)},
		Salt:       salt,
		Iterations: iterations,
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
