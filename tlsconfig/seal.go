package tlsconfig

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// A password that was typed is kept in the table sealed: by the protection of Windows
// where that is (DPAPI), and elsewhere by a key in a file of its own beside the table,
// which its owner alone can read. That protects a table that is copied, shown or sent, and
// not against who can read both files.
const sealed = "sealed:"

// keepPassword returns what the table keeps of a password: a reference as it is, and
// anything else sealed.
func keepPassword(table string, password Secret) (string, error) {
	if password == "" || isReference(password.Reveal()) {
		return password.Reveal(), nil
	}
	box, err := seal(table, []byte(password.Reveal()))
	if err != nil {
		return "", fmt.Errorf("the password can't be kept: %w", err)
	}
	return sealed + base64.StdEncoding.EncodeToString(box), nil
}

// keptPassword returns the password that kept stands for.
func keptPassword(table, kept string) (Secret, error) {
	switch {
	case kept == "":
		return "", nil
	case isReference(kept):
		return resolveReference(kept)
	}
	text, ok := strings.CutPrefix(kept, sealed)
	box, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil {
		return "", errors.New(`the password is kept in a way that isn't known: bind the certificate again`)
	}
	password, err := unseal(table, box)
	if err != nil {
		return "", fmt.Errorf("the password that is kept can't be opened: %w: bind the certificate again", err)
	}
	return Secret(password), nil
}

const (
	envReference  = "${env:"
	fileReference = "${file:"
)

// isReference reports whether text says where a password is.
func isReference(text string) bool {
	return strings.HasSuffix(text, "}") && (strings.HasPrefix(text, envReference) || strings.HasPrefix(text, fileReference))
}

// resolveReference reads the password that ref says where it is.
func resolveReference(ref string) (Secret, error) {
	inner := strings.TrimSuffix(ref, "}")
	if name, ok := strings.CutPrefix(inner, envReference); ok {
		value, ok := os.LookupEnv(name)
		if !ok {
			return "", fmt.Errorf("%w: the environment has no variable %s", ErrPasswordRequired, name)
		}
		return Secret(value), nil
	}
	raw, err := readFile(strings.TrimPrefix(inner, fileReference))
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrPasswordRequired, err)
	}
	return Secret(strings.TrimRight(string(raw), "\r\n")), nil
}

// keySize is that of the key, for AES-256.
const keySize = 32

// sealWithKey seals text with the key beside the table, which is made when there is none.
func sealWithKey(table string, text []byte) ([]byte, error) {
	key, err := os.ReadFile(table + ".key")
	if errors.Is(err, fs.ErrNotExist) {
		key = make([]byte, keySize)
		rand.Read(key)
		if err = WriteFile(table+".key", key); err == nil {
			err = keepOwner(table+".key", table)
		}
	}
	if err != nil {
		return nil, err
	}
	box, err := newBox(table, key)
	if err != nil {
		return nil, err
	}
	return box.Seal(nil, nil, text, nil), nil
}

func unsealWithKey(table string, sealed []byte) ([]byte, error) {
	key, err := os.ReadFile(table + ".key")
	if err != nil {
		return nil, err
	}
	box, err := newBox(table, key)
	if err != nil {
		return nil, err
	}
	text, err := box.Open(nil, nil, sealed, nil)
	if err != nil {
		return nil, fmt.Errorf("it was sealed with another key than the one in %s.key", table)
	}
	return text, nil
}

func newBox(table string, key []byte) (cipher.AEAD, error) {
	if len(key) != keySize {
		return nil, fmt.Errorf("%s.key has %d bytes, and a key has %d: it is damaged: remove it", table, len(key), keySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
