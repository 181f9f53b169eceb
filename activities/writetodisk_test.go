package activities_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ladlehq/ladle/activities"
	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/engine/hl7v2"
	"go.uber.org/goleak"
	"go.uber.org/zap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func env() engine.Env {
	return engine.Env{Workflow: "w", Format: hl7v2.Format{}, Logger: zap.NewNop()}
}

// message returns an HL7 message with the control id.
func message(controlID string) *engine.Message {
	return engine.NewMessage([]byte("MSH|^~\\&|A|B|C|D|20260305140709||ADT^A01|" + controlID + "|P|2.5\rPID|1||4711\r"))
}

// open prepares and opens w.
func open(t *testing.T, w *activities.WriteToDisk) *activities.WriteToDisk {
	t.Helper()
	if err := w.Prepare(env()); err != nil {
		t.Fatal(err)
	}
	if err := w.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

// files returns every file below dir by its slash-separated name.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		all[filepath.ToSlash(name)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func names(m map[string]string) []string {
	var all []string
	for name := range m {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

func TestWriteToDiskExactBytes(t *testing.T) {
	t.Parallel()
	for _, noSync := range []bool{false, true} {
		dir := filepath.Join(t.TempDir(), "new", "inbox")
		w := open(t, &activities.WriteToDisk{Directory: dir, File: "${ReceivedDate:yyyy}/${ReceivedDate:MM}/${MSH-9.1}-${MSH-10}.hl7", NoSync: noSync})
		m := message("17")
		m.Received = time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC)
		body := append(m.Body(), "\x00\xff\xfe\r\n|\\"...)
		m.SetBody(body)
		if err := w.Do(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		got := files(t, dir)
		if len(got) != 1 || got["2026/03/ADT-17.hl7"] != string(body) {
			t.Fatalf("got %q", got)
		}
		if runtime.GOOS != "windows" {
			info, err := os.Stat(filepath.Join(dir, "2026", "03", "ADT-17.hl7"))
			if err != nil || info.Mode().Perm()&^0o640 != 0 || info.Mode().Perm()&0o600 != 0o600 {
				t.Errorf("rights %v, %v", info.Mode(), err)
			}
		}
	}
}

func TestWriteToDiskDefaultName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := open(t, &activities.WriteToDisk{Directory: dir})
	m := message("1")
	if err := w.Do(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if got := names(files(t, dir)); !slices.Equal(got, []string{m.ID.String() + ".hl7"}) {
		t.Errorf("got %q", got)
	}
}

func TestWriteToDiskExists(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		exists activities.Exists
		want   map[string]string
		err    error
	}{
		{activities.ExistsNumber, map[string]string{"a.hl7": "0", "a-2.hl7": "1", "a-3.hl7": "2"}, nil},
		{activities.ExistsOverwrite, map[string]string{"a.hl7": "2"}, nil},
		{activities.ExistsAppend, map[string]string{"a.hl7": "0;1;2;"}, nil},
		{activities.ExistsFail, map[string]string{"a.hl7": "0"}, activities.ErrFileExists},
	} {
		t.Run(c.exists.String(), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			w := &activities.WriteToDisk{Directory: dir, File: "a.hl7", Exists: c.exists}
			if c.exists == activities.ExistsAppend {
				w.Separator = ";"
			}
			open(t, w)
			for i := range 3 {
				err := w.Do(t.Context(), engine.NewMessage(fmt.Append(nil, i)))
				if i > 0 && !errors.Is(err, c.err) || i == 0 && err != nil {
					t.Errorf("%d: %v", i, err)
				}
			}
			if got := files(t, dir); fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// Two writers that don't know of each other, as two processes don't, lose nothing.
func TestWriteToDiskConcurrentWriters(t *testing.T) {
	t.Parallel()
	for _, exists := range []activities.Exists{activities.ExistsNumber, activities.ExistsFail, activities.ExistsAppend} {
		t.Run(exists.String(), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			const each = 40
			var mu sync.Mutex
			written := make(map[string]int)
			var wg sync.WaitGroup
			for writer := range 2 {
				w := &activities.WriteToDisk{Directory: dir, File: "x/${MSH-10}.hl7", Exists: exists, NoSync: true}
				open(t, w)
				for i := range each {
					wg.Go(func() {
						m := message(fmt.Sprint(i % 5))
						m.SetBody(fmt.Appendf(m.Body(), "ZZZ|%d|%d", writer, i))
						err := w.Do(context.Background(), m)
						mu.Lock()
						defer mu.Unlock()
						switch {
						case err == nil:
							written[string(m.Body())]++
						case exists != activities.ExistsFail || !errors.Is(err, activities.ErrFileExists):
							t.Error(err)
						}
					})
				}
			}
			wg.Wait()
			got := files(t, dir)
			all := strings.Join(func() (v []string) {
				for _, b := range got {
					v = append(v, b)
				}
				return v
			}(), "")
			for body := range written {
				if n := strings.Count(all+"|", strings.TrimRight(body, "")+map[bool]string{true: "\n"}[exists == activities.ExistsAppend]); n < 1 {
					t.Errorf("%q is missing", body)
				}
			}
			want := map[activities.Exists]int{activities.ExistsNumber: 2 * each, activities.ExistsFail: 5, activities.ExistsAppend: 5}[exists]
			if len(got) != want {
				t.Errorf("%d files, want %d: %q", len(got), want, names(got))
			}
			if exists == activities.ExistsFail && len(written) != 5 {
				t.Errorf("%d writes went well", len(written))
			}
		})
	}
}

// A name from a message stays below the directory and means itself on every system.
func TestWriteToDiskHostileNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 300)
	for _, c := range []struct{ id, want string }{
		{"plain-1_2.3", "plain-1_2.3.hl7"},
		{"../../etc/passwd", "_.._.._etc_passwd.hl7"},
		{"..", "_...hl7"},
		{"/etc/passwd", "_etc_passwd.hl7"},
		{`C:\windows\system32`, "C__windows_system32.hl7"},
		{"a\x00b", "a_b.hl7"},
		{"a\tb\x1b[31m", "a_b_[31m.hl7"},
		{"CON", "_CON.hl7"},
		{"con", "_con.hl7"},
		{"Nul.txt", "_Nul.txt.hl7"},
		{"COM1", "_COM1.hl7"},
		{"COM¹", "_COM1.hl7"},
		{"ＣＯＮ", "_CON.hl7"},
		{"LPT9.x", "_LPT9.x.hl7"},
		{"COMET", "COMET.hl7"},
		{"", "_.hl7"},
		{".hidden", "_.hidden.hl7"},
		{"a／b", "a_b.hl7"},              // full-width solidus
		{"a∕b⁄c⧸d", "a_b_c_d.hl7"},      // division, fraction and big solidus
		{"a＼b", "a_b.hl7"},              // full-width reverse solidus
		{"．．", "_...hl7"},               // full-width full stops
		{"a\u202egpj.b", "a_gpj.b.hl7"}, // right-to-left override
		{"Müller", "Müller.hl7"},        // NFC
		{"Mu\u0308ller", "Müller.hl7"},  // NFD
		{"患者", "患者.hl7"},
		{"a:b*c?d\"e<f>g|h", ""}, // has field separators: the rest of the id
		{long, long[:179] + "+*.hl7"},
		{"$HOME;rm -rf", "_HOME_rm -rf.hl7"},
	} {
		dir := t.TempDir()
		inbox := filepath.Join(dir, "inbox")
		w := open(t, &activities.WriteToDisk{Directory: inbox, File: "${MSH-10}.hl7"})
		if err := w.Do(t.Context(), message(c.id)); err != nil {
			t.Errorf("%q: %v", c.id, err)
			continue
		}
		got := names(files(t, dir))
		if len(got) != 1 || !strings.HasPrefix(got[0], "inbox/") || strings.Count(got[0], "/") != 1 {
			t.Errorf("%q left the directory: %q", c.id, got)
			continue
		}
		name := strings.TrimPrefix(got[0], "inbox/")
		if before, after, cut := strings.Cut(c.want, "*"); cut {
			if !strings.HasPrefix(name, before) || !strings.HasSuffix(name, after) || len(name) > 200 {
				t.Errorf("%q: got %q", c.id, name)
			}
		} else if c.want != "" && name != c.want {
			t.Errorf("%q: got %q, want %q", c.id, name, c.want)
		}
	}
}

// Names that are cut stay apart.
func TestWriteToDiskLongNamesDiffer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := open(t, &activities.WriteToDisk{Directory: dir, File: "${MSH-10}.hl7", Exists: activities.ExistsFail})
	for _, end := range []string{"a", "b"} {
		if err := w.Do(t.Context(), message(strings.Repeat("é", 300)+end)); err != nil {
			t.Error(err)
		}
	}
	if got := files(t, dir); len(got) != 2 {
		t.Errorf("got %q", names(got))
	}
}

