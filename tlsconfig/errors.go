package tlsconfig

import "errors"

// What can be wrong with a certificate, a key or a peer. Each error of this package
// wraps one of these where it fits, and adds what to do.
var (
	// ErrThumbprint: a text is no thumbprint.
	ErrThumbprint = errors.New("not a thumbprint")
	// ErrPasswordRequired: the file is protected, and no password was given.
	ErrPasswordRequired = errors.New("a password is required")
	// ErrPasswordWrong: the password doesn't open the file.
	ErrPasswordWrong = errors.New("the password is wrong")
	// ErrNoCertificate: there is no certificate in the file.
	ErrNoCertificate = errors.New("no certificate")
	// ErrNoPrivateKey: there is a certificate and no key to it.
	ErrNoPrivateKey = errors.New("no private key")
	// ErrKeyPermission: the key is there, and this account may not use it.
	ErrKeyPermission = errors.New("this account may not use the private key")
	// ErrKeyMismatch: the key is not the one of the certificate.
	ErrKeyMismatch = errors.New("the private key doesn't fit the certificate")
	// ErrAmbiguous: there are several keys, and nothing says which.
	ErrAmbiguous = errors.New("several certificates with a private key")
	// ErrExpired: the certificate's time is over.
	ErrExpired = errors.New("the certificate has expired")
	// ErrNotYetValid: the certificate's time has not begun.
	ErrNotYetValid = errors.New("the certificate is not valid yet")
	// ErrKeyUsage: the certificate isn't for what it is used for.
	ErrKeyUsage = errors.New("the certificate is not for this use")
	// ErrWeak: the certificate's key or signature can be forged.
	ErrWeak = errors.New("the certificate is weak")
	// ErrUnsupported: the file or key is of a kind that can't be read.
	ErrUnsupported = errors.New("not supported")
	// ErrNotTrusted: the peer's certificate is none of those that are trusted.
	ErrNotTrusted = errors.New("the peer's certificate is not trusted")
	// ErrRevoked: the authority has revoked the peer's certificate.
	ErrRevoked = errors.New("the certificate was revoked")
	// ErrNoPeerCertificate: the peer has shown no certificate.
	ErrNoPeerCertificate = errors.New("the peer has shown no certificate")
)

// A FieldError says which setting is wrong, by its name in the YAML form, such as
// "certificate[0].file".
type FieldError struct {
	Field string
	Err   error
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Err.Error() }
func (e *FieldError) Unwrap() error { return e.Err }

// FieldPath returns Field.
func (e *FieldError) FieldPath() string { return e.Field }

// field returns err as a FieldError, or nil.
func field(name string, err error) error {
	if err == nil {
		return nil
	}
	return &FieldError{name, err}
}
