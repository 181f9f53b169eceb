package activities

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxNameLength is the longest name of a file or folder, in bytes. File systems take
// 255; the rest is for the number of a name that exists already.
const maxNameLength = 200

// allowedInName are the characters of a file name beside letters and digits.
const allowedInName = "-_.+=@,()[] "

// cleanValue makes a value from a message fit to be a part of a file name: it can't
// hold a separator of folders, in whatever disguise, nor a character that some file
// system refuses. What doesn't fit becomes an underscore.
func cleanValue(v string) string {
	// Compatibility forms first: a full-width slash is a slash to some systems.
	v = norm.NFKC.String(strings.ToValidUTF8(v, "_"))
	return strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) || unicode.IsDigit(c) || unicode.IsMark(c) || strings.ContainsRune(allowedInName, c) {
			return c
		}
		return '_'
	}, v)
}

// cleanPath makes a rendered file name fit to be opened below a directory: slashes
// that the template has written separate folders, and each part is a name that means
// itself on every system.
func cleanPath(name string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		parts[i] = cleanName(p)
	}
	return path.Join(parts...)
}

func cleanName(name string) string {
	// Windows drops dots and spaces at the end; a dot at the front hides a file.
	kept := strings.TrimRight(name, ". ")
	name = kept + strings.Repeat("_", len(name)-len(kept))
	name = strings.TrimLeft(name, " ")
	if name == "" || name[0] == '.' {
		name = "_" + name
	}
	if isDevice(name) {
		name = "_" + name
	}
	if len(name) <= maxNameLength {
		return name
	}
	// What is cut away still tells two names apart.
	sum := sha256.Sum256([]byte(name))
	ext := path.Ext(name)
	if len(ext) > 20 {
		ext = ""
	}
	keep := maxNameLength - len(ext) - 17
	for keep > 0 && !utf8.RuneStart(name[keep]) {
		keep--
	}
	return name[:keep] + "+" + hex.EncodeToString(sum[:8]) + ext
}

// isDevice reports whether Windows takes name for a device, with or without an
// extension.
func isDevice(name string) bool {
	stem, _, _ := strings.Cut(name, ".")
	stem = strings.ToUpper(strings.TrimSpace(stem))
	switch stem {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$":
		return true
	}
	if port, ok := strings.CutPrefix(stem, "COM"); ok || strings.HasPrefix(stem, "LPT") {
		if !ok {
			port = strings.TrimPrefix(stem, "LPT")
		}
		switch port {
		case "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "¹", "²", "³":
			return true
		}
	}
	return false
}

// checkFileTemplate reports what can't be a file name in the template's own text.
func checkFileTemplate(text string) error {
	switch {
	case text == "":
		return errors.New("missing: write for example ${MSH-10}.hl7")
	case strings.HasPrefix(text, "/"), len(text) > 2 && text[1] == ':' && (text[2] == '/' || text[2] == '\\'):
		return fmt.Errorf("%q is a path from the root: name the folder as directory, and here the file below it", text)
	case strings.HasSuffix(text, "/"):
		return fmt.Errorf("%q ends with a slash: a name for the file is missing", text)
	}
	for _, part := range strings.Split(outsidePlaces(text), "/") {
		if part == ".." || part == "." {
			return fmt.Errorf("%q leaves the directory: name the folder as directory, and here the file below it", text)
		}
		if i := strings.IndexAny(part, "\\<>:\"|?*"); i >= 0 {
			if part[i] == '\\' {
				return fmt.Errorf("%q has a backslash: write / between folders, on Windows too", text)
			}
			return fmt.Errorf("%q has a %c, which can't be in a file name on every system", text, part[i])
		}
		if strings.ContainsFunc(part, unicode.IsControl) {
			return fmt.Errorf("%q has a control character", text)
		}
	}
	return nil
}

// outsidePlaces returns text with an x in place of each ${...}.
func outsidePlaces(text string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteByte('x')
		_, text, _ = strings.Cut(rest, "}")
	}
}