// A folder that somebody has moved away while the engine runs is made again; nothing
// follows it.
func TestWriteToDiskFolderMovedAway(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("an open folder can't be moved there")
	}
	dir := t.TempDir()
	inbox := filepath.Join(dir, "inbox")
	w := open(t, &activities.WriteToDisk{Directory: inbox, File: "${MSH-10}.hl7"})
	if err := w.Do(t.Context(), message("1")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(inbox, filepath.Join(dir, "old")); err != nil {
		t.Fatal(err)
	}
	if err := w.Do(t.Context(), message("2")); err != nil {
		t.Fatal(err)
	}
	if got := names(files(t, dir)); !slices.Equal(got, []string{"inbox/2.hl7", "old/1.hl7"}) {
		t.Errorf("got %q", got)
	}
}

// A link that somebody has put into the directory leads nowhere.
func TestWriteToDiskFollowsNoLinkOut(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "ADT")); err != nil {
		if runtime.GOOS == "windows" {
			t.Skip("this account may not make links")
		}
		t.Fatal(err)
	}
	w := open(t, &activities.WriteToDisk{Directory: dir, File: "${MSH-9.1}/${MSH-10}.hl7"})
	if err := w.Do(t.Context(), message("1")); err == nil {
		t.Error("written through a link")
	}
	if got := files(t, outside); len(got) != 0 {
		t.Errorf("got %q", got)
	}
}

