package tlsconfig

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/youmark/pkcs8"
)

var bom = []byte("\xef\xbb\xbf")

// isPEM reports whether raw is PEM, by the line that every PEM block begins with.
func isPEM(raw []byte) bool { return bytes.Contains(raw, []byte("-----BEGIN ")) }

// pemBlocks returns every block of a PEM file. A block that is damaged is an error:
// without it a chain would be shorter than its owner thinks.
func pemBlocks(raw []byte) ([]*pem.Block, error) {
	begun := bytes.Count(raw, []byte("-----BEGIN "))
	raw = bytes.TrimPrefix(raw, bom)
	var all []*pem.Block
	for {
		var block *pem.Block
		if block, raw = pem.Decode(raw); block == nil {
			break
		}
		all = append(all, block)
	}
	if len(all) != begun {
		return nil, fmt.Errorf("%d of the %d PEM blocks in the file are damaged: copy it again, whole and as text", begun-len(all), begun)
	}
	return all, nil
}

func isCertificate(b *pem.Block) bool {
	return b.Type == "CERTIFICATE" || b.Type == "TRUSTED CERTIFICATE" || b.Type == "X509 CERTIFICATE"
}

// readPEM reads every certificate and key of a PEM file.
func readPEM(raw []byte, password Secret) (c content, err error) {
	defer refuseUnapproved(&err)
	blocks, err := pemBlocks(raw)
	if err != nil {
		return c, err
	}
	public, request := false, false
	for _, block := range blocks {
		switch {
		case isCertificate(block):
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return c, fmt.Errorf("certificate %d in the file is damaged: %w", len(c.certificates)+1, err)
			}
			c.certificates = append(c.certificates, cert)
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			key, err := pemKey(block, password)
			if err != nil {
				return c, err
			}
			c.keys = append(c.keys, privateKey{Signer: key})
		case strings.HasSuffix(block.Type, "PUBLIC KEY"):
			public = true
		case strings.HasSuffix(block.Type, "CERTIFICATE REQUEST"):
			request = true
		}
	}
	if request && len(c.certificates) == 0 {
		return c, fmt.Errorf("%w in the file, which has a request for one: use what the authority has answered", ErrNoCertificate)
	}
	if public && len(c.keys) == 0 {
		return c, fmt.Errorf("%w: the file has a public key in its place", ErrNoPrivateKey)
	}
	if len(c.certificates) == 0 && len(c.keys) == 0 {
		return c, fmt.Errorf("%w and no key in the file, whose PEM blocks are of the kind %q", ErrNoCertificate, blocks[0].Type)
	}
	return c, nil
}

func pemKey(block *pem.Block, password Secret) (crypto.Signer, error) {
	if block.Headers["DEK-Info"] != "" {
		if password == "" {
			return nil, fmt.Errorf("%w: the key is encrypted", ErrPasswordRequired)
		}
		//lint:ignore SA1019 OpenSSL's old way is weak, and it is what the files of many years are in.
		plain, err := x509.DecryptPEMBlock(block, []byte(password.Reveal()))
		if errors.Is(err, x509.IncorrectPasswordError) {
			return nil, ErrPasswordWrong
		}
		if err != nil {
			return nil, fmt.Errorf("%w: the encryption of the key: write it anew with `openssl pkcs8 -topk8 -in OLD -out NEW`", ErrUnsupported)
		}
		key, err := pemKey(&pem.Block{Type: block.Type, Bytes: plain}, "")
		if err != nil {
			// A wrong password is not always noticed before.
			return nil, ErrPasswordWrong
		}
		return key, nil
	}
	var key any
	var err error
	switch block.Type {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "ENCRYPTED PRIVATE KEY":
		if password == "" {
			return nil, fmt.Errorf("%w: the key is encrypted", ErrPasswordRequired)
		}
		if key, _, err = pkcs8.ParsePrivateKey(block.Bytes, []byte(password.Reveal())); err != nil {
			if strings.Contains(err.Error(), "incorrect password") {
				return nil, ErrPasswordWrong
			}
			return nil, fmt.Errorf("%w: the encryption of the key (%w): write it anew with `openssl pkcs8 -topk8 -in OLD -out NEW`", ErrUnsupported, err)
		}
	default:
		return nil, fmt.Errorf("%w: a key of the kind %q", ErrUnsupported, block.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("the private key is damaged: %w", err)
	}
	return signer(key)
}

// readCertificates reads every certificate of a file that others are to be trusted by:
// PEM, or one in DER.
func readCertificates(name string) ([]*x509.Certificate, error) {
	raw, err := readFile(name)
	if err != nil {
		return nil, err
	}
	if !isPEM(raw) {
		cert, err := x509.ParseCertificate(raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w: the file is neither PEM nor a certificate in DER", name, ErrNoCertificate)
		}
		return []*x509.Certificate{cert}, nil
	}
	blocks, err := pemBlocks(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var all []*x509.Certificate
	for _, b := range blocks {
		if !isCertificate(b) {
			continue // a key that lies beside them is nobody's business here
		}
		cert, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: certificate %d in the file is damaged: %w", name, len(all)+1, err)
		}
		all = append(all, cert)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: %w in the file", name, ErrNoCertificate)
	}
	return all, nil
}
