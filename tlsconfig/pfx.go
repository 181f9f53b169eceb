package tlsconfig

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode/utf16"

	"software.sslmate.com/src/go-pkcs12"
)

// readDER reads a PFX file, and tells a bare certificate and a bare key apart.
func readDER(raw []byte, password Secret) (c content, err error) {
	defer refuseUnapproved(&err)
	if cert, err := x509.ParseCertificate(raw); err == nil {
		return content{certificates: []*x509.Certificate{cert}}, nil
	}
	if bytes.HasPrefix(raw, []byte("\xfe\xed\xfe\xed")) {
		return content{}, fmt.Errorf("%w: this is a Java keystore of the old kind: convert it with `keytool -importkeystore -srckeystore OLD -destkeystore NEW.p12 -deststoretype PKCS12`", ErrUnsupported)
	}
	der, err := toDER(raw)
	if err != nil {
		return content{}, notPFX(err)
	}
	var pfx pfxPDU
	if _, err := asn1.Unmarshal(der, &pfx); err != nil || pfx.Version != 3 {
		return content{}, bareDER(raw)
	}
	if !pfx.AuthSafe.Type.Equal(oidData) {
		return content{}, fmt.Errorf("%w: the PFX file is protected by a certificate in place of a password: export it again with a password", ErrUnsupported)
	}
	if pfx.Mac.Iterations > maxIterations {
		return content{}, fmt.Errorf("%w: the PFX file wants its password worked on %d times, which takes too long: export it again", ErrUnsupported, pfx.Mac.Iterations)
	}
	protected := len(pfx.Mac.Mac.Digest) > 0
	key, first, others, err := pkcs12.DecodeChain(der, password.Reveal())
	switch {
	case refusedByFIPS(err):
		return content{}, err
	case errors.Is(err, pkcs12.ErrIncorrectPassword) && password == "":
		return content{}, ErrPasswordRequired
	case errors.Is(err, pkcs12.ErrIncorrectPassword) && protected:
		return content{}, ErrPasswordWrong
	case err == nil:
		s, err := signer(key)
		if err != nil {
			return content{}, err
		}
		return content{certificates: append([]*x509.Certificate{first}, others...), keys: []privateKey{{Signer: s}}}, nil
	}
	// The library reads files of one key and two parts. Others are taken apart and given
	// to it part by part.
	c, err = readSafes(pfx, password)
	if err != nil {
		return content{}, err
	}
	if len(c.keys) == 0 && len(c.certificates) > 0 {
		return content{}, fmt.Errorf("%w in the PFX file: export the certificate again, with its private key", ErrNoPrivateKey)
	}
	return c, nil
}

// maxIterations bounds the work on a password. OpenSSL's is 2048, Java's 10,000, and that of
// the careful a few hundred thousand.
const maxIterations = 10_000_000

func notPFX(err error) error {
	return fmt.Errorf("%w: neither PEM, nor a certificate in DER, nor a PFX file that can be read (%w)", ErrUnsupported, err)
}

// bareDER says what else the file is.
func bareDER(raw []byte) error {
	if _, err := x509.ParsePKCS8PrivateKey(raw); err == nil {
		return fmt.Errorf("%w in the file, which is a private key alone: name the certificate's file as file and this one as key", ErrNoCertificate)
	}
	if _, err := x509.ParsePKIXPublicKey(raw); err == nil {
		return fmt.Errorf("%w: the file has a public key in its place", ErrNoPrivateKey)
	}
	if _, err := x509.ParseCertificateRequest(raw); err == nil {
		return fmt.Errorf("%w in the file, which is a request for one: use what the authority has answered", ErrNoCertificate)
	}
	return notPFX(errors.New("its structure is another"))
}

// readSafes reads a PFX part by part.
func readSafes(pfx pfxPDU, password Secret) (content, error) {
	var c content
	var safes []contentInfo
	if err := unwrap(pfx.AuthSafe, &safes); err != nil {
		return c, notPFX(err)
	}
	for _, safe := range safes {
		switch {
		case safe.Type.Equal(oidEncryptedData):
			if err := c.readEncrypted(safe, password); err != nil {
				return c, err
			}
		case safe.Type.Equal(oidData):
			var bags []safeBag
			if err := unwrap(safe, &bags); err != nil {
				return c, notPFX(err)
			}
			for _, bag := range bags {
				if err := c.readBag(bag, password); err != nil {
					return c, err
				}
			}
		default:
			return c, fmt.Errorf("%w: a part of the PFX file is encrypted for a certificate: export it again with a password", ErrUnsupported)
		}
	}
	return c, nil
}

// unwrap reads what is in a content of the type data.
func unwrap(c contentInfo, v any) error {
	var octets []byte
	if _, err := asn1.Unmarshal(c.Content.Bytes, &octets); err != nil {
		return err
	}
	der, err := toDER(octets)
	if err != nil {
		return err
	}
	_, err = asn1.Unmarshal(der, v)
	return err
}