func TestWriteToDiskOpenReportsWhatCantBeWritten(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w := &activities.WriteToDisk{Directory: file}
	if err := w.Prepare(env()); err != nil {
		t.Fatal(err)
	}
	if err := w.Open(t.Context()); err == nil || !strings.Contains(err.Error(), "can't open the directory") {
		t.Errorf("got %v", err)
	}
}

// After a failure no temporary file is left.
func TestWriteToDiskLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := open(t, &activities.WriteToDisk{Directory: dir, File: "a", Exists: activities.ExistsFail})
	for range 3 {
		w.Do(t.Context(), engine.NewMessage([]byte("x")))
	}
	if got := names(files(t, dir)); !slices.Equal(got, []string{"a"}) {
		t.Errorf("got %q", got)
	}
}

func TestWriteToDiskMistakes(t *testing.T) {
	t.Parallel()
	for want, w := range map[string]*activities.WriteToDisk{
		"directory: missing":                   {},
		"file: \"/a\" is a path from the root": {Directory: "d", File: "/a"},
		"file: \"a/../../b\" leaves":           {Directory: "d", File: "a/../../b"},
		"has a backslash":                      {Directory: "d", File: `a\b`},
		"has a :":                              {Directory: "d", File: `a:b`},
		"ends with a slash":                    {Directory: "d", File: `a/`},
		"file: ${MSH-}":                        {Directory: "d", File: `${MSH-}`},
		"separator: stands between":            {Directory: "d", Separator: "x"},
	} {
		if err := w.Prepare(env()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func FuzzFileName(f *testing.F) {
	for _, s := range []string{"a", "..", "../x", "CON", "a／b", "\x00", strings.Repeat("é", 300), "COM¹.", " . "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, id string) {
		name := activities.FileName(id + ".hl7")
		switch {
		case name == "" || len(name) > 200, strings.ContainsAny(name, "/\\:\x00"), name[0] == '.', strings.TrimRight(name, ". ") != name:
			t.Errorf("%q: %q", id, name)
		case activities.FileName(name) != name:
			t.Errorf("%q: %q becomes %q", id, name, activities.FileName(name))
		case !bytes.ContainsRune([]byte(name), '.') && len(id) < 100:
			t.Errorf("%q: the extension is lost: %q", id, name)
		}
	})
}
