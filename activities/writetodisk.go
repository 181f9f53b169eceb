package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/google/uuid"
	"github.com/ladlehq/ladle/engine"
)

// WriteToDisk writes each message into a file of its own, byte for byte, or appends it
// to one. The file appears under its name when it is whole and its bytes and its
// folder are synced to disk, and only then does the activity succeed; a crash leaves
// no half file under the name.
//
// A file name that comes from a message can't leave the directory or name a device:
// what doesn't fit becomes an underscore, and a name that is too long is cut and told
// apart by a hash. Files get the rights 0640 and folders 0750, less the umask.
//
// In a file it is `write-to-disk: {...}`. The zero value lacks a directory.
type WriteToDisk struct {
	// Directory is the folder to write into. It is made when it isn't there. It is
	// required.
	Directory string `yaml:"directory" ladle:"path"`
	// File is the name of the file below Directory, a template over the message
	// ([engine.Template]). Slashes make folders. The default is "${MessageID}.hl7".
	File string `yaml:"file"`
	// Exists says what to do when there is a file of that name. The default is
	// ExistsNumber.
	Exists Exists `yaml:"exists"`
	// Separator is written behind each message with ExistsAppend, and is an error
	// without it. The default is a line feed.
	Separator string `yaml:"separator"`
	// NoSync leaves it to the system when the bytes reach the disk. It is faster, and a
	// power cut loses messages that were acknowledged.
	NoSync bool `yaml:"no-sync"`

	file    engine.Template
	seed    maphash.Seed
	appends [64]sync.Mutex // by the file's name

	mu      sync.Mutex
	numbers map[string]int // the last number of names that were taken
}

// Exists says what to do when there is a file of the name already.
type Exists int

const (
	// ExistsNumber writes name-2, name-3 and so on. In a file: number.
	ExistsNumber Exists = iota
	// ExistsOverwrite replaces the file as one step. In a file: overwrite.
	ExistsOverwrite
	// ExistsAppend adds the message to the file, with the separator behind it. In a
	// file: append.
	ExistsAppend
	// ExistsFail fails the activity with [ErrFileExists]. In a file: fail.
	ExistsFail
)

var existsNames = []string{"number", "overwrite", "append", "fail"}

func (e Exists) String() string {
	if e < 0 || int(e) >= len(existsNames) {
		return fmt.Sprintf("exists %d", int(e))
	}
	return existsNames[e]
}

// UnmarshalText reads "number", "overwrite", "append" or "fail".
func (e *Exists) UnmarshalText(text []byte) error {
	for i, name := range existsNames {
		if name == string(text) {
			*e = Exists(i)
			return nil
		}
	}
	return fmt.Errorf("%q is nothing to do with a file that exists: write number, overwrite, append or fail", text)
}

// ErrFileExists says that ExistsFail has met a file of the same name.
var ErrFileExists = errors.New("a file of this name exists already")

const defaultFile = "${MessageID}.hl7"

// Prepare checks the settings.
func (w *WriteToDisk) Prepare(env engine.Env) error {
	var errs []error
	if w.Directory == "" {
		errs = append(errs, engine.InField("directory", errors.New("missing: name the folder to write into")))
	}
	if strings.ContainsRune(w.Directory, 0) {
		errs = append(errs, engine.InField("directory", errors.New("a NUL can't be in the name of a folder")))
	}
	w.File = cmp.Or(w.File, defaultFile)
	if err := checkFileTemplate(w.File); err != nil {
		errs = append(errs, engine.InField("file", err))
	} else {
		w.file, err = engine.CompileTemplate(env, w.File)
		errs = append(errs, engine.InField("file", err))
	}
	if w.Exists == ExistsAppend {
		w.Separator = cmp.Or(w.Separator, "\n")
	} else if w.Separator != "" {
		errs = append(errs, engine.InField("separator", errors.New("stands between messages of one file: it goes with exists: append")))
	}
	w.seed = maphash.MakeSeed()
	w.numbers = make(map[string]int)
	return errors.Join(errs...)
}

// Open makes the directory and tries whether it can be written into.
func (w *WriteToDisk) Open(context.Context) error {
	root, err := w.root()
	if err != nil {
		return err
	}
	defer root.Close()
	name := temporaryName()
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
	if err != nil {
		return fmt.Errorf("can't write into the directory %s: %w", w.Directory, err)
	}
	return errors.Join(f.Close(), root.Remove(name))
}

// Close has nothing to release.
func (w *WriteToDisk) Close() error { return nil }

