package examples_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/ladlehq/ladle"

// goCommand runs the go command in dir and returns what it prints.
func goCommand(t *testing.T, dir string, env []string, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off"), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr.String())
	}
	return string(out)
}

// Imports point down, and each package pulls in no more than the house allows.
func TestImportDirections(t *testing.T) {
	t.Parallel()
	own := func(pkgs ...string) map[string]bool {
		m := make(map[string]bool)
		for _, p := range pkgs {
			m[p] = true
		}
		return m
	}
	text := "golang.org/x/text"
	logs := []string{"go.uber.org/zap", "go.uber.org/multierr", "github.com/google/uuid", "gopkg.in/yaml.v3"}
	for _, c := range []struct {
		pkg     string
		own     map[string]bool // of this module, beside itself
		outside []string
	}{
		{"hl7", nil, []string{text}},
		{"hl7/mllp", nil, nil},
		{"hl7/mllp/mllptest", own("hl7", "hl7/mllp"), []string{text}},
		{"hl7/standard", own("hl7"), []string{text}},
		{"hl7/standard/v2xml", own("hl7", "hl7/standard"), []string{text}},
		{"hl7/standard/profile", own("hl7", "hl7/standard"), []string{text, "gopkg.in/yaml.v3"}},
		{"tlsconfig", own("tlsconfig/secret"), []string{"software.sslmate.com/src/go-pkcs12", "golang.org/x/crypto/pbkdf2", "golang.org/x/crypto/scrypt", "golang.org/x/crypto/ocsp", "golang.org/x/sys", "github.com/youmark/pkcs8", "github.com/fsnotify/fsnotify", "github.com/gofrs/flock"}},
		{"tlsconfig/acme", own("tlsconfig", "tlsconfig/secret"), []string{"software.sslmate.com/src/go-pkcs12", "golang.org/x/crypto", "golang.org/x/sys", "github.com/youmark/pkcs8", "github.com/fsnotify/fsnotify", "github.com/gofrs/flock"}},
		{"tlsconfig/secret", nil, nil},
		{"engine", own("tlsconfig/secret"), logs},
		{"engine/hl7v2", own("engine", "tlsconfig/secret", "hl7"), append([]string{text}, logs...)},
		{"receivers", own("engine", "engine/hl7v2", "hl7", "hl7/mllp", "tlsconfig", "tlsconfig/secret"), nil},
		{"activities", own("engine", "engine/hl7v2", "hl7", "hl7/mllp", "tlsconfig", "tlsconfig/secret"), nil},
	} {
		for dep := range strings.Lines(goCommand(t, "..", nil, "list", "-deps", "./"+c.pkg)) {
			dep = strings.TrimSpace(dep)
			inner, isOwn := strings.CutPrefix(dep, module+"/")
			switch {
			case isOwn && inner != c.pkg && !c.own[inner] && !strings.HasPrefix(inner, c.pkg+"/internal/"):
				t.Errorf("%s imports %s", c.pkg, inner)
			case isOwn || !strings.Contains(strings.Split(dep, "/")[0], ".") || c.outside == nil && c.own != nil:
			case !slices.ContainsFunc(c.outside, func(m string) bool { return dep == m || strings.HasPrefix(dep, m+"/") }):
				t.Errorf("%s compiles %s", c.pkg, dep)
			}
		}
	}
}

// A module of somebody else's compiles against a checkout and runs.
func TestConsumerModule(t *testing.T) {
	t.Parallel()
	checkout, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	source, err := os.ReadFile("testdata/consumer/main.go")
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile("../go.sum")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	// The versions that the checkout itself uses are at hand without a network.
	mod = bytes.Replace(mod, []byte("module "+module), []byte("module example.org/consumer"), 1)
	mod = fmt.Appendf(mod, "\nrequire %s v0.0.0\n\nreplace %s => %s\n", module, module, checkout)
	for name, content := range map[string][]byte{"main.go": source, "go.sum": sums, "go.mod": mod} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	goCommand(t, dir, nil, "build", "-o", "consumer", ".")
	inbox := filepath.Join(dir, "inbox")
	cmd := exec.Command(filepath.Join(dir, "consumer"), inbox)
	cmd.Stdin = strings.NewReader("one\ntwo\n")
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != "answered: accepted\nanswered: accepted\n" {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, want := range map[string]string{"line.txt": "ONE!", "line-2.txt": "TWO!"} {
		if got, err := os.ReadFile(filepath.Join(inbox, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

var codeBlock = regexp.MustCompile("(?m)^<!-- (\\S+)( \\S+)? -->\\n```[a-z]*\\n((?s:.*?))^```$")

// What the README shows is what runs.
func TestReadmeIsCutFromExamples(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := codeBlock.FindAllStringSubmatch(string(readme), -1)
	if len(blocks) < 2 {
		t.Fatalf("%d blocks with a source", len(blocks))
	}
	for _, b := range blocks {
		file, name, block := b[1], strings.TrimSpace(b[2]), b[3]
		source, err := os.ReadFile(filepath.Join("..", file))
		if err != nil {
			t.Error(err)
			continue
		}
		want := string(source)
		if name != "" {
			want = cut(want, name)
		}
		if block != want {
			t.Errorf("%s %s: the README has\n%s\nwant\n%s", file, name, block, want)
		}
	}
}

// cut returns the lines between `// cut: name` and `// end`, without their indentation.
func cut(source, name string) string {
	_, rest, _ := strings.Cut(source, "// cut: "+name+"\n")
	part, _, _ := strings.Cut(rest, "// end")
	lines := strings.SplitAfter(strings.TrimRight(part, "\t "), "\n")
	indent := len(lines[0]) - len(strings.TrimLeft(lines[0], "\t"))
	for i, l := range lines {
		lines[i] = strings.TrimPrefix(l, strings.Repeat("\t", indent))
	}
	return strings.Join(lines, "")
}
