// Command generate makes the data of package standard from two npm packages that describe HL7
// v2: hl7-dictionary 1.0.1 and hl7v2-dictionary 1.8.0, both under the MIT licence (see the
// folder LICENSES beside it). Neither is part of this repository. To make the data again:
//
//	npm pack hl7-dictionary@1.0.1 hl7v2-dictionary@1.8.0
//	mkdir a b && tar xzf hl7-dictionary-1.0.1.tgz -C a && tar xzf hl7v2-dictionary-1.8.0.tgz -C b
//	go run ./hl7/standard/internal/generate -hl7-dictionary a/package -hl7v2-dictionary b/package -out hl7/standard/data
//
// hl7-dictionary is the source of the data. hl7v2-dictionary is what it is checked against:
// comparison.txt, which is written beside the data, says what both have, where they agree and
// where one of them has more. Where the two contradict each other about a type, a name or an
// optionality, nothing is written and the contradiction is the error. What is known to be wrong
// in the source is put right by the list in correct.go, each with its reason.
package main

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

func main() {
	a := flag.String("hl7-dictionary", "", "folder of the unpacked npm package hl7-dictionary 1.0.1")
	b := flag.String("hl7v2-dictionary", "", "folder of the unpacked npm package hl7v2-dictionary 1.8.0")
	out := flag.String("out", "", "folder to write the data to")
	flag.Parse()
	if *a == "" || *b == "" || *out == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*a, *b, *out); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(a, b, out string) error {
	files, err := generate(a, b)
	if err != nil {
		return err
	}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		content := files[file]
		if filepath.Ext(file) == ".gz" {
			if content, err = compress(content); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
		if err := os.WriteFile(filepath.Join(out, file), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generate makes the content of every file, by the file's name. What goes into a .gz isn't yet
// compressed, so that a test can compare it whatever the compressor's version makes of it.
func generate(a, b string) (map[string][]byte, error) {
	source, err := readHL7Dictionary(a)
	if err != nil {
		return nil, err
	}
	other, err := readHL7V2Dictionary(b)
	if err != nil {
		return nil, err
	}
	comparison, err := compare(source, other)
	if err != nil {
		return nil, err
	}
	corrected, err := correct(source)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{"comparison.txt": append(comparison, corrected...)}
	for id, v := range source.versions {
		files[id+".gz"] = writeVersion(v)
	}
	files["tables.gz"] = writeTables(source)
	return files, nil
}

func compress(content []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
