package tlsconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// WriteFile writes a file that nobody else may read, with the rights 0600, whole or not
// at all. It fails when the file exists.
func WriteFile(name string, content []byte) error {
	return withNewFile(name, content, func(made string) error {
		err := os.Link(made, name)
		switch {
		case errors.Is(err, fs.ErrExist):
			return fmt.Errorf("%s exists already: choose another name, or remove it first: %w", name, fs.ErrExist)
		case err != nil:
			return fmt.Errorf("can't write %s: %w", name, errors.Unwrap(err))
		}
		return nil
	})
}

// ReplaceFile writes a file whole or not at all, in the place of the one that is there, whose
// rights and owner it keeps; where there is none it has the rights 0600. It is on disk when
// ReplaceFile returns.
func ReplaceFile(name string, content []byte) error {
	return withNewFile(name, content, func(made string) error {
		if err := keepRights(made, name); err != nil {
			return err
		}
		if err := rename(made, name); err != nil {
			return err
		}
		return syncFolder(filepath.Dir(name))
	})
}

// withNewFile writes content into a new file beside name, with the rights 0600, syncs it,
// and lets place bring it where it belongs.
func withNewFile(name string, content []byte, place func(made string) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".ladle-*.tmp")
	if err != nil {
		return fmt.Errorf("can't write %s: %w", name, errors.Unwrap(err))
	}
	defer func() { err = errors.Join(err, ignoreMissing(os.Remove(f.Name()))) }()
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return place(f.Name())
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func syncFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // which can't, and needn't
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
