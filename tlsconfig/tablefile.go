package tlsconfig

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/gofrs/flock"
)

const (
	// tableFormat is the version of the file's form.
	tableFormat = 1
	// maxBindings bounds the rows of a table.
	maxBindings = 10_000
	// lockTime is how long another process may hold the table.
	lockTime = 10 * time.Second
)

// tableContent is the file of a table.
type tableContent struct {
	Format   int       `json:"format"`
	Bindings []Binding `json:"bindings"`
}

// read returns the rows in order. A file that isn't there has none.
func (t *Table) read() ([]Binding, error) {
	rows, _, err := t.readFound()
	return rows, err
}

// readFound is read, and reports whether the file is there.
func (t *Table) readFound() (rows []Binding, found bool, err error) {
	raw, err := readFile(t.file())
	for range 20 {
		if runtime.GOOS != "windows" || err == nil || errors.Is(err, fs.ErrNotExist) {
			break
		}
		time.Sleep(10 * time.Millisecond) // it may be about to be replaced
		raw, err = readFile(t.file())
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, false, nil
	case errors.Is(err, fs.ErrPermission):
		return nil, false, fmt.Errorf("%w: %w: this account must be allowed to read it", ErrPermission, err)
	case err != nil:
		return nil, false, fmt.Errorf("%w: %w", ErrTable, err)
	}
	rows, err = parseTable(raw)
	if err != nil {
		return nil, false, fmt.Errorf("%w: %s:%w", ErrTable, t.file(), err)
	}
	return rows, true, nil
}

// parseTable reads the file strictly. An error begins with the line in which the row, or
// whatever else is wrong, begins.
func parseTable(raw []byte) ([]Binding, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	at := int64(0) // where what is being read begins
	rows, err := decodeTable(d, &at)
	if err == nil {
		slices.SortFunc(rows, compareRows)
		return rows, nil
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		at, err = int64(len(raw)), errors.New("the file ends too early")
	}
	at = min(at, int64(len(raw)))
	at += int64(len(raw[at:]) - len(bytes.TrimLeft(raw[at:], ", \t\r\n")))
	return nil, fmt.Errorf("%d: %w", 1+bytes.Count(raw[:at], []byte("\n")), err)
}

// decodeTable reads row by row, so that a mistake is told with the line of its row.
func decodeTable(d *json.Decoder, at *int64) (rows []Binding, err error) {
	want := func(delim json.Delim) error {
		*at = d.InputOffset()
		t, err := d.Token()
		if err == nil && t != delim {
			err = fmt.Errorf("want %v here", delim)
		}
		return err
	}
	if err := want('{'); err != nil {
		return nil, err
	}
	format, seen := 0, make(map[Endpoint]bool)
	for d.More() {
		*at = d.InputOffset()
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		switch key {
		case "format":
			if err := d.Decode(&format); err != nil {
				return nil, err
			}
		case "bindings":
			if err := want('['); err != nil {
				return nil, err
			}
			for d.More() {
				*at = d.InputOffset()
				var b Binding
				if err := d.Decode(&b); err != nil {
					return nil, err
				}
				if err := b.valid(); err != nil {
					return nil, err
				}
				if seen[b.Endpoint] {
					return nil, fmt.Errorf("%s is bound twice", b.Endpoint)
				}
				if rows = append(rows, b); len(rows) > maxBindings {
					return nil, fmt.Errorf("there are more than %d bindings", maxBindings)
				}
				seen[b.Endpoint] = true
			}
			if err := want(']'); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("unknown key %q: known here are format and bindings", key)
		}
	}
	if err := want('}'); err != nil {
		return nil, err
	}
	if format != tableFormat {
		return nil, fmt.Errorf("the format is %d, and this program knows %d alone: use the program that wrote it", format, tableFormat)
	}
	*at = d.InputOffset()
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the end of the table")
	}
	return rows, nil
}

// writable says why this account may not change the file, or nil.
func (t *Table) writable() error {
	info, err := os.Stat(t.file())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if dir, err := os.Stat(filepath.Dir(t.file())); err != nil || !dir.IsDir() {
			return fmt.Errorf("%w: there is no folder %s: make it first", ErrTable, filepath.Dir(t.file()))
		}
		return nil
	case err != nil:
		return fmt.Errorf("%w: %w", ErrTable, err)
	case info.IsDir():
		return fmt.Errorf("%w: %s is a folder: name a file in it", ErrTable, t.file())
	case info.Mode()&0o200 == 0:
		return fmt.Errorf("%w: %s is read-only: somebody has locked it against changes", ErrPermission, t.file())
	}
	f, err := os.OpenFile(t.file(), os.O_WRONLY, 0)
	if err != nil {
		return t.mayWrite(err)
	}
	return f.Close()
}

// mayWrite explains why a file of the table can't be written.
func (t *Table) mayWrite(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: this account may not change %s: use the account that runs the workflows: %w", ErrPermission, t.file(), err)
	}
	return fmt.Errorf("%w: %w", ErrTable, err)
}

// change writes the rows that edit makes of those that there are, under the lock. When edit
// returns an error nothing is written.
func (t *Table) change(ctx context.Context, edit func([]Binding) ([]Binding, error)) error {
	if err := t.writable(); err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, lockTime)
	defer cancel()
	file := t.file()
	lock := flock.New(file+".lock", flock.SetPermissions(0o600))
	defer lock.Close()
	_, err := lock.TryLockContext(waiting, 20*time.Millisecond)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("nothing was changed: %w", ctx.Err())
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: another process has held %s for %v: try again when it has ended", ErrBusy, lock.Path(), lockTime)
	case err != nil:
		return t.mayWrite(err)
	}
	// Who may change the table must be able to lock it. The lock of somebody else is so
	// already, or is theirs to change.
	if err := keepRights(lock.Path(), file); err != nil && !errors.Is(err, fs.ErrPermission) {
		return t.mayWrite(err)
	}
	rows, err := t.read()
	if err != nil {
		return err
	}
	if rows, err = edit(rows); err != nil {
		return err
	}
	if len(rows) > maxBindings {
		return fmt.Errorf("%w: it has %d bindings already", ErrTable, maxBindings)
	}
	slices.SortFunc(rows, compareRows)
	raw, err := json.MarshalIndent(tableContent{tableFormat, append([]Binding{}, rows...)}, "", "  ")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTable, err)
	}
	if err := ReplaceFile(file, append(raw, '\n')); err != nil {
		return t.mayWrite(err)
	}
	return nil
}
