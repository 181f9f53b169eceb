// Command prng writes bcryptprimitives.dll, which every Go program for Windows loads and
// Wine 8 doesn't have. Its one export, ProcessPrng, is passed on to RtlGenRandom, which
// takes the same parameters.
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
)

const (
	fileAlignment    = 0x200
	sectionAlignment = 0x1000
	exports          = sectionAlignment // where the only section is in memory
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: prng FILE")
		os.Exit(2)
	}
	if err := os.WriteFile(os.Args[1], library(), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// library is a PE32+ file for amd64 without code: headers and an export table.
func library() []byte {
	section := exportTable()
	size := uint32(len(section))
	padded := (size + fileAlignment - 1) / fileAlignment * fileAlignment

	dos := make([]byte, 64)
	copy(dos, "MZ")
	binary.LittleEndian.PutUint32(dos[60:], 64) // the PE header follows
	var b bytes.Buffer
	b.Write(dos)
	b.WriteString("PE\x00\x00")
	put(&b, []uint16{0x8664, 1})                                       // amd64, one section
	put(&b, []uint32{0, 0, 0})                                         // no time, no symbols
	put(&b, []uint16{240, 0x2022})                                     // size of the next header; a DLL
	put(&b, uint16(0x20b))                                             // PE32+
	put(&b, []uint8{14, 0})                                            // linker
	put(&b, []uint32{0, padded, 0, 0, exports})                        // sizes; no entry point
	put(&b, uint64(0x180000000))                                       // image base
	put(&b, []uint32{sectionAlignment, fileAlignment})                 //
	put(&b, []uint16{6, 0, 0, 0, 6, 0})                                // versions
	put(&b, []uint32{0, exports + sectionAlignment, fileAlignment, 0}) // image and header size
	put(&b, []uint16{3, 0x100})                                        // console; no execution of data
	put(&b, []uint64{1 << 20, 1 << 12, 1 << 20, 1 << 12})              // stack and heap
	put(&b, []uint32{0, 16})                                           // sixteen directories,
	put(&b, []uint32{exports, size})                                   // of which one is used
	b.Write(make([]byte, 15*8))
	b.WriteString(".edata\x00\x00")
	put(&b, []uint32{size, exports, padded, fileAlignment, 0, 0, 0, 0x40000040}) // readable data

	file := make([]byte, fileAlignment+padded)
	copy(file, b.Bytes())
	copy(file[fileAlignment:], section)
	return file
}

// exportTable exports ProcessPrng as a forwarder.
func exportTable() []byte {
	const (
		directory = 40 // bytes of the directory, which three tables of one entry follow
		texts     = directory + 4 + 4 + 4
		library   = "bcryptprimitives.dll\x00"
		name      = "ProcessPrng\x00"
		forward   = "advapi32.SystemFunction036\x00"
	)
	at := func(offset int) uint32 { return uint32(exports + offset) }
	var b bytes.Buffer
	put(&b, []uint32{0, 0, 0, at(texts), 1, 1, 1, at(directory), at(directory + 4), at(directory + 8)})
	put(&b, []uint32{at(texts + len(library) + len(name)), at(texts + len(library)), 0})
	b.WriteString(library + name + forward)
	return b.Bytes()
}

func put(b *bytes.Buffer, v any) {
	// A buffer takes everything.
	_ = binary.Write(b, binary.LittleEndian, v)
}
