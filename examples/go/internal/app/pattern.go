package app

import "encoding/binary"

func word(w uint64) uint64 {
	x := (w + 1) * 0x9e3779b97f4a7c15
	return x ^ x>>32
}

// Fill writes the stream of examples/c/README.md, from byte at.
func Fill(p []byte, at uint64) {
	for len(p) != 0 {
		var w [8]byte
		binary.LittleEndian.PutUint64(w[:], word(at/8))
		n := copy(p, w[at%8:])
		p, at = p[n:], at+uint64(n)
	}
}

// Check tells how many bytes of p, from its first, are those of the stream from byte at.
func Check(p []byte, at uint64) int {
	for i := 0; i < len(p); {
		var w [8]byte
		binary.LittleEndian.PutUint64(w[:], word((at+uint64(i))/8))
		for _, b := range w[(at+uint64(i))%8:] {
			if i == len(p) {
				break
			}
			if p[i] != b {
				return i
			}
			i++
		}
	}
	return len(p)
}
