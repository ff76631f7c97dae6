package main

import "encoding/binary"

// Every stream begins with a head, which says whose it is and how long; each byte after it is a function of the stream and
// of its place, so that a piece says by itself whether it is what was sent.

const headLen = 16

type stream struct {
	key uint64 // connection and direction
	len uint64 // of all, with the head
}

func (s stream) word(i uint64) uint64 {
	switch i {
	case 0:
		return s.key
	case 1:
		return s.len
	}
	x := (s.key<<20 ^ i) * 0x9e3779b97f4a7c15
	return x ^ x>>29
}

// fill writes the bytes from off on.
func (s stream) fill(p []byte, off uint64) {
	for len(p) >= 8 && off%8 == 0 {
		binary.LittleEndian.PutUint64(p, s.word(off/8))
		p, off = p[8:], off+8
	}
	for i := range p {
		at := off + uint64(i)
		p[i] = byte(s.word(at/8) >> (at % 8 * 8))
	}
}

// right tells whether p are the bytes from off on.
func (s stream) right(p []byte, off uint64) bool {
	for len(p) != 0 {
		if len(p) >= 8 && off%8 == 0 {
			if binary.LittleEndian.Uint64(p) != s.word(off/8) {
				return false
			}
			p, off = p[8:], off+8
			continue
		}
		if p[0] != byte(s.word(off/8)>>(off%8*8)) {
			return false
		}
		p, off = p[1:], off+1
	}
	return true
}
