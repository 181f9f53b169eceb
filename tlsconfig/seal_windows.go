package tlsconfig

import (
	"errors"
	"slices"
	"unsafe"

	"golang.org/x/sys/windows"
)

// seal uses the protection of Windows for the whole machine: the account that binds is
// seldom the one that the workflows run under. Who may read the table says its file.
func seal(_ string, text []byte) ([]byte, error) {
	in, out := blob(text), windows.DataBlob{}
	if err := windows.CryptProtectData(in, nil, nil, 0, nil, windows.CRYPTPROTECT_LOCAL_MACHINE|windows.CRYPTPROTECT_UI_FORBIDDEN, &out); err != nil {
		return nil, err
	}
	return take(out), nil
}

func unseal(_ string, sealed []byte) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, errors.New("it is empty")
	}
	in, out := blob(sealed), windows.DataBlob{}
	if err := windows.CryptUnprotectData(in, nil, nil, 0, nil, windows.CRYPTPROTECT_UI_FORBIDDEN, &out); err != nil {
		return nil, err
	}
	return take(out), nil
}

func blob(b []byte) *windows.DataBlob {
	return &windows.DataBlob{Size: uint32(len(b)), Data: unsafe.SliceData(b)}
}

// take copies what Windows has allocated, and frees it.
func take(b windows.DataBlob) []byte {
	defer windows.LocalFree(windows.Handle(unsafe.Pointer(b.Data)))
	return slices.Clone(unsafe.Slice(b.Data, b.Size))
}
