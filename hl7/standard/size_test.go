package standard_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestSize builds two programs that read a message, one of which validates it: the difference is
// what the package costs.
func TestSize(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds two programs")
	}
	size := func(name string) int64 {
		out := filepath.Join(t.TempDir(), name+".exe")
		if text, err := exec.Command("go", "build", "-o", out, "./testdata/size/"+name).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, text)
		}
		info, err := os.Stat(out)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	with, without := size("with"), size("without")
	t.Logf("%d bytes with the dictionary, %d without: %d more", with, without, with-without)
	if with-without > 2_000_000 {
		t.Errorf("the dictionary adds %d bytes to a program; at most 2,000,000 are wanted", with-without)
	}
}