// root opens the directory, and makes it when it isn't there. It is opened for each
// message, so that a folder which somebody moves away is noticed.
func (w *WriteToDisk) root() (*os.Root, error) {
	root, err := os.OpenRoot(w.Directory)
	if errors.Is(err, fs.ErrNotExist) {
		if err = mkdirSynced(w.Directory); err == nil {
			root, err = os.OpenRoot(w.Directory)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("can't open the directory %s: %w", w.Directory, err)
	}
	return root, nil
}

// mkdirSynced makes dir and its parents, and syncs each new one's parent.
func mkdirSynced(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	dir = filepath.Clean(dir)
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := mkdirSynced(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	f, err := os.Open(parent)
	if err != nil {
		return err
	}
	return syncFolder(f)
}

// syncFolder syncs the folder f and closes it.
func syncFolder(f *os.File) error {
	defer f.Close()
	if runtime.GOOS == "windows" {
		return nil // a folder that is open for reading can't be synced there; NTFS keeps a journal of names
	}
	return f.Sync()
}

// Do writes m.
func (w *WriteToDisk) Do(_ context.Context, m *engine.Message) error {
	name, err := w.file.Render(m, cleanValue)
	if err != nil {
		return fmt.Errorf("file: %w", err)
	}
	name = cleanPath(name)
	root, err := w.root()
	if err != nil {
		return err
	}
	defer root.Close()
	if w.Exists == ExistsAppend {
		return w.append(root, name, m.Body())
	}
	return w.write(root, name, m.Body())
}

func temporaryName() string { return ".ladle-" + uuid.NewString() + ".tmp" }

// create opens a new file, and makes its folder when that isn't there.
func (w *WriteToDisk) create(root *os.Root, name string, flag int) (*os.File, error) {
	f, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY|flag, 0o640)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	if err := w.mkdir(root, path.Dir(name)); err != nil {
		return nil, err
	}
	return root.OpenFile(name, os.O_CREATE|os.O_WRONLY|flag, 0o640)
}

func (w *WriteToDisk) mkdir(root *os.Root, dir string) error {
	if dir == "." {
		return nil
	}
	if err := w.mkdir(root, path.Dir(dir)); err != nil {
		return err
	}
	if err := root.Mkdir(dir, 0o750); errors.Is(err, fs.ErrExist) {
		return nil
	} else if err != nil {
		return err
	}
	return w.syncDir(root, path.Dir(dir))
}

func (w *WriteToDisk) syncDir(root *os.Root, dir string) error {
	if w.NoSync {
		return nil
	}
	f, err := root.Open(dir)
	if err != nil {
		return err
	}
	return syncFolder(f)
}

// write writes body under a temporary name in the same folder, syncs it, and gives it
// its own name.
func (w *WriteToDisk) write(root *os.Root, name string, body []byte) (err error) {
	temporary := path.Join(path.Dir(name), temporaryName())
	f, err := w.create(root, temporary, os.O_EXCL)
	if err != nil {
		return err
	}
	kept := true
	defer func() {
		if kept {
			err = errors.Join(err, root.Remove(temporary))
		}
	}()
	_, err = f.Write(body)
	if err == nil && !w.NoSync {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if w.Exists == ExistsOverwrite {
		err = root.Rename(temporary, name)
		kept = err != nil
	} else {
		kept, err = w.claim(root, temporary, name)
	}
	if err != nil {
		return err
	}
	if kept { // before the sync, so that the folder is synced without it
		kept = false
		if err := root.Remove(temporary); err != nil {
			return err
		}
	}
	return w.syncDir(root, path.Dir(name))
}

// claim gives the temporary file the first free name, exclusively also against other
// processes. It reports whether the temporary name is still there.
func (w *WriteToDisk) claim(root *os.Root, temporary, name string) (kept bool, err error) {
	key := name
	for n := w.lastNumber(key); ; n++ {
		if n > 1 {
			ext := path.Ext(key)
			name = fmt.Sprintf("%s-%d%s", strings.TrimSuffix(key, ext), n, ext)
		}
		kept, err = linkOrRename(root, temporary, name)
		switch {
		case err == nil:
			if n > 1 {
				w.rememberNumber(key, n)
			}
			return kept, nil
		case !errors.Is(err, fs.ErrExist):
			return true, err
		case w.Exists == ExistsFail:
			return true, ErrFileExists
		}
	}
}

// linkOrRename links name to the temporary file, which fails when name exists. Where
// the file system has no links, it takes the name by creating it and renames over its
// own empty file.
func linkOrRename(root *os.Root, temporary, name string) (kept bool, err error) {
	err = root.Link(temporary, name)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return true, err
	}
	f, createErr := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
	if createErr != nil {
		return true, createErr
	}
	if err := f.Close(); err != nil {
		return true, err
	}
	if err := root.Rename(temporary, name); err != nil {
		return true, errors.Join(err, root.Remove(name))
	}
	return false, nil
}

// maxNumbers bounds the names whose last number is remembered. Forgetting one costs
// time and nothing else.
const maxNumbers = 4096

func (w *WriteToDisk) lastNumber(name string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return max(1, w.numbers[name])
}

func (w *WriteToDisk) rememberNumber(name string, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.numbers) >= maxNumbers {
		clear(w.numbers)
	}
	w.numbers[name] = max(n, w.numbers[name])
}

// append adds body to the file, whole or not at all.
func (w *WriteToDisk) append(root *os.Root, name string, body []byte) (err error) {
	lock := &w.appends[maphash.String(w.seed, name)%uint64(len(w.appends))]
	lock.Lock()
	defer lock.Unlock()
	f, err := w.create(root, name, os.O_APPEND)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	record := make([]byte, 0, len(body)+len(w.Separator))
	record = append(append(record, body...), w.Separator...)
	_, err = f.Write(record)
	if err == nil && !w.NoSync {
		err = f.Sync()
	}
	if err != nil {
		return errors.Join(err, f.Truncate(info.Size()))
	}
	if info.Size() == 0 {
		return w.syncDir(root, path.Dir(name))
	}
	return nil
}

var (
	_ engine.Activity = (*WriteToDisk)(nil)
	_ engine.Preparer = (*WriteToDisk)(nil)
	_ engine.Opener   = (*WriteToDisk)(nil)
)
