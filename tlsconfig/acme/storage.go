package acme

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ladlehq/ladle/tlsconfig"
)

// maxStored is the largest file that is read.
const maxStored = 4 << 20

// A storage is the folder of one authority.
type storage string

// openStorage makes the folder for the authority of that directory.
func openStorage(root, directory string) (storage, error) {
	host := "authority"
	if u, err := url.Parse(directory); err == nil {
		host = strings.Map(func(r rune) rune {
			if r == ':' || r == '[' || r == ']' {
				return '_' // Windows has no colons in names
			}
			return r
		}, u.Host)
	}
	dir := filepath.Join(root, host+"-"+short(directory))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("the folder can't be made: %w", err)
	}
	// What was copied there by somebody may have come with other rights.
	if err := tighten(dir, 0o700); err != nil {
		return "", err
	}
	return storage(dir), nil
}

// short tells texts apart in the names of files.
func short(text string) string {
	sum := sha256.Sum256([]byte(text))
	return fmt.Sprintf("%x", sum[:4])
}

// tighten takes rights away that others have.
func tighten(name string, most fs.FileMode) error {
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm()&^most == 0 || os.PathSeparator == '\\' {
		return err
	}
	if err := os.Chmod(name, info.Mode().Perm()&most); err != nil {
		return fmt.Errorf("others can read the keys in %s, and their rights can't be taken away: make this account its owner: %w", name, err)
	}
	return nil
}

func (s storage) accountFile() string { return filepath.Join(string(s), "account.key") }

// certificateFile is that of the set of names, in whatever order.
func (s storage) certificateFile(names []string) string {
	sorted := slices.Sorted(slices.Values(names))
	return filepath.Join(string(s), "certificate-"+sorted[0][:min(len(sorted[0]), 100)]+"-"+short(strings.Join(sorted, " "))+".pem")
}

// account returns the account's key, a new one when there is none. damaged says that what
// was there is none, and was replaced.
func (s storage) account() (key crypto.Signer, damaged, err error) {
	file := s.accountFile()
	raw, err := s.read(file)
	if err == nil {
		key, damaged = parseAccount(raw)
		if damaged == nil {
			return key, nil, nil
		}
		damaged = fmt.Errorf("%s: %w: a new account is made", file, damaged)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	fresh, err := newKey()
	if err != nil {
		return nil, damaged, err
	}
	block, err := keyPEM(fresh)
	if err != nil {
		return nil, damaged, err
	}
	return fresh, damaged, tlsconfig.ReplaceFile(file, block)
}

func parseAccount(raw []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, errors.New("there is no key in the file")
	}
	any, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("the key is damaged")
	}
	key, ok := any.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("a key of type %T is none that this program has made", any)
	}
	return key, nil
}

// certificate returns what is stored for the names. It wraps [fs.ErrNotExist] when there
// is nothing, and errDamaged when it can't be used.
func (s storage) certificate(names []string) (*tls.Certificate, error) {
	file := s.certificateFile(names)
	raw, err := s.read(file)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(raw, raw)
	if err == nil {
		err = isFor(pair.Leaf, names)
	}
	if err != nil {
		return nil, &damagedError{file, err}
	}
	return &pair, nil
}

// A damagedError says that a stored certificate can't be used.
type damagedError struct {
	file string
	err  error
}

func (e *damagedError) Error() string {
	return fmt.Sprintf("%s can't be used: %v: a new certificate is asked for", e.file, e.err)
}
func (e *damagedError) Unwrap() error { return e.err }

// isFor reports whether leaf is for all of the names.
func isFor(leaf *x509.Certificate, names []string) error {
	for _, n := range names {
		if err := leaf.VerifyHostname(n); err != nil {
			return fmt.Errorf("the certificate isn't for %s", n)
		}
	}
	return nil
}

// store keeps a certificate and its key in one file, so that one always fits the other.
func (s storage) store(names []string, pair *tls.Certificate) error {
	content, err := keyPEM(pair.PrivateKey)
	if err != nil {
		return err
	}
	for _, der := range pair.Certificate {
		content = append(content, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return tlsconfig.ReplaceFile(s.certificateFile(names), content)
}

func (s storage) read(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := tighten(file, 0o600); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(f, maxStored))
}

func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

func keyPEM(key any) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