// readBag reads a key or a certificate that stands by itself. What is neither, such as a
// revocation list, is passed over.
func (c *content) readBag(bag safeBag, password Secret) error {
	switch {
	case bag.ID.Equal(oidCertBag):
		var b certBag
		if _, err := asn1.Unmarshal(bag.Value.Bytes, &b); err != nil || !b.ID.Equal(oidX509Certificate) {
			return notPFX(errors.New("a certificate in it is of another kind"))
		}
		cert, err := x509.ParseCertificate(b.Data)
		if err != nil {
			return fmt.Errorf("certificate %d in the file is damaged: %w", len(c.certificates)+1, err)
		}
		c.certificates = append(c.certificates, cert)
	case bag.ID.Equal(oidKeyBag), bag.ID.Equal(oidShroudedKeyBag):
		name := friendlyName(bag)
		bag.Attributes = nil
		cert, err := dummyParts()
		if err != nil {
			return err
		}
		safe, err := dataContent([]safeBag{bag})
		if err != nil {
			return notPFX(err)
		}
		key, _, err := decodeParts(password, safe, cert.certificate)
		if err != nil {
			return err
		}
		s, err := signer(key)
		if err != nil {
			return err
		}
		c.keys = append(c.keys, privateKey{s, name})
	}
	return nil
}

// readEncrypted reads a part that is encrypted as a whole. It mostly has certificates, and
// may have one key.
func (c *content) readEncrypted(safe contentInfo, password Secret) error {
	dummy, err := dummyParts()
	if err != nil {
		return err
	}
	_, certificates, err := decodeParts(password, safe, dummy.key)
	if err != nil && strings.Contains(err.Error(), "exactly one key bag") {
		var key any
		if key, certificates, err = decodeParts(password, safe, dummy.certificate); err == nil {
			s, err := signer(key)
			if err != nil {
				return err
			}
			c.keys = append(c.keys, privateKey{Signer: s})
			certificates = certificates[:len(certificates)-1] // the dummy
		} else if strings.Contains(err.Error(), "exactly one key bag") {
			return fmt.Errorf("%w: several keys in one encrypted part of the PFX file: export them one by one", ErrUnsupported)
		}
	}
	if err != nil {
		if strings.Contains(err.Error(), "certificate missing") {
			return nil // neither certificates nor keys
		}
		return err
	}
	c.certificates = append(c.certificates, certificates...)
	return nil
}

// decodeParts lets the library read two parts, under a MAC of their own.
func decodeParts(password Secret, parts ...contentInfo) (key any, certificates []*x509.Certificate, err error) {
	// Where there is no password, some programs take an empty one, others none at all.
	forms := [][]byte{macPassword(password.Reveal())}
	if password == "" {
		forms = append(forms, nil)
	}
	for _, form := range forms {
		authSafe, err := asn1.Marshal(parts)
		if err != nil {
			return nil, nil, notPFX(err)
		}
		outer, err := dataContent(parts)
		if err != nil {
			return nil, nil, notPFX(err)
		}
		der, err := asn1.Marshal(pfxPDU{3, outer, newMAC(authSafe, form, 1)})
		if err != nil {
			return nil, nil, notPFX(err)
		}
		key, first, others, err := pkcs12.DecodeChain(der, password.Reveal())
		switch {
		case err == nil:
			return key, append([]*x509.Certificate{first}, others...), nil
		case refusedByFIPS(err), strings.Contains(err.Error(), "exactly one key bag"), strings.Contains(err.Error(), "certificate missing"):
			return nil, nil, err
		}
		if _, unsupported := errors.AsType[pkcs12.NotImplementedError](err); unsupported {
			return nil, nil, notPFX(err)
		}
	}
	// What was deciphered makes no sense.
	if password == "" {
		return nil, nil, ErrPasswordRequired
	}
	return nil, nil, ErrPasswordWrong
}

type dummies struct{ key, certificate contentInfo }

// dummyParts are a key and a certificate that nobody has: the library wants one of each.
var dummyParts = sync.OnceValues(func() (dummies, error) {
	pair, err := SelfSigned{FriendlyName: "dummy", Names: []string{"dummy"}}.Create()
	if err != nil {
		return dummies{}, err
	}
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return dummies{}, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return dummies{}, err
	}
	bag, err := newCertBag(pair.Certificate, "", nil)
	if err != nil {
		return dummies{}, err
	}
	bag.Attributes = nil
	var d dummies
	if d.certificate, err = dataContent([]safeBag{bag}); err != nil {
		return dummies{}, err
	}
	d.key, err = dataContent([]safeBag{{ID: oidKeyBag, Value: asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: pkcs8}}})
	return d, err
})

// friendlyName returns the name that somebody gave to a key, or "".
func friendlyName(bag safeBag) string {
	for _, a := range bag.Attributes {
		var name asn1.RawValue
		if !a.ID.Equal(oidFriendlyName) {
			continue
		}
		if _, err := asn1.Unmarshal(a.Value.Bytes, &name); err != nil || name.Tag != asn1.TagBMPString {
			continue
		}
		var units []uint16
		for b := name.Bytes; len(b) >= 2; b = b[2:] {
			units = append(units, binary.BigEndian.Uint16(b))
		}
		return string(utf16.Decode(units))
	}
	return ""
}

// The parts of PKCS #12 (RFC 7292) that are needed here.
type (
	pfxPDU struct {
		Version  int
		AuthSafe contentInfo
		Mac      macData `asn1:"optional"`
	}
	contentInfo struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"tag:0,explicit,optional"`
	}
	macData struct {
		Mac        digestInfo
		Salt       []byte
		Iterations int `asn1:"optional,default:1"`
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
	oidKeyBag          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 1}
	oidShroudedKeyBag  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 2}
	oidEncryptedData   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 6}
	oidData            = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidCertBag         = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 3}
	oidX509Certificate = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 22, 1}
	oidFriendlyName    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 20}
	oidLocalKeyID      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 21}
	oidSHA256          = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
)
